import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ModelEntry, Price } from '#core/snapshot/snapshot.ts';
import { nanoUsd, picoUsd } from '#core/units.ts';
import { type BatchFile, BatchScan, boundOfBatch, endOfBatch, priceInBatch } from './batch.ts';

const line = (body: object) => JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body });

function scanned(text: string, cuts: readonly number[] = []): ReturnType<BatchScan['result']> {
  const scan = new BatchScan();
  const bytes = Buffer.from(text);
  const places = [...new Set([...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of places) {
    scan.push(bytes.subarray(from, to));
    from = to;
  }
  return scan.result();
}

describe('a file of requests', () => {
  const lines = [
    line({ model: 'm', messages: [], max_tokens: 10 }),
    line({ model: 'm', input: 'zwei\u2028', max_output_tokens: 20, n: 2 }),
    line({ model: 'm', input: 'drei', file_id: 'file-1' }),
  ];
  const text = `${lines.join('\n')}\n`;

  test('is read the same wherever it is cut', () => {
    const whole = scanned(text) as BatchFile;
    assert.deepEqual(whole, {
      model: 'm',
      lines: 3,
      bytes: lines.reduce((sum, one) => sum + Buffer.byteLength(one), 0),
      output: 50,
      unlimited: 1,
      images: 0,
      readingMore: 1,
      runningTools: 0,
      names: [{ kind: 'file', id: 'file-1' }],
    });
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 10 }), cuts => {
        assert.deepEqual(scanned(text, cuts), whole);
      }),
    );
    for (let cut = 0; cut <= text.length; cut++) assert.deepEqual(scanned(text, [cut]), whole);
  });

  for (const [sentence, bad, problem] of [
    ['of several models', [line({ model: 'a' }), line({ model: 'b' })].join('\n'), /several models/],
    ['of something else', 'hello', /line 1/],
    [
      'with a line that is nested without end',
      `{"body":{"model":"a","x":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
      /line 1/,
    ],
    ['with a line that says something twice', '{"body":{"model":"a","max_tokens":1,"max_tokens":9}}', /line 1/],
    ['with a name that none could have', line({ model: 'a', file_id: 'x'.repeat(1000) }), /line 1/],
    ['with a line without a model', [line({ model: 'a' }), line({})].join('\n'), /line 2/],
    ['without anything', '\n\n', /no request/],
    ['with a line that is too long', 'x'.repeat(9 * 1024 * 1024), /too long/],
    ['that names too much', line({ model: 'a', file_ids: Array(200).fill('file-1') }), /stored/],
    ['that goes on with a response', line({ model: 'a', previous_response_id: 'resp_1' }), /line 1 .*previous_response_id/],
    ['that goes on with a conversation', line({ model: 'a', conversation: { id: 'conv_1' } }), /line 1 .*conversation/],
    ['that goes on with an item', line({ model: 'a', input: [{ type: 'item_reference', id: 'msg_1' }] }), /input\[0\]\.id/],
    [
      'that goes on with a picture',
      line({ model: 'a', input: [{ type: 'image_generation_call', id: 'ig_1' }] }),
      /input\[0\]\.id/,
    ],
  ] as const)
    test(`${sentence} is no batch`, () => {
      const result = scanned(bad);
      assert.match('problem' in result ? result.problem : '', problem);
    });
});

const price: Price = {
  source: 'provider',
  version: '',
  rates: Object.fromEntries(
    ['input', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h', 'output', 'reasoning', 'audioInput', 'audioOutput'].map(name => [
      name,
      picoUsd(1001),
    ]),
  ) as unknown as Price['rates'],
  tiers: [],
};
const full: Price = { ...price, rates: { ...price.rates, perRequest: nanoUsd(7) } };
const file: BatchFile = {
  model: 'm',
  lines: 3,
  bytes: 1000,
  output: 50,
  unlimited: 2,
  images: 0,
  readingMore: 0,
  runningTools: 0,
  names: [],
};
const model: ModelEntry = { name: 'm', upstreamName: 'm', aliases: [], capabilities: [], tier: 'Standard', price: full };

describe('what a batch costs', () => {
  test('is half, rounded up for each rate', () => {
    const { rates } = priceInBatch(full);
    assert.deepEqual([rates.input, rates.perRequest], [501, 4]);
  });

  test('is bound by its bytes, its limits, and the limit of its model where a line has none', () => {
    assert.equal(boundOfBatch(file, { ...model, maxOutputTokens: 100 as never }), Math.ceil((1000 + 250) * 1.001) + 3 * 7);
  });

  test('is bound by the window of its model for each line that reads more than stands in it, and by what a picture can be', () => {
    const wide = { ...model, contextWindow: 10_000 as never, maxOutputTokens: 100 as never };
    const more = boundOfBatch({ ...file, readingMore: 2 }, wide) - boundOfBatch(file, wide);
    assert.ok(more >= 20_000 && more <= 20_021, String(more));
    assert.ok(boundOfBatch({ ...file, images: 1 }, wide) >= 50_000);
  });

  const read = (body: object) => scanned(line({ model: 'm', ...body })) as BatchFile;
  test('goes by the largest of several limits, and by all answers that are asked for', () => {
    assert.equal(read({ max_completion_tokens: 1, max_tokens: 900 }).output, 900);
    assert.equal(read({ max_tokens: 10, n: 2, best_of: 5 }).output, 50);
  });
  test('takes no number for a limit that none is: a sum with it would hold for nothing', () => {
    for (const max_tokens of ['1e400', '1e300', '1.5', '-4', '"9"']) {
      const text = line({ model: 'm', max_tokens: 0 }).replace('"max_tokens":0', `"max_tokens":${max_tokens}`);
      const { output, unlimited } = scanned(`${text}\n${line({ model: 'm', max_tokens: 7 })}`) as BatchFile;
      assert.deepEqual([output, unlimited], [7, 1], max_tokens);
    }
  });
  test('knows tools that come with the conversation', () => {
    const item = (type: string, tool: string) => ({ input: [{ type, tools: [{ type: tool }] }] });
    for (const type of ['additional_tools', 'tool_search_output']) {
      assert.equal(read(item(type, 'web_search')).runningTools, 1, type);
      assert.equal(read(item(type, 'function')).runningTools, 0, type);
    }
    assert.equal(read({ input: [{ type: 'mcp_list_tools', id: 'mcpl_1', tools: [{ name: 'f' }] }] }).runningTools, 0);
  });
  test('knows what is read besides the line, and what is a picture', () => {
    for (const body of [{ prompt: { id: 'pmpt_1' } }, { tools: [{ type: 'web_search' }] }, { file_id: 'file-1' }])
      assert.equal(read(body).readingMore, 1, JSON.stringify(body));
    const plain = read({ tools: [{ type: 'function', name: 'f' }], prompt: 'Say hi' });
    assert.deepEqual([plain.readingMore, plain.runningTools], [0, 0]);
    assert.equal(read({ tools: [{ type: 'web_search' }] }).runningTools, 1);
    assert.equal(
      read({ messages: [{ content: [{ type: 'image_url' }, { type: 'text', text: '"type":"image_url"' }] }] }).images,
      1,
    );
  });
});

describe('the end of a batch', () => {
  const batch = (more: object) => ({ object: 'batch', id: 'b', status: 'completed', ...more });
  test('is known by its status alone', () => {
    for (const status of ['validating', 'in_progress', 'finalizing', 'cancelling'])
      assert.equal(endOfBatch(batch({ status })), undefined);
    assert.equal(endOfBatch({ object: 'list', status: 'completed' }), undefined);
  });
  test('tells what was used, in classes that add up', () => {
    const usage = {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 40 },
      output_tokens: 9,
      output_tokens_details: { reasoning_tokens: 4 },
    };
    const told = endOfBatch(batch({ usage, request_counts: { total: 3, completed: 2, failed: 1 } }))!.usage!;
    assert.deepEqual([told.inputUncached, told.cacheRead, told.output, told.reasoning, told.requests], [60, 40, 9, 4, 2]);
  });
  test('without a word of usage is nothing where nothing was done, and not known where something was', () => {
    assert.equal(endOfBatch(batch({ status: 'expired', request_counts: { completed: 0 } }))!.usage!.output, 0);
    const nothing = endOfBatch(batch({ status: 'failed' }))!.usage!;
    assert.deepEqual([nothing.output, nothing.requests], [0, 0]);
    const odd = endOfBatch(batch({ request_counts: { completed: -5 }, usage: { input_tokens: 9 } }))!.usage!;
    assert.deepEqual([odd.inputUncached, odd.requests], [9, undefined]);
    const zero = { input_tokens: 0, output_tokens: 0 };
    for (const more of [
      { request_counts: { completed: 5 } },
      { request_counts: { completed: 5 }, usage: zero },
      { request_counts: { completed: -5 } },
      {},
    ])
      assert.equal(endOfBatch(batch(more))!.usage, undefined, JSON.stringify(more));
  });
});
