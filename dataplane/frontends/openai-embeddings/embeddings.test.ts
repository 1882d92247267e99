// Embeddings as clients of OpenAI ask for them and get them.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { noUsage } from '#core/chat/usage.ts';
import { scanObject } from '#core/json/scan.ts';
import { tokens } from '#core/units.ts';
import { openAIEmbeddings } from './index.ts';

const context = { requestId: 'r', createdSeconds: 0, includeUsage: true };
const view = (body: unknown) => {
  const scanned = scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 8, interpreted: new Set(), isUtf8 });
  assert.ok(scanned.ok);
  return scanned.value;
};
const decode = (body: unknown) => openAIEmbeddings.translation!.decode(view(body));
const request = (encoding: 'float' | 'base64') => ({ model: 'm', inputs: ['x'], encoding, extra: {} });
const replied = (vectors: readonly (readonly number[] | Float32Array)[], encoding: 'float' | 'base64') =>
  JSON.parse(openAIEmbeddings.translation!.encodeReply({ vectors }, request(encoding), context).body);

describe('vectors', () => {
  const floats = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 });

  test('are the same 32-bit floats in base64 and as numbers, whichever the provider sent', () => {
    fc.assert(
      fc.property(floats, numbers => {
        const bits = Float32Array.from(numbers);
        for (const sent of [numbers, bits]) {
          const packed = Buffer.from(replied([sent], 'base64').data[0].embedding, 'base64');
          assert.deepEqual(
            Array.from({ length: numbers.length }, (_, at) => packed.readFloatLE(at * 4)),
            Array.from(bits),
          );
          // JSON has no -0.
          assert.deepEqual(
            Float32Array.from(replied([sent], 'float').data[0].embedding),
            bits.map(value => value + 0),
          );
        }
      }),
    );
  });

  test('are numbers as the provider wrote them where both want numbers', () => {
    assert.deepEqual(replied([[0.1, 1e-9]], 'float').data[0].embedding, [0.1, 1e-9]);
  });
});

test('the reply is the list that the SDKs know', () => {
  const usage = { ...noUsage, inputUncached: tokens(3) };
  const { body } = openAIEmbeddings.translation!.encodeReply(
    { vectors: [[1], [2]], model: 'e-1', usage },
    request('float'),
    context,
  );
  assert.deepEqual(JSON.parse(body), {
    object: 'list',
    data: [
      { object: 'embedding', index: 0, embedding: [1] },
      { object: 'embedding', index: 1, embedding: [2] },
    ],
    model: 'e-1',
    usage: { prompt_tokens: 3, total_tokens: 3 },
  });
});

describe('inputs', () => {
  const rows: readonly [input: unknown, inputs: unknown][] = [
    ['a', ['a']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [[1, 2], [[1, 2]]],
    [
      [[1], [2, 3]],
      [[1], [2, 3]],
    ],
  ];
  for (const [input, inputs] of rows)
    test(JSON.stringify(input), () => {
      const decoded = decode({ model: 'm', input });
      assert.deepEqual(decoded.ok && decoded.value.inputs, inputs);
    });

  const bad: readonly [input: unknown, param: string][] = [
    ['', 'input'],
    [['a', ''], 'input[1]'],
    [['a', 7], 'input[1]'],
    [[[1], []], 'input[1]'],
    [[[1, -1]], 'input[0]'],
    [{ text: 'x' }, 'input'],
  ];
  for (const [input, param] of bad)
    test(`${JSON.stringify(input)} is refused at ${param}`, () => {
      const decoded = decode({ model: 'm', input });
      assert.equal(!decoded.ok && decoded.failure.param, param);
    });
});

test('tokens are counted as they are given, texts by our own count', async () => {
  const counted = await openAIEmbeddings.count(view({ model: 'm', input: [[1, 2, 3], 'ab'] }), async text => text.length);
  assert.deepEqual(counted, { tokens: 5, texts: 2 });
  const unread = await openAIEmbeddings.count(view({ model: 'm', input: [{}] }), async () => 0);
  assert.ok(unread.tokens > 0, 'what cannot be read counts by its size');
});

test('what is ours does not go on, and metadata is ours', () => {
  const body = { model: 'm', input: 'x', metadata: { team: 'a' }, tags: ['t'], truncate: 'END' };
  const inspected = openAIEmbeddings.inspect(view(body));
  assert.ok(inspected.ok);
  assert.deepEqual([...inspected.value.edits].toSorted(), [
    ['metadata', null],
    ['tags', null],
  ]);
  assert.deepEqual(inspected.value.controls.metadata, { team: 'a' });
  const decoded = decode(body);
  assert.deepEqual(decoded.ok && decoded.value.extra, { truncate: 'END' });
});
