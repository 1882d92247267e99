// Streams and whole replies of the dialect's many speakers, as neutral events.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Folded, fold } from '#core/chat/fold.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { promptTokens, usageClasses } from '#core/chat/usage.ts';
import { decodeReply, inspectReply, leavesOut, notable, streamDecoder } from './decode.ts';

const DONE = '[DONE]';
const chunk = (delta: unknown, rest: Record<string, unknown> = {}): string =>
  JSON.stringify({
    id: 'c1',
    object: 'chat.completion.chunk',
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: null, ...rest }],
  });
const finish = (reason: string, rest: Record<string, unknown> = {}): string => chunk({}, { finish_reason: reason, ...rest });
const call = (fields: Record<string, unknown>): string => chunk({ tool_calls: [fields] });
const begin = (index: number, id: string, name: string, json = '') => ({
  index,
  id,
  type: 'function',
  function: { name, arguments: json },
});
const more = (index: number, json: string) => ({ index, function: { arguments: json } });

function eventsOf(...frames: string[]): ChatEvent[] {
  const decoder = streamDecoder();
  return [...frames.flatMap(data => decoder.push({ event: '', data })), ...decoder.close()];
}
const folded = (...frames: string[]): Folded => fold(eventsOf(...frames));
const callsOf = ({ reply }: Folded) =>
  reply.parts.map(part => (part.kind === 'tool-call' ? [part.id, part.name, part.arguments] : part.kind));
const kindsOf = (events: readonly ChatEvent[]): string => events.map(event => event.kind).join(' ');

describe('a stream', () => {
  test('begins with its first chunk, whose role and empty content are no content', () => {
    assert.equal(
      kindsOf(
        streamDecoder().push({ event: '', data: chunk({ role: 'assistant', content: '', refusal: null, tool_calls: [] }) }),
      ),
      'start',
    );
  });

  test('opens and closes each part once', () => {
    const events = eventsOf(chunk({ reasoning: 'hm' }), chunk({ content: 'a' }), chunk({ content: 'b' }), finish('stop'), DONE);
    assert.equal(
      kindsOf(events),
      'start thinking-start thinking-delta part-end text-start text-delta text-delta part-end finish end',
    );
  });

  test('takes reasoning under both of its names, once where both are sent', () => {
    for (const delta of [{ reasoning: 'x' }, { reasoning_content: 'x' }, { reasoning: 'x', reasoning_content: 'x' }]) {
      assert.deepEqual(folded(chunk(delta), finish('stop')).reply.parts, [{ kind: 'thinking', text: 'x' }]);
    }
  });

  test('takes the lists of parts of Mistral', () => {
    const { reply } = folded(
      chunk({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] }),
      chunk({ content: [{ type: 'text', text: 'hi' }] }),
      finish('stop'),
    );
    assert.deepEqual(reply.parts, [
      { kind: 'thinking', text: 'hm' },
      { kind: 'text', text: 'hi' },
    ]);
  });

  test('that ends after its finish reason is complete without [DONE]', () => {
    assert.equal(kindsOf(eventsOf(chunk({ content: 'a' }), finish('stop')).slice(-2)), 'finish end');
  });

  test('of several choices is over when all that were asked for have ended, or at the terminator', () => {
    const over = (index: number): string => JSON.stringify({ choices: [{ index, delta: {}, finish_reason: 'stop' }] });
    const decoded = (n: number, ...frames: readonly string[]): string => {
      const decoder = streamDecoder({ has: () => true, get: name => (name === 'n' ? n : undefined) });
      return kindsOf([...frames.flatMap(data => decoder.push({ event: '', data })), ...decoder.close()]);
    };
    const begun = 'start text-start text-delta part-end';
    assert.equal(decoded(2, chunk({ content: 'a' }), over(0)), `${begun} error`);
    assert.equal(decoded(2, chunk({ content: 'a' }), over(1)), 'start text-start text-delta error');
    assert.equal(decoded(2, chunk({ content: 'a' }), over(0), over(1)), `${begun} finish end`);
    assert.equal(decoded(2, chunk({ content: 'a' }), over(1), over(1), over(0)), `${begun} finish end`);
    assert.equal(decoded(3, chunk({ content: 'a' }), over(0), DONE), `${begun} finish end`);
    assert.equal(decoded(1e9, chunk({ content: 'a' }), DONE), `${begun} finish end`);
    assert.equal(decoded(1, chunk({ content: 'a' }), over(7), over(0)), `${begun} finish end`);
  });

  test('that ends before its finish reason is truncated', () => {
    const { complete, failure, reply } = folded(chunk({ content: 'half' }));
    assert.deepEqual([complete, failure?.class, reply.parts.length], [false, 'upstream_stream_truncated', 1]);
  });

  test('without a finish reason is complete with [DONE], and says nothing more after it', () => {
    const decoder = streamDecoder();
    decoder.push({ event: '', data: chunk({ content: 'a' }) });
    assert.equal(kindsOf(decoder.push({ event: '', data: DONE })), 'part-end finish end');
    assert.deepEqual(decoder.push({ event: '', data: chunk({ content: 'b' }) }), []);
    assert.deepEqual(decoder.close(), []);
  });

  test('of [DONE] alone is an answer that says nothing', () => {
    assert.equal(kindsOf(eventsOf(DONE)), 'start finish end');
  });

  test('with a chunk that is not JSON fails once', () => {
    assert.equal(
      folded(chunk({ content: 'a' }), '{"choices":[{', chunk({ content: 'b' }), DONE).failure?.class,
      'upstream_bad_response',
    );
  });

  test('with an error inside ends with that error', () => {
    const { failure } = folded(
      chunk({ content: 'a' }),
      '{"error":{"message":"Provider disconnected","code":502},"choices":[]}',
      DONE,
    );
    assert.equal(failure?.class, 'upstream_error');
    assert.equal(folded(chunk({ content: 'a' }), finish('error')).failure?.class, 'upstream_error');
    assert.equal(folded(chunk({ content: 'a' }), finish('insufficient_system_resource')).failure?.class, 'upstream_overloaded');
  });

  test("starts nothing at Azure's chunk of filter results", () => {
    const filter = '{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[]}';
    assert.equal(
      kindsOf(eventsOf(filter, chunk({ content: 'a' }), finish('stop'))),
      'start text-start text-delta part-end finish end',
    );
  });

  test('of several choices is the first of them', () => {
    const two = JSON.stringify({
      id: 'c',
      model: 'm',
      choices: [
        { index: 1, delta: { content: 'no' } },
        { index: 0, delta: { content: 'yes' } },
      ],
    });
    const other = JSON.stringify({ id: 'c', model: 'm', choices: [{ index: 1, delta: {}, finish_reason: 'length' }] });
    const { reply } = folded(two, other, finish('stop'), DONE);
    assert.deepEqual([reply.parts, reply.finish.reason], [[{ kind: 'text', text: 'yes' }], 'stop']);
  });

  test('keeps a refusal apart from the text, and the logprobs', () => {
    const logprobs = { content: [{ token: 'a', logprob: -1 }], refusal: null };
    const { reply } = folded(chunk({ content: 'a' }, { logprobs }), chunk({ refusal: 'no' }), finish('stop'));
    assert.deepEqual(reply.parts, [
      { kind: 'text', text: 'a' },
      { kind: 'refusal', text: 'no' },
    ]);
    assert.deepEqual(reply.logprobs, logprobs);
  });
});

describe('tool calls in a stream', () => {
  const rows: readonly (readonly [what: string, frames: string[], expected: unknown])[] = [
    ['come in pieces', [call(begin(0, 'a', 'f')), call(more(0, '{"x"')), call(more(0, ':1}'))], [['a', 'f', '{"x":1}']]],
    ['come whole', [call(begin(0, 'a', 'f', '{"x":1}'))], [['a', 'f', '{"x":1}']]],
    [
      'come several to a chunk',
      [chunk({ tool_calls: [begin(0, 'a', 'f', '{}'), begin(1, 'b', 'g', '{}')] })],
      [
        ['a', 'f', '{}'],
        ['b', 'g', '{}'],
      ],
    ],
    [
      'come without an index',
      [call({ id: 'a', function: { name: 'f', arguments: '{}' } }), call({ id: 'b', function: { name: 'g', arguments: '{}' } })],
      [
        ['a', 'f', '{}'],
        ['b', 'g', '{}'],
      ],
    ],
    ['come with index -1', [call(begin(-1, 'a', 'f')), call(more(-1, '{"x":')), call(more(-1, '1}'))], [['a', 'f', '{"x":1}']]],
    [
      'all have index 0',
      [call(begin(0, 'a', 'f', '{}')), call(begin(0, 'b', 'g', '{}'))],
      [
        ['a', 'f', '{}'],
        ['b', 'g', '{}'],
      ],
    ],
    ['repeat id and an empty name', [call(begin(0, 'a', 'f')), call(begin(0, 'a', '', '{}'))], [['a', 'f', '{}']]],
    [
      'are interleaved',
      [call(begin(0, 'a', 'f', '{"x"')), call(begin(1, 'b', 'g', '{"y"')), call(more(0, ':1}')), call(more(1, ':2}'))],
      [
        ['a', 'f', '{"x":1}'],
        ['b', 'g', '{"y":2}'],
      ],
    ],
    [
      'have brackets in strings',
      [call(begin(0, 'a', 'f', '{"x":"}\\"{"')), call(begin(1, 'b', 'g', '{}')), call(more(0, '}'))],
      [
        ['a', 'f', '{"x":"}\\"{"}'],
        ['b', 'g', '{}'],
      ],
    ],
    [
      'have no arguments',
      [call(begin(0, 'a', 'f')), call(begin(1, 'b', 'g'))],
      [
        ['a', 'f', ''],
        ['b', 'g', ''],
      ],
    ],
    ['have no id', [call({ index: 0, function: { name: 'f', arguments: '{}' } })], [['call_0', 'f', '{}']]],
    [
      'get their name late',
      [call({ index: 0, id: 'a' }), call({ index: 0, function: { name: 'f', arguments: '{}' } })],
      [['a', 'f', '{}']],
    ],
    [
      'have an object for arguments',
      [call({ index: 0, id: 'a', function: { name: 'f', arguments: { x: 1 } } })],
      [['a', 'f', '{"x":1}']],
    ],
    [
      'are followed by text',
      [call(begin(0, 'a', 'f', '{"x"')), chunk({ content: 'so' }), call(more(0, ':1}'))],
      [['a', 'f', '{"x":1}'], 'text'],
    ],
    [
      'are of 2023',
      [chunk({ function_call: { name: 'f', arguments: '' } }), chunk({ function_call: { arguments: '{}' } })],
      [['call_0', 'f', '{}']],
    ],
  ];
  for (const [what, frames, expected] of rows) {
    test(`that ${what}`, () => {
      const answer = folded(...frames, finish('tool_calls'), DONE);
      assert.ok(answer.complete);
      assert.deepEqual(callsOf(answer), expected);
    });
  }

  test('that never get a name are left out', () => {
    const answer = folded(chunk({ content: 'a' }), call({ index: 0, id: 'x', function: { arguments: '{}' } }), finish('stop'));
    assert.deepEqual([callsOf(answer), answer.reply.finish.reason], [['text'], 'stop']);
  });

  test('make a finish of `stop` one of tool calls', () => {
    assert.equal(folded(call(begin(0, 'a', 'f', '{}')), finish('stop')).reply.finish.reason, 'tool-calls');
  });

  test('are held back up to a bound', () => {
    const decoder = streamDecoder();
    decoder.push({ event: '', data: call(begin(0, 'a', 'f', '{')) });
    decoder.push({ event: '', data: call(begin(1, 'b', 'g', '{')) });
    const big = call(more(1, 'x'.repeat(1 << 20)));
    const events = Array.from({ length: 9 }, () => decoder.push({ event: '', data: big })).flat();
    assert.deepEqual(
      events.map(event => event.kind === 'error' && event.failure.class),
      ['upstream_bad_response'],
    );
    assert.deepEqual(decoder.push({ event: '', data: DONE }), []);
  });
});

describe('finish reasons', () => {
  const rows: readonly (readonly [choice: Record<string, unknown>, expected: unknown])[] = [
    [{ finish_reason: 'stop' }, { reason: 'stop' }],
    [
      { finish_reason: 'stop', stop_reason: 'END' },
      { reason: 'stop-sequence', stopSequence: 'END' },
    ],
    [{ finish_reason: 'stop', stop_reason: 128009 }, { reason: 'stop' }],
    [
      { finish_reason: 'stop', matched_stop: 'END' },
      { reason: 'stop-sequence', stopSequence: 'END' },
    ],
    [{ finish_reason: 'length' }, { reason: 'length' }],
    [{ finish_reason: 'model_length' }, { reason: 'context-length' }],
    [{ finish_reason: 'function_call' }, { reason: 'tool-calls' }],
    [{ finish_reason: 'content_filter' }, { reason: 'content-filter' }],
    [{ finish_reason: 'eos_token' }, { reason: 'stop' }],
    [{ finish_reason: 'gave_up' }, { reason: 'stop', isAssumed: true }],
  ];
  for (const [choice, expected] of rows) {
    test(`${JSON.stringify(choice)} is ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(folded(chunk({ content: 'a' }), chunk({}, choice)).reply.finish, expected);
    });
  }

  test('of null and of the empty text are none yet', () => {
    assert.equal(folded(chunk({ content: 'a' }, { finish_reason: '' }), chunk({ content: 'b' })).complete, false);
  });
});

test('sound, pictures and what cites nothing are left out, in streams as in whole replies', () => {
  const cases: [message: object, leftOut: boolean][] = [
    [{ content: 'a' }, false],
    [{ content: 'a', annotations: [], audio: null }, false],
    [{ content: 'a', annotations: [{ type: 'url_citation', url_citation: { url: 'https://a.test/' } }] }, false],
    [{ content: 'a', annotations: [{ type: 'file', file: { hash: 'x' } }] }, true],
    [
      {
        content: [
          { type: 'text', text: 'a' },
          { type: 'reference', reference_ids: [1] },
        ],
      },
      true,
    ],
    [{ content: 'a', audio: { data: 'UklGRg==' } }, true],
    [{ content: 'a', images: [{ type: 'image_url' }] }, true],
  ];
  for (const [message, leftOut] of cases) {
    const decoder = streamDecoder();
    decoder.push({ event: '', data: chunk(message) });
    const whole = { choices: [{ index: 0, message, finish_reason: 'stop' }] };
    assert.deepEqual([decoder.leftOut?.(), leavesOut(whole)], [leftOut, leftOut], JSON.stringify(message));
  }
});

describe('citations', () => {
  const cites = (url: string, place = {}) => ({ type: 'url_citation', url_citation: { url, ...place } });
  const cited = (url: string, span?: object) => ({ source: { kind: 'url', url }, ...(span && { span }) });
  const stop = chunk({}, { finish_reason: 'stop' });
  const [a, b] = ['https://a.test/', 'https://b.test/'];

  test('count code points of all text, and stand in their own part of it', () => {
    const { reply } = folded(
      chunk({ content: '😀 One.' }),
      chunk({ reasoning: 'Hm' }),
      chunk({ content: '😀 Two.' }),
      chunk({ annotations: [cites(a, { start_index: 8, end_index: 11 }), cites(b, { start_index: 0, end_index: 3 })] }),
      stop,
    );
    assert.deepEqual(reply.parts.at(-1), {
      kind: 'text',
      text: '😀 Two.',
      citations: [cited(a, { start: 3, end: 6 }), cited(b)],
    });
  });

  test('that come before the text, wait for it; without a text they are left out', () => {
    const early = chunk({ content: '', annotations: [cites(a, { start_index: 0, end_index: 0 })] });
    assert.deepEqual(folded(early, chunk({ content: 'One.' }), stop).reply.parts, [
      { kind: 'text', text: 'One.', citations: [cited(a)] },
    ]);
    const decoder = streamDecoder();
    for (const data of [early, stop]) decoder.push({ event: '', data });
    assert.equal(decoder.leftOut?.(), true);
  });

  test('stand between the text and the calls of a whole message, and beside it where a server has a list', () => {
    const message = {
      content: 'One.',
      annotations: [cites(a)],
      tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
    };
    const reply = decodeReply({ choices: [{ message, finish_reason: 'tool_calls' }], citations: [b] });
    assert.deepEqual(reply.ok && reply.value.parts[0], { kind: 'text', text: 'One.', citations: [cited(a)] });
    const { reply: listed } = folded(chunk({ content: 'One.' }), JSON.stringify({ ...JSON.parse(stop), citations: [a, b] }));
    assert.deepEqual(listed.parts, [{ kind: 'text', text: 'One.', citations: [cited(a), cited(b)] }]);
  });
});

describe('usage', () => {
  const usageOf = (usage: unknown) =>
    folded(chunk({ content: 'a' }), finish('stop'), JSON.stringify({ id: 'c', choices: [], usage }), DONE).reply.usage;

  test('is taken apart into disjoint classes', () => {
    const usage = usageOf({
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 10, audio_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 3 },
    });
    assert.deepEqual(usage, {
      inputUncached: 50,
      cacheRead: 40,
      cacheWrite5m: 10,
      cacheWrite1h: 0,
      output: 50,
      reasoning: 20,
      audioInput: 5,
      audioOutput: 3,
    });
  });

  test('counts as output what xAI reasons besides its completion', () => {
    const usage = usageOf({
      prompt_tokens: 12,
      completion_tokens: 2,
      total_tokens: 354,
      completion_tokens_details: { reasoning_tokens: 340 },
    });
    assert.deepEqual([usage?.output, usage?.reasoning], [342, 340]);
  });

  test('knows the cache hits of DeepSeek and of Moonshot', () => {
    assert.equal(usageOf({ prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 8 })?.cacheRead, 8);
    assert.equal(usageOf({ prompt_tokens: 10, completion_tokens: 1, cached_tokens: 8 })?.cacheRead, 8);
  });

  test('is read from x_groq, and the last one wins', () => {
    const groq = JSON.stringify({
      id: 'c',
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      x_groq: { usage: { prompt_tokens: 3, completion_tokens: 2 } },
    });
    assert.equal(folded(groq).reply.usage?.output, 2);
    const early = JSON.stringify({
      id: 'c',
      choices: [{ index: 0, delta: { content: 'a' } }],
      usage: { prompt_tokens: 3, completion_tokens: 1 },
    });
    assert.equal(folded(early, groq).reply.usage?.output, 2);
  });

  test('says whether its chunk held nothing else', () => {
    const alone = JSON.stringify({ id: 'c', choices: [], usage: { prompt_tokens: 3, completion_tokens: 1 } });
    const along = JSON.stringify({
      id: 'c',
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 1 },
    });
    const flags = eventsOf(chunk({ content: 'a' }), along, alone).flatMap(event => (event.kind === 'usage' ? [event.alone] : []));
    assert.deepEqual(flags, [false, true]);
  });

  test('never counts more parts than there are tokens', () => {
    const count = fc.oneof(fc.nat(1000), fc.constantFrom(-1, 1.5, null, 'x', undefined));
    const counts = fc.record({
      prompt_tokens: count,
      completion_tokens: count,
      total_tokens: count,
      cached_tokens: count,
      prompt_tokens_details: fc.record({ cached_tokens: count, cache_write_tokens: count, audio_tokens: count }),
      completion_tokens_details: fc.record({ reasoning_tokens: count, audio_tokens: count }),
    });
    fc.assert(
      fc.property(counts, raw => {
        const usage = usageOf(raw);
        if (!usage) return;
        assert.ok(usageClasses.every(name => Number.isSafeInteger(usage[name]) && usage[name] >= 0));
        assert.equal(
          promptTokens(usage),
          Number.isSafeInteger(raw.prompt_tokens) && (raw.prompt_tokens as number) > 0 ? raw.prompt_tokens : 0,
        );
        assert.ok(usage.reasoning <= usage.output && usage.audioInput <= usage.inputUncached);
      }),
    );
  });
});

describe('the notable pattern', () => {
  const notables = [
    finish('stop'),
    '{"choices":[{"finish_reason": "stop"}]}',
    '{"usage": {"prompt_tokens":1}}',
    '{"error":{}}',
    '{"object": "error"}',
    '{"x_groq":{}}',
    DONE,
    ' [DONE]',
  ];
  for (const data of notables) test(`matches ${data}`, () => assert.match(data, notable));
  const plain = [
    chunk({ content: 'a' }),
    '{"choices":[{"finish_reason": null}],"usage":null}',
    chunk({ content: 'the "finish_reason": "stop" and "usage": {}' }),
  ];
  for (const data of plain) test(`does not match ${data}`, () => assert.doesNotMatch(data, notable));
});

describe('a whole reply', () => {
  const reply = (message: unknown, rest: Record<string, unknown> = {}) => ({
    id: 'r1',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, message, finish_reason: 'stop', ...rest }],
    usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
  });

  test('has thinking, text, refusal and calls in this order', () => {
    const decoded = decodeReply(
      reply({ role: 'assistant', tool_calls: [begin(0, 'a', 'f', '{}')], refusal: 'r', content: 'c', reasoning: 't' }),
    );
    assert.deepEqual(decoded.ok && decoded.value.parts, [
      { kind: 'thinking', text: 't' },
      { kind: 'text', text: 'c' },
      { kind: 'refusal', text: 'r' },
      { kind: 'tool-call', id: 'a', name: 'f', arguments: '{}' },
    ]);
  });

  const facts = (body: unknown) => {
    const read = inspectReply(body);
    return read.ok ? [read.value.empty, read.value.filtered] : read.failure.class;
  };
  const rows: readonly (readonly [what: string, body: unknown, expected: unknown])[] = [
    ['text', reply({ content: 'a' }), [false, false]],
    ['only a call', reply({ content: null, tool_calls: [begin(0, 'a', 'f')] }), [false, false]],
    ['only a refusal', reply({ content: null, refusal: 'no' }), [false, false]],
    ['nothing, but tokens that explain it', reply({ content: '' }), [false, false]],
    ['nothing and no tokens', { ...reply({ content: '' }), usage: null }, [true, false]],
    ['no choice', { id: 'x', choices: [] }, [true, false]],
    ['a filter', reply({ content: 'a' }, { finish_reason: 'content_filter' }), [false, true]],
    ['an error in a 200', { error: { message: 'x', code: 429 } }, 'upstream_rate_limited'],
    ['an end by an error', reply({ content: 'a' }, { finish_reason: 'error' }), 'upstream_error'],
    ['a list', [], 'upstream_bad_response'],
    ['something else', { hello: 1 }, 'upstream_bad_response'],
  ];
  for (const [what, body, expected] of rows)
    test(`of ${what}: ${JSON.stringify(expected)}`, () => assert.deepEqual(facts(body), expected));
});

describe('whatever comes', () => {
  test('the decoder does not throw, and what it yields is strictly sequential', () => {
    const delta = fc.record(
      {
        content: fc.oneof(fc.string(), fc.constant(null), fc.array(fc.jsonValue())),
        reasoning: fc.oneof(fc.string(), fc.jsonValue()),
        refusal: fc.oneof(fc.string(), fc.constant(null)),
        tool_calls: fc.oneof(
          fc.array(
            fc.record(
              {
                index: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.jsonValue()),
                id: fc.oneof(fc.constantFrom('a', 'b'), fc.jsonValue()),
                function: fc.oneof(fc.record({ name: fc.string(), arguments: fc.string() }), fc.jsonValue()),
              },
              { requiredKeys: [] },
            ),
          ),
          fc.jsonValue(),
        ),
      },
      { requiredKeys: [] },
    );
    const frame = fc.oneof(
      delta.map(value => chunk(value)),
      fc.constantFrom('stop', 'tool_calls', 'error', '').map(reason => finish(reason)),
      fc.json(),
      fc.string(),
      fc.constant(DONE),
    );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 30 }), frames => assertSequential(eventsOf(...frames))),
      { numRuns: 500 },
    );
  });

  test('the readers of whole replies do not throw, and agree whether it is one', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.jsonValue().map(value => ({ choices: [{ message: value }] })),
        ),
        body => {
          assert.equal(decodeReply(body).ok, inspectReply(body).ok);
        },
      ),
    );
  });

  /** The same message as a whole and in pieces, cut anywhere, calls in any interleaving. */
  test('a stream folds to the same message as the whole reply', () => {
    const message = fc.record({
      reasoning: fc.string(),
      content: fc.string(),
      calls: fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(message, fc.infiniteStream(fc.nat(6)), (said, choices) => {
        const next = (): number => choices.next().value;
        const json = said.calls.map(args => JSON.stringify(args));
        const calls = json.map((text, i) => ({ id: `id${i}`, type: 'function', function: { name: `f${i}`, arguments: text } }));
        const whole = decodeReply({
          id: 'c1',
          model: 'm',
          choices: [
            { index: 0, message: { reasoning: said.reasoning, content: said.content, tool_calls: calls }, finish_reason: 'stop' },
          ],
        });
        const frames = [
          ...pieces(said.reasoning, next).map(reasoning => chunk({ reasoning })),
          ...pieces(said.content, next).map(content => chunk({ content })),
          ...interleaved(
            json.map((text, i) => [call(begin(i, `id${i}`, `f${i}`)), ...pieces(text, next).map(piece => call(more(i, piece)))]),
            next,
          ),
        ];
        const answer = folded(...frames, finish('stop'), DONE);
        assert.ok(whole.ok && answer.complete);
        assert.deepEqual(new Set(answer.reply.parts), new Set(whole.value.parts));
        assert.deepEqual({ ...answer.reply, parts: [] }, { ...whole.value, parts: [] });
      }),
    );
  });
});

function pieces(text: string, next: () => number): string[] {
  const cut: string[] = [];
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + next();
    cut.push(text.slice(at, end));
    at = end;
  }
  return cut;
}

function interleaved(lanes: string[][], next: () => number): string[] {
  const order: string[] = [];
  let open = lanes.filter(lane => lane.length > 0);
  while (open.length > 0) {
    order.push(open[next() % open.length]!.shift()!);
    open = open.filter(lane => lane.length > 0);
  }
  return order;
}

function assertSequential(events: readonly ChatEvent[]): void {
  let open: string | undefined;
  for (const { kind } of events) {
    if (kind === 'part-end') {
      assert.ok(open, 'a part-end closes a part');
      open = undefined;
    } else if (kind.endsWith('-start')) {
      assert.equal(open, undefined, `${kind} while ${open} is open`);
      open = kind.slice(0, -'-start'.length);
    } else if (kind.endsWith('-delta')) assert.equal(`${open}-delta`, kind);
    else if (kind === 'finish') assert.equal(open, undefined);
  }
  assert.ok(['end', 'error'].includes(events.at(-1)?.kind ?? ''));
  assert.equal(events.filter(({ kind }) => kind === 'end' || kind === 'error').length, 1);
}
