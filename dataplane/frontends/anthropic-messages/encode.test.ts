import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fold } from '#core/chat/fold.ts';
import { UNSIGNED } from '#core/chat/foreign.ts';
import type { ChatEvent, ChatReply, FinishReason } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { failure } from '#core/failure.ts';
import { tokens } from '#core/units.ts';
import { messagesOf } from '../../http/sse.ts';
import { anthropic } from '../../providers/anthropic/index.ts';
import { anthropicMessages } from './index.ts';

const context = { requestId: '0190b5a8-0000-7000-8000-00000000000a', createdSeconds: 0, includeUsage: true };
const usage: Usage = {
  ...noUsage,
  inputUncached: tokens(10),
  cacheRead: tokens(3),
  cacheWrite1h: tokens(2),
  output: tokens(5),
  reasoning: tokens(1),
};
const wireUsage = {
  input_tokens: 10,
  cache_creation_input_tokens: 2,
  cache_read_input_tokens: 3,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 2 },
  output_tokens: 5,
  output_tokens_details: { thinking_tokens: 1 },
};

type Wire = { readonly type: string; readonly [field: string]: unknown };

function streamed(events: readonly ChatEvent[]): Wire[] {
  const encoder = anthropicMessages.streamEncoder(context);
  const messages = messagesOf(Buffer.from(events.map(event => encoder.push(event)).join('')));
  return messages.map(({ event, data }) => {
    const wire = JSON.parse(data) as Wire;
    assert.equal(event, wire.type, 'the SDKs dispatch on the name of the event');
    return wire;
  });
}
const start: ChatEvent = { kind: 'start', id: 'chatcmpl-1', model: 'gpt-5' };
const used: ChatEvent = { kind: 'usage', usage, alone: true };
const finish = (reason: FinishReason): ChatEvent => ({ kind: 'finish', finish: { reason } });
const end: ChatEvent = { kind: 'end' };
const text = (said: string): ChatEvent[] => [{ kind: 'text-start' }, { kind: 'text-delta', text: said }, { kind: 'part-end' }];
const typesOf = (events: readonly ChatEvent[]) => streamed(events).map(({ type }) => type);

const reply = (parts: readonly AssistantPart[], reason: FinishReason = 'stop'): ChatReply => ({
  id: 'chatcmpl-1',
  model: 'gpt-5',
  parts,
  finish: { reason },
  usage,
});
const bodyOf = (r: ChatReply) => JSON.parse(anthropicMessages.encodeReply(r, context).body);

describe('a reply', () => {
  test('is a message as the SDK types it', () => {
    assert.deepEqual(bodyOf(reply([{ kind: 'text', text: 'Hello' }])), {
      id: 'msg_chatcmpl1',
      type: 'message',
      role: 'assistant',
      model: 'gpt-5',
      content: [{ type: 'text', text: 'Hello', citations: null }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      stop_details: null,
      container: null,
      usage: wireUsage,
    });
  });

  test('keeps an id of Anthropic’s, and has ours where there is none', () => {
    assert.equal(bodyOf({ ...reply([]), id: 'msg_01' }).id, 'msg_01');
    assert.equal(bodyOf({ ...reply([]), id: '' }).id, 'msg_0190b5a800007000800000000000000a');
  });

  test('has blocks for calls, thinking, redacted thinking and refusals, and none that is empty', () => {
    const parts: AssistantPart[] = [
      { kind: 'thinking', text: 'a', signature: 'sig' },
      { kind: 'thinking', text: 'b' },
      { kind: 'thinking', text: '' },
      { kind: 'redacted-thinking', data: 'x' },
      { kind: 'text', text: '' },
      { kind: 'refusal', text: 'No.' },
      { kind: 'tool-call', id: 'call 1', name: 'f', arguments: '' },
      { kind: 'tool-call', id: 'call_2', name: 'g', arguments: '{"a":1}' },
      { kind: 'tool-call', id: 'call_3', name: 'h', arguments: '{"a":' },
    ];
    const { content } = bodyOf(reply(parts));
    assert.match(content[4].id, /^call_1_[0-9a-f]{8}$/);
    assert.deepEqual(content.with(4, { ...content[4], id: '' }), [
      { type: 'thinking', thinking: 'a', signature: 'sig' },
      { type: 'thinking', thinking: 'b', signature: UNSIGNED },
      { type: 'redacted_thinking', data: 'x' },
      { type: 'text', text: 'No.', citations: null },
      { type: 'tool_use', id: '', name: 'f', input: {} },
      { type: 'tool_use', id: 'call_2', name: 'g', input: { a: 1 } },
      { type: 'tool_use', id: 'call_3', name: 'h', input: { INVALID_JSON: '{"a":' } },
    ]);
  });

  const reasons: Record<FinishReason, string> = {
    stop: 'end_turn',
    'stop-sequence': 'stop_sequence',
    length: 'max_tokens',
    'context-length': 'model_context_window_exceeded',
    'tool-calls': 'tool_use',
    'content-filter': 'refusal',
    refusal: 'refusal',
    pause: 'pause_turn',
  };
  for (const [reason, wire] of Object.entries(reasons)) {
    test(`that ends with ${reason} has the stop reason ${wire}, streamed and whole`, () => {
      assert.equal(bodyOf(reply([], reason as FinishReason)).stop_reason, wire);
      const delta = streamed([start, finish(reason as FinishReason), end]).find(({ type }) => type === 'message_delta');
      assert.equal((delta!.delta as { stop_reason: string }).stop_reason, wire);
    });
  }

  test('that refuses or calls tools says so, where its provider ended with a plain stop', () => {
    assert.equal(bodyOf(reply([{ kind: 'tool-call', id: 'c', name: 'f', arguments: '' }])).stop_reason, 'tool_use');
    const refused = bodyOf(reply([{ kind: 'refusal', text: 'No.' }]));
    assert.deepEqual(
      [refused.stop_reason, refused.stop_details],
      ['refusal', { type: 'refusal', category: null, explanation: null }],
    );
  });
});

describe('a stream', () => {
  test('has the events of Anthropic’s in order', () => {
    const events: ChatEvent[] = [
      start,
      { kind: 'thinking-start' },
      { kind: 'thinking-delta', text: 'Hm' },
      { kind: 'part-end' },
      ...text('Hello'),
      { kind: 'redacted-thinking', data: 'x' },
      { kind: 'tool-call-start', id: 'call_1', name: 'f' },
      { kind: 'tool-call-delta', json: '{}' },
      { kind: 'part-end' },
      finish('tool-calls'),
      used,
      end,
    ];
    const delta = (index: number, content: object) => ({ type: 'content_block_delta', index, delta: content });
    const block = (index: number, content_block: object) => ({ type: 'content_block_start', index, content_block });
    const stop = (index: number) => ({ type: 'content_block_stop', index });
    const [first, ...rest] = streamed(events);
    const message = first?.message as Record<string, unknown>;
    assert.deepEqual([message.id, message.model, message.content, message.stop_reason], ['msg_chatcmpl1', 'gpt-5', [], null]);
    assert.deepEqual(rest, [
      block(0, { type: 'thinking', thinking: '', signature: '' }),
      delta(0, { type: 'thinking_delta', thinking: 'Hm' }),
      delta(0, { type: 'signature_delta', signature: UNSIGNED }),
      stop(0),
      block(1, { type: 'text', text: '', citations: null }),
      delta(1, { type: 'text_delta', text: 'Hello' }),
      stop(1),
      block(2, { type: 'redacted_thinking', data: 'x' }),
      stop(2),
      block(3, { type: 'tool_use', id: 'call_1', name: 'f', input: {} }),
      delta(3, { type: 'input_json_delta', partial_json: '{}' }),
      stop(3),
      {
        type: 'message_delta',
        delta: { stop_reason: 'tool_use', stop_sequence: null, stop_details: null },
        usage: wireUsage,
      },
      { type: 'message_stop' },
    ]);
  });

  test('tells the input tokens at the start where they are known, else at the end', () => {
    const early = streamed([start, used, ...text('a'), finish('stop'), end]);
    const late = streamed([start, ...text('a'), finish('stop'), used, end]);
    const startUsage = (wire: Wire[]) => (wire[0]!.message as { usage: { input_tokens: number } }).usage.input_tokens;
    assert.deepEqual([startUsage(early), startUsage(late)], [10, 0]);
    // The end has no field for the split of what was written to a cache, so the start does not say that nothing was.
    assert.equal((late[0]!.message as { usage: { cache_creation: unknown } }).usage.cache_creation, null);
    for (const wire of [early, late]) assert.deepEqual(wire.at(-2)?.usage, wireUsage);
  });

  test('has one message_delta, whatever order finish, usage and end come in', () => {
    const rests: ChatEvent[][] = [[finish('stop'), used, used, end], [used, finish('stop'), end], [finish('stop'), end], [end]];
    for (const rest of rests) {
      assert.deepEqual(typesOf([start, ...text('a'), ...rest]).slice(-2), ['message_delta', 'message_stop']);
      assert.equal(typesOf([start, ...text('a'), ...rest]).filter(type => type === 'message_delta').length, 1);
    }
  });

  test('has no block for a part without content', () => {
    const silent: ChatEvent[] = [start, ...text(''), { kind: 'thinking-start' }, { kind: 'part-end' }, finish('stop'), end];
    assert.deepEqual(typesOf(silent), ['message_start', 'message_delta', 'message_stop']);
  });

  test('sends nothing before the model has said something', () => {
    const encoder = anthropicMessages.streamEncoder(context);
    assert.equal([start, used, { kind: 'text-start' } as const].map(event => encoder.push(event)).join(''), '');
  });

  test('that fails ends with a typed error and nothing after', () => {
    const broken: ChatEvent = { kind: 'error', failure: failure('upstream_overloaded') };
    const wire = streamed([start, ...text('a'), broken, finish('stop'), end]);
    assert.deepEqual(wire.at(-1), {
      type: 'error',
      error: {
        type: 'overloaded_error',
        message: 'The provider is overloaded.',
        code: 'upstream_overloaded',
        details: { error_code: 'upstream_overloaded' },
      },
      request_id: context.requestId,
    });
  });
});

test('an error has the envelope of Anthropic and names the parameter', () => {
  const { error } = JSON.parse(
    anthropicMessages.encodeError(failure('invalid_request', { param: 'max_tokens', message: 'No.' }), 'r-1'),
  );
  assert.deepEqual(error, {
    type: 'invalid_request_error',
    message: 'No.',
    code: 'invalid_request',
    param: 'max_tokens',
    details: { error_code: 'invalid_request' },
  });
});

describe('any answer', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 8 });
  const pieces = fc.array(word, { maxLength: 4 });
  const part = fc.oneof(
    pieces.map(list => ({ kind: 'text', list }) as const),
    pieces.map(list => ({ kind: 'refusal', list }) as const),
    fc.record({
      kind: fc.constant('thinking' as const),
      list: pieces,
      signature: fc.option(fc.constant('sig'), { nil: undefined }),
    }),
    word.map(data => ({ kind: 'redacted-thinking', data }) as const),
    fc.record({ kind: fc.constant('tool-call' as const), id: word, input: fc.dictionary(word, fc.jsonValue()), cut: fc.nat(20) }),
  );
  type Part = typeof part extends fc.Arbitrary<infer P> ? P : never;

  const deltas = (kind: 'text' | 'refusal' | 'thinking', list: readonly string[]): ChatEvent[] => [
    { kind: `${kind}-start` },
    ...list.map((said): ChatEvent => ({ kind: `${kind}-delta`, text: said })),
  ];

  function eventsOf(made: Part): ChatEvent[] {
    switch (made.kind) {
      case 'text':
      case 'refusal':
        return [...deltas(made.kind, made.list), { kind: 'part-end' }];
      case 'thinking': {
        const signed: ChatEvent[] = made.signature ? [{ kind: 'thinking-signature', signature: made.signature }] : [];
        return [...deltas('thinking', made.list), ...signed, { kind: 'part-end' }];
      }
      case 'redacted-thinking':
        return [{ kind: 'redacted-thinking', data: made.data }];
      case 'tool-call': {
        const json = JSON.stringify(made.input);
        return [
          { kind: 'tool-call-start', id: made.id, name: 'f' },
          { kind: 'tool-call-delta', json: json.slice(0, made.cut) },
          { kind: 'tool-call-delta', json: json.slice(made.cut) },
          { kind: 'part-end' },
        ];
      }
    }
  }

  const answers = fc.record({
    parts: fc.array(part, { maxLength: 6 }),
    closing: fc.constantFrom<ChatEvent[]>([finish('stop'), used, end], [used, finish('length'), end], [finish('pause'), end]),
  });

  /** How a client writes down what it got: JSON is the same however it is spaced. */
  const meaningOf = (parts: readonly AssistantPart[]) =>
    parts.map(p => (p.kind === 'tool-call' ? { ...p, arguments: JSON.parse(p.arguments || '{}') } : p));

  test('streamed or whole is the same message to the client', () => {
    fc.assert(
      fc.property(answers, ({ parts, closing }) => {
        const events = [start, ...parts.flatMap(eventsOf), ...closing];
        const whole = anthropic.decodeReply(bodyOf(fold(events).reply));
        assert.ok(whole.ok);
        const decoder = anthropic.streamDecoder();
        const again = fold(streamed(events).flatMap(wire => decoder.push({ event: wire.type, data: JSON.stringify(wire) })));
        assert.deepEqual(meaningOf(again.reply.parts), meaningOf(whole.value.parts));
        assert.deepEqual({ ...again.reply, parts: [] }, { ...whole.value, parts: [] });
        assert.ok(again.complete);
      }),
    );
  });

  test('streams blocks with dense indices, one stop for each start and no delta outside', () => {
    fc.assert(
      fc.property(answers, ({ parts, closing }) => {
        let next = 0;
        let isOpen = false;
        for (const wire of streamed([start, ...parts.flatMap(eventsOf), ...closing])) {
          if (!wire.type.startsWith('content_block_')) continue;
          assert.equal(wire.index, next);
          assert.equal(isOpen, wire.type !== 'content_block_start');
          isOpen = wire.type !== 'content_block_stop';
          if (!isOpen) next++;
        }
        assert.equal(isOpen, false);
      }),
    );
  });

  test('gives tool ids that Anthropic takes back', () => {
    fc.assert(
      fc.property(fc.string(), id => {
        const { content } = bodyOf(reply([{ kind: 'tool-call', id, name: 'f', arguments: '' }]));
        assert.match(content[0].id, /^[a-zA-Z0-9_-]{1,64}$/);
      }),
    );
  });
});
