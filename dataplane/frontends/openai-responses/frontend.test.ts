// The Responses dialect as clients speak it: what is read of their bodies, and that their own SDK reads our answers.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { signedBy } from '#core/chat/foreign.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { eventsOf } from '#core/chat/unfold.ts';
import { noUsage } from '#core/chat/usage.ts';
import { failure } from '#core/failure.ts';
import { scanObject } from '#core/json/scan.ts';
import { readStream, readWhole } from '#test/support/read-by-sdk.ts';
import { openAIResponses as frontend, storedCallOf } from './index.ts';
import { partOfSealed, sealedOf } from './sealed.ts';

const context = { requestId: '0190b5a8-0000-7000-8000-000000000000', createdSeconds: 1, includeUsage: true };

function viewOf(body: unknown) {
  const scanned = scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 128, interpreted: new Set(), isUtf8 });
  assert.ok(scanned.ok);
  return scanned.value;
}
const ask = (fields: Record<string, unknown>) => ({ model: 'm', input: 'Hi', ...fields });
const decoded = (fields: Record<string, unknown>) => {
  const request = frontend.decode(viewOf(ask(fields)));
  assert.ok(request.ok, request.ok ? '' : request.failure.message);
  return request.value;
};
const refused = (fields: Record<string, unknown>, how: 'inspect' | 'decode' = 'decode') => {
  const request = frontend[how](viewOf(ask(fields)));
  return request.ok ? undefined : [request.failure.class, request.failure.param];
};

describe('a request', () => {
  test('has instructions and a text, or items of which those of one turn are one message', () => {
    const input = [
      { role: 'developer', content: 'Be kind.' },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'Hi', prompt_cache_breakpoint: { mode: 'explicit' } },
          { type: 'input_image', image_url: 'https://x.test/a.png', detail: 'low' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'gAAA' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Yes' }] },
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c1', output: '7' },
    ];
    const { messages } = decoded({ instructions: 'Be brief.', input });
    assert.deepEqual(
      messages.map(({ role }) => role),
      ['system', 'system', 'user', 'assistant', 'tool'],
    );
    assert.deepEqual(messages[2]!.content[0], { kind: 'text', text: 'Hi', cache: {} });
    assert.deepEqual(messages[3]!.content, [
      { kind: 'thinking', text: 'hm', signature: signedBy('openai', 'rs_1.gAAA') },
      { kind: 'text', text: 'Yes' },
      { kind: 'tool-call', id: 'c1', name: 'f', arguments: '{}' },
    ]);
    assert.deepEqual(decoded({ input: 'Hi' }).messages, [{ role: 'user', content: [{ kind: 'text', text: 'Hi' }] }]);
  });

  test('asks for what other dialects can ask for', () => {
    const { tools, toolChoice, output, thinking, maxOutputTokens, logprobs, extra } = decoded({
      tools: [
        { type: 'function', name: 'f', parameters: {} },
        { type: 'function', name: 'g' },
      ],
      tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'g' }] },
      text: { format: { type: 'json_schema', name: 'r', schema: {} }, verbosity: 'medium' },
      reasoning: { effort: 'low', summary: 'auto' },
      max_output_tokens: 50,
      include: ['message.output_text.logprobs', 'reasoning.encrypted_content'],
      store: false,
      truncation: 'disabled',
      previous_response_id: null,
    });
    assert.deepEqual([tools.map(({ name }) => name), toolChoice, output?.kind], [['g'], { kind: 'required' }, 'json-schema']);
    assert.deepEqual([thinking, maxOutputTokens, logprobs, extra], [{ kind: 'effort', effort: 'low' }, 50, { top: 0 }, {}]);
  });

  test('keeps by its name what only this dialect knows', () => {
    const { extra } = decoded({
      tools: [{ type: 'web_search' }, { type: 'function', name: 'f' }],
      tool_choice: { type: 'web_search' },
      text: { verbosity: 'low' },
      reasoning: { effort: 'low', context: 'all' },
      input: [
        { role: 'user', content: 'Hi' },
        { type: 'web_search_call', id: 'ws_1' },
      ],
      store: true,
      previous_response_id: 'resp_1',
      truncation: 'auto',
      prompt_cache_key: 'k',
    });
    assert.deepEqual(Object.keys(extra).sort(), [
      'input[1]',
      'previous_response_id',
      'prompt_cache_key',
      'reasoning.context',
      'store',
      'text.verbosity',
      'tool_choice',
      'tools[0]',
      'truncation',
    ]);
  });

  const wrong: [fields: Record<string, unknown>, param: string, kind?: string][] = [
    [{ input: [] }, 'input'],
    [{ input: 7 }, 'input'],
    [{ input: [{ role: 'nobody', content: 'x' }] }, 'input[0].role'],
    [{ input: [{ role: 'user', content: [{ type: 'input_text' }] }] }, 'input[0].content[0].text'],
    [{ input: [{ type: 'function_call', name: 'f', arguments: '{}' }] }, 'input[0].call_id'],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input[0]', 'unsupported_parameter'],
    [{ reasoning: { effort: 'huge' } }, 'reasoning.effort'],
    [{ text: { format: { type: 'json_schema', schema: {} } } }, 'text.format.name'],
    [{ tools: [{ name: 'f' }] }, 'tools[0].type'],
    [{ max_output_tokens: 0 }, 'max_output_tokens'],
  ];
  for (const [fields, param, kind = 'invalid_request'] of wrong)
    test(`with ${JSON.stringify(fields)} is told about ${param}`, () => assert.deepEqual(refused(fields), [kind, param]));
});

describe('the cheap look', () => {
  const inspected = (fields: Record<string, unknown>) => {
    const envelope = frontend.inspect(viewOf(ask(fields)));
    assert.ok(envelope.ok);
    return envelope.value;
  };

  test('tells what a request goes on with, wherever it names it', () => {
    assert.equal(inspected({}).names, undefined);
    const input = [{ role: 'user', content: 'item_reference' }, { type: 'item_reference', id: 'msg_1' }, { id: 'rs_1' }];
    const { names } = inspected({ previous_response_id: 'resp_1', conversation: { id: 'conv_1' }, input });
    assert.deepEqual(names, [
      { kind: 'response', id: 'resp_1', param: 'previous_response_id' },
      { kind: 'conversation', id: 'conv_1', param: 'conversation' },
      { kind: 'item', id: 'msg_1', param: 'input[1].id' },
      { kind: 'item', id: 'rs_1', param: 'input[2].id' },
    ]);
  });

  test('finds a reference whose letters are written as numbers, or that has nothing but an id', () => {
    for (const item of [
      '{"type":"item\\u005freference","id":"msg_1"}',
      '{"id":"msg_1"}',
      '{"type":null,"id":"msg_1"}',
      '{ "id" : "msg_1" , "type":null}',
    ]) {
      const scanned = scanObject(Buffer.from(`{"model":"m","input":[${item}]}`), { maxDepth: 9, interpreted: new Set(), isUtf8 });
      assert.ok(scanned.ok);
      const envelope = frontend.inspect(scanned.value);
      assert.equal(envelope.ok && envelope.value.names?.[0]?.id, 'msg_1', item);
    }
  });

  test('tells whether an answer is kept, worked on later, or reads more than the body', () => {
    assert.deepEqual([inspected({}).keeps, inspected({ store: false }).keeps], [true, false]);
    assert.deepEqual([inspected({}).inBackground, inspected({ background: true }).inBackground], [undefined, true]);
    assert.equal(inspected({ tools: [{ type: 'function' }, { type: 'custom' }] }).readsMore, undefined);
    assert.equal(inspected({ tools: [{ type: 'web_search' }] }).readsMore, true);
    assert.equal(inspected({ prompt: { id: 'pmpt_1' } }).readsMore, true);
  });

  test('refuses what it cannot act on', () => {
    assert.deepEqual(refused({ previous_response_id: 7 }, 'inspect'), ['invalid_request', 'previous_response_id']);
    assert.deepEqual(refused({ conversation: {} }, 'inspect'), ['invalid_request', 'conversation']);
    assert.deepEqual(refused({ store: 'no' }, 'inspect'), ['invalid_request', 'store']);
    assert.deepEqual(refused({ input: [{ type: 'item_reference' }] }, 'inspect'), ['invalid_request', 'input[0].id']);
  });
});

// ---------------------------------------------------------------- answers

const text = fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constant('line\u2028and\u2029paragraph'));
const part: fc.Arbitrary<AssistantPart> = fc.oneof(
  text.map(text => ({ kind: 'text', text }) as const),
  text.map(text => ({ kind: 'refusal', text }) as const),
  text.map(text => ({ kind: 'thinking', text }) as const),
  fc.constant({ kind: 'thinking', text: 'hm', signature: 'EqQB' } as const),
  fc.constant({ kind: 'redacted-thinking', data: 'sealed' } as const),
  fc.jsonValue().map(value => ({ kind: 'tool-call', id: 'call.1', name: 'f', arguments: JSON.stringify({ value }) }) as const),
);
/** Two calls of one answer have different ids. */
const parts = fc
  .array(part, { maxLength: 6 })
  .map(list => list.map((one, i) => (one.kind === 'tool-call' ? { ...one, id: `call.${i}` } : one)));
const replies = fc.record({ parts, reason: fc.constantFrom('stop', 'length', 'tool-calls') });

test('the SDK reads the same of a stream as of the whole answer, whatever is in it', async () => {
  await fc.assert(
    fc.asyncProperty(replies, async ({ parts, reason }) => {
      const reply = { id: 'msg_1', model: 'm', parts, finish: { reason }, usage: noUsage } as ChatReply;
      const encoder = frontend.streamEncoder(context);
      const sse = eventsOf(reply)
        .map(event => encoder.push(event))
        .join('');
      const read = await readStream('openai-responses', sse);
      assert.deepEqual(read, await readWhole('openai-responses', frontend.encodeReply(reply, context).body));
      assert.equal(read.text, parts.map(one => (one.kind === 'text' ? one.text : '')).join(''));
      const numbers = [...sse.matchAll(/"sequence_number":(\d+)\}/g)].map(([, n]) => Number(n));
      assert.deepEqual(numbers, [...numbers.keys()]);
    }),
    { numRuns: 60 },
  );
});

test('an error inside a stream is thrown by the SDK', async () => {
  const encoder = frontend.streamEncoder(context);
  const begun = eventsOf({ id: 'x', model: 'm', parts: [{ kind: 'text', text: 'Hi' }], finish: { reason: 'stop' } }).slice(0, 3);
  const sse =
    begun.map(event => encoder.push(event)).join('') + encoder.push({ kind: 'error', failure: failure('upstream_reset') });
  assert.equal(encoder.push({ kind: 'end' }), '');
  await assert.rejects(readStream('openai-responses', sse), /./);
  assert.ok(!sse.includes('response.completed'));
});

test('what was signed or sealed comes back as it was, and to its maker alone', () => {
  const parts: AssistantPart[] = [
    { kind: 'thinking', text: 'a', signature: 'EqQB' },
    { kind: 'thinking', text: 'a', signature: signedBy('google', 'CiQB') },
    { kind: 'thinking', text: 'a', signature: signedBy('openai', 'rs_9.gA.AA') },
    { kind: 'redacted-thinking', data: 'Emw' },
  ];
  for (const part of parts as Parameters<typeof sealedOf>[0][]) {
    const { sealed, id = '' } = sealedOf(part);
    assert.deepEqual(partOfSealed('a', id, sealed), part);
    const isNative = 'signature' in part && part.signature?.includes('openai');
    assert.equal(sealed.startsWith('tollgate-signed.'), !isNative);
  }
  assert.deepEqual(partOfSealed('a', 'rs_1', sealedOf({ kind: 'thinking', text: 'a' }).sealed), { kind: 'thinking', text: 'a' });
});

test('paths of kept responses are told from calls of their own', () => {
  assert.deepEqual(storedCallOf('GET', '/v1/responses/resp_1', 'stream=true'), {
    method: 'GET',
    id: 'resp_1',
    below: '',
    query: 'stream=true',
  });
  assert.equal(storedCallOf('POST', '/v1/responses/resp_1/cancel', '')?.below, '/cancel');
  for (const path of [
    '/v1/responses',
    '/v1/responses/',
    '/v1/responses/compact',
    '/v1/responses/input_tokens',
    '/v1/responses/a/b',
    '/v1/responses/a/cancel/x',
  ])
    assert.equal(storedCallOf('POST', path, ''), undefined, path);
  assert.equal(storedCallOf('GET', '/v1/responses/%zz', '')?.id, '%zz');
});
