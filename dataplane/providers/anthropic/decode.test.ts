import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fold } from '#core/chat/fold.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { anthropic } from './index.ts';

type Wire = { readonly type: string; readonly [field: string]: unknown };

function eventsOf(wire: readonly Wire[], close = true): ChatEvent[] {
  const decoder = anthropic.streamDecoder();
  const events = wire.flatMap(event => decoder.push({ event: event.type, data: JSON.stringify(event) }));
  return close ? [...events, ...decoder.close()] : events;
}
const folded = (...wire: Wire[]) => fold(eventsOf(wire));

const start = (usage: object = { input_tokens: 10, output_tokens: 1 }, id = 'msg_1'): Wire => ({
  type: 'message_start',
  message: { id, model: 'claude-opus-5', content: [], usage },
});
const block = (index: number, content_block: object): Wire => ({ type: 'content_block_start', index, content_block });
const delta = (index: number, content: object): Wire => ({ type: 'content_block_delta', index, delta: content });
const stop = (index: number): Wire => ({ type: 'content_block_stop', index });
const finish = (stop_reason: string | null, usage: object = { output_tokens: 5 }, rest: object = {}): Wire => ({
  type: 'message_delta',
  delta: { stop_reason, ...rest },
  usage,
});
const end: Wire = { type: 'message_stop' };

const text = (index: number, said: string): Wire[] => [
  block(index, { type: 'text', text: '' }),
  delta(index, { type: 'text_delta', text: said }),
  stop(index),
];

describe('a stream', () => {
  test('yields text, thinking with its signature, redacted thinking and tool calls in order', () => {
    const { reply, complete } = folded(
      start(),
      block(0, { type: 'thinking', thinking: '', signature: '' }),
      { type: 'ping' },
      delta(0, { type: 'thinking_delta', thinking: 'Hm' }),
      delta(0, { type: 'signature_delta', signature: 'sig' }),
      stop(0),
      block(1, { type: 'redacted_thinking', data: 'secret' }),
      stop(1),
      ...text(2, 'Hello'),
      block(3, { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} }),
      delta(3, { type: 'input_json_delta', partial_json: '' }),
      delta(3, { type: 'input_json_delta', partial_json: '{"a"' }),
      delta(3, { type: 'input_json_delta', partial_json: ':1}' }),
      stop(3),
      finish('tool_use'),
      end,
    );
    assert.ok(complete);
    assert.deepEqual(reply.parts, [
      { kind: 'thinking', text: 'Hm', signature: 'sig' },
      { kind: 'redacted-thinking', data: 'secret' },
      { kind: 'text', text: 'Hello' },
      { kind: 'tool-call', id: 'toolu_1', name: 'f', arguments: '{"a":1}' },
    ]);
    assert.deepEqual(reply.finish, { reason: 'tool-calls' });
  });

  test('yields the input of a tool that came whole in the first event', () => {
    const { reply } = folded(
      start(),
      block(0, { type: 'tool_use', id: 't', name: 'f', input: { player: 1 } }),
      stop(0),
      finish('tool_use'),
      end,
    );
    assert.deepEqual(reply.parts, [{ kind: 'tool-call', id: 't', name: 'f', arguments: '{"player":1}' }]);
  });

  test('leaves blocks out that only Anthropic knows, and events and deltas that nobody knows', () => {
    const { reply, complete } = folded(
      start(),
      block(0, { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }),
      delta(0, { type: 'input_json_delta', partial_json: '{"q":1}' }),
      stop(0),
      block(1, { type: 'web_search_tool_result', content: [{ text: 'x' }] }),
      stop(1),
      { type: 'constructor' },
      { type: 'something_new', error: null },
      block(2, { type: 'text', text: 'a' }),
      delta(2, { type: 'citations_delta', citation: {} }),
      delta(2, { type: '__proto__', text: 'b' }),
      stop(2),
      finish('end_turn'),
      end,
    );
    assert.ok(complete);
    assert.deepEqual(reply.parts, [{ kind: 'text', text: 'a' }]);
  });

  test('tells that something was left out, as a whole reply does', () => {
    const cases: [block: object, leftOut: boolean][] = [
      [{ type: 'text', text: 'a', citations: null }, false],
      [{ type: 'tool_use', id: 't', name: 'f', input: {} }, false],
      [{ type: 'server_tool_use', id: 's', name: 'web_search', input: {} }, true],
    ];
    for (const [content, leftOut] of cases) {
      const decoder = anthropic.streamDecoder();
      for (const event of [start(), block(0, content)]) decoder.push({ event: event.type, data: JSON.stringify(event) });
      assert.deepEqual([decoder.leftOut?.(), anthropic.leavesOut({ content: [content] })], [leftOut, leftOut]);
    }
    const cited = anthropic.streamDecoder();
    for (const event of [start(), block(0, { type: 'text', text: '' }), delta(0, { type: 'citations_delta', citation: {} })])
      cited.push({ event: event.type, data: JSON.stringify(event) });
    assert.ok(cited.leftOut?.());
    assert.ok(anthropic.leavesOut({ content: [{ type: 'text', text: 'a', citations: [{}] }] }));
  });

  test('is complete once the stop reason is known, with or without message_stop', () => {
    assert.ok(folded(start(), ...text(0, 'a'), finish('end_turn')).complete);
    assert.equal(eventsOf([start(), finish('end_turn')]).at(-1)?.kind, 'end');
  });

  test('is complete at message_stop, even without a stop reason', () => {
    assert.deepEqual(folded(start(), ...text(0, 'a'), end).reply.finish, { reason: 'stop', isAssumed: true });
  });

  test('is truncated when it ends before', () => {
    for (const wire of [[], [start()], [start(), ...text(0, 'a')], [start(), finish(null)]]) {
      assert.equal(fold(eventsOf(wire)).failure?.class, 'upstream_stream_truncated');
    }
  });

  test('ignores a repeated message_start, and refuses that of another message', () => {
    assert.ok(folded(start(), start(), ...text(0, 'a'), finish('end_turn'), end).complete);
    const spliced = folded(start(), ...text(0, 'a'), start({}, 'msg_2'), ...text(0, 'b'), finish('end_turn'), end);
    assert.equal(spliced.failure?.class, 'upstream_bad_response');
    assert.deepEqual(spliced.reply.parts, [{ kind: 'text', text: 'a' }]);
  });

  test('is a bad response where a delta belongs to no block, or the data is no JSON', () => {
    assert.equal(folded(start(), delta(0, { type: 'text_delta', text: 'a' })).failure?.class, 'upstream_bad_response');
    const decoder = anthropic.streamDecoder();
    assert.equal(decoder.push({ event: 'content_block_delta', data: '{"type":' })[0]?.kind, 'error');
    assert.deepEqual(decoder.push({ event: 'message_stop', data: '{"type":"message_stop"}' }), [], 'nothing follows an error');
    assert.deepEqual(decoder.close(), []);
  });

  test('takes the name of the event where the data has no type', () => {
    const decoder = anthropic.streamDecoder();
    const [event] = decoder.push({ event: 'message_start', data: JSON.stringify({ message: { id: 'm', model: 'x' } }) });
    assert.deepEqual(event, { kind: 'start', id: 'm', model: 'x' });
  });
});

describe('stop reasons', () => {
  const reasons = {
    end_turn: 'stop',
    max_tokens: 'length',
    stop_sequence: 'stop-sequence',
    tool_use: 'tool-calls',
    pause_turn: 'pause',
    refusal: 'refusal',
    model_context_window_exceeded: 'context-length',
    of_tomorrow: 'stop',
    constructor: 'stop',
  };
  for (const [wire, reason] of Object.entries(reasons)) {
    test(`${wire} is ${reason}, streamed and whole`, () => {
      assert.equal(folded(start(), finish(wire), end).reply.finish.reason, reason);
      const whole = anthropic.decodeReply({ id: 'm', model: 'c', content: [], stop_reason: wire });
      assert.equal(whole.ok && whole.value.finish.reason, reason);
    });
  }

  test('the stop sequence is told', () => {
    const { reply } = folded(start(), finish('stop_sequence', {}, { stop_sequence: 'END' }), end);
    assert.deepEqual(reply.finish, { reason: 'stop-sequence', stopSequence: 'END' });
  });
});

describe('usage', () => {
  const usageOf = (...wire: Wire[]) => folded(...wire).reply.usage;
  const none = {
    inputUncached: 0,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 0,
    reasoning: 0,
    audioInput: 0,
    audioOutput: 0,
  };

  test('of message_start and message_delta are cumulative totals, never added', () => {
    const first = {
      input_tokens: 10,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
      output_tokens: 1,
    };
    const last = {
      input_tokens: 12,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 35,
      output_tokens: 50,
      output_tokens_details: { thinking_tokens: 20 },
    };
    assert.deepEqual(usageOf(start(first), finish('end_turn', last), end), {
      ...none,
      inputUncached: 12,
      cacheRead: 100,
      cacheWrite5m: 15,
      cacheWrite1h: 20,
      output: 50,
      reasoning: 20,
    });
  });

  test('that message_delta does not repeat, or repeats as zero or null, stays', () => {
    const last = { output_tokens: 7, input_tokens: 0, cache_read_input_tokens: null };
    const usage = usageOf(start({ input_tokens: 10, cache_read_input_tokens: 3 }), finish('end_turn', last), end);
    assert.deepEqual(usage, { ...none, inputUncached: 10, cacheRead: 3, output: 7 });
  });

  test('counts compaction, which the totals leave out', () => {
    const usage = {
      input_tokens: 600,
      output_tokens: 100,
      iterations: [
        { type: 'compaction', input_tokens: 60_000, output_tokens: 500 },
        { type: 'message', input_tokens: 600, output_tokens: 100 },
      ],
    };
    const reply = anthropic.decodeReply({ id: 'm', model: 'c', content: [], stop_reason: 'end_turn', usage });
    assert.deepEqual(reply.ok && reply.value.usage, { ...none, inputUncached: 60_600, output: 600 });
  });

  test('that makes no sense is zero', () => {
    assert.deepEqual(
      usageOf(start({ input_tokens: -1, output_tokens: 'x', cache_creation: 3 }), finish('end_turn', {}), end),
      none,
    );
  });
});

describe('a whole reply', () => {
  test('without content is a bad response', () => {
    for (const body of [null, 'x', 3, [], {}, { content: 'x' }]) {
      const result = anthropic.decodeReply(body);
      assert.equal(result.ok ? '' : result.failure.class, 'upstream_bad_response');
    }
  });

  test('is empty when it says nothing and cost nothing, and filtered when the model refused', () => {
    const facts = (body: object) => {
      const result = anthropic.inspectReply({ content: [], ...body });
      assert.ok(result.ok);
      return [result.value.empty, result.value.filtered];
    };
    assert.deepEqual(facts({ content: [{ type: 'text', text: '' }], usage: { output_tokens: 0 } }), [true, false]);
    assert.deepEqual(facts({ usage: { output_tokens: 3 } }), [false, false]);
    assert.deepEqual(facts({ content: [{ type: 'tool_use' }] }), [false, false]);
    assert.deepEqual(facts({ stop_reason: 'refusal' }), [false, true]);
  });
});

describe('notable messages', () => {
  const isNotable = (event: object) => anthropic.notable.test(JSON.stringify(event));

  test('are all but deltas and pings', () => {
    for (const event of [start(), block(0, { type: 'text' }), stop(0), finish('end_turn'), end, { error: { message: 'x' } }]) {
      assert.ok(isNotable(event));
    }
    assert.ok(anthropic.notable.test('{ "type" : "error" }'));
    assert.equal(isNotable({ type: 'ping' }), false);
  });

  test('are never made by what the model says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.constant('{"type": "message_stop", "error": {}}')), said => {
        assert.equal(isNotable(delta(0, { type: 'text_delta', text: said })), false);
        assert.equal(isNotable(delta(0, { type: 'input_json_delta', partial_json: said })), false);
      }),
    );
  });
});

describe('any input', () => {
  const name = fc.constantFrom(
    'message_start',
    'content_block_start',
    'content_block_delta',
    'message_delta',
    'message_stop',
    'error',
    'x',
  );
  const data = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({ type: name, message: fc.jsonValue(), content_block: fc.jsonValue(), delta: fc.jsonValue() })
      .map(v => JSON.stringify(v)),
  );

  test('makes neither the stream decoder nor the reply decoder throw', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ event: fc.oneof(name, fc.string()), data }), { maxLength: 20 }), messages => {
        const decoder = anthropic.streamDecoder();
        const events = [...messages.flatMap(message => decoder.push(message)), ...decoder.close()];
        const last = events.at(-1)?.kind;
        assert.ok(last === 'end' || last === 'error', 'a stream ends, well or badly');
        assert.equal(events.filter(event => event.kind === 'end' || event.kind === 'error').length, 1);
      }),
    );
    fc.assert(fc.property(fc.jsonValue(), body => void [anthropic.decodeReply(body), anthropic.inspectReply(body)]));
    fc.assert(
      fc.property(fc.record({ content: fc.array(fc.jsonValue()), usage: fc.jsonValue() }), body => {
        assert.ok(anthropic.decodeReply(body).ok);
      }),
    );
  });
});
