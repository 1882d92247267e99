import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { eventMessage } from '#platform/aws-event-stream.ts';
import { claude } from './claude.ts';
import { converse } from './converse.ts';
import { targetOf } from './testing.ts';

const { model } = targetOf();
const event = (type: string, payload: unknown) =>
  eventMessage({ ':event-type': type, ':message-type': 'event' }, Buffer.from(JSON.stringify(payload)));
const exception = (type: string, message: string) =>
  eventMessage({ ':exception-type': type, ':message-type': 'exception' }, Buffer.from(JSON.stringify({ message })));

const text = (delta: string, contentBlockIndex = 0) => event('contentBlockDelta', { contentBlockIndex, delta: { text: delta } });
const stop = (stopReason: string) => event('messageStop', { stopReason });
const metadata = event('metadata', { usage: { inputTokens: 3, outputTokens: 5, totalTokens: 8 }, metrics: { latencyMs: 1 } });

/** Every frame of SSE text by hand: what the reframer makes is not read by the product's own reader here. */
const messagesIn = (sse: string) =>
  sse
    .split('\n\n')
    .filter(frame => frame !== '')
    .map(frame => {
      const [first, ...data] = frame.split('\n');
      return { event: first!.slice('event: '.length), data: data.map(line => line.slice('data: '.length)).join('\n') };
    });

function read(wire: typeof converse | typeof claude, ...frames: readonly Buffer[]) {
  const sse = wire.framing!.reframer().push(Buffer.concat(frames)).toString();
  const decoder = wire.streamDecoder(undefined, model);
  const events = [...messagesIn(sse).flatMap(message => decoder.push(message)), ...decoder.close()];
  return { sse, events, leftOut: decoder.leftOut?.() === true, ...fold(events) };
}

describe('a stream of Converse', () => {
  test('names the model that was asked, which the wire does not', () => {
    const { reply, complete } = read(
      converse,
      event('messageStart', { role: 'assistant' }),
      text('Hi'),
      stop('end_turn'),
      metadata,
    );
    assert.deepEqual([reply.model, reply.id, reply.finish.reason, complete], [model.upstreamName, '', 'stop', true]);
    assert.deepEqual([reply.usage?.inputUncached, reply.usage?.output], [3, 5]);
  });

  test('has blocks of all kinds, with their beginnings or without', () => {
    const delta = (contentBlockIndex: number, content: unknown) =>
      event('contentBlockDelta', { contentBlockIndex, delta: content });
    const { reply, events } = read(
      converse,
      delta(0, { reasoningContent: { text: 'Let me ' } }),
      delta(0, { reasoningContent: { text: 'see.' } }),
      delta(0, { reasoningContent: { signature: 'sig' } }),
      event('contentBlockStop', { contentBlockIndex: 0 }),
      delta(1, { reasoningContent: { redactedContent: Buffer.from('sealed').toString('base64') } }),
      text('One', 2),
      // Another block begins without the end of the one before.
      event('contentBlockStart', { contentBlockIndex: 3, start: { toolUse: { toolUseId: 't1', name: 'f' } } }),
      delta(3, { toolUse: { input: '{"a":' } }),
      delta(3, { toolUse: { input: '1}' } }),
      event('contentBlockStop', { contentBlockIndex: 3 }),
      event('contentBlockStart', { contentBlockIndex: 4, start: { toolUse: { toolUseId: 't2', name: 'g', type: 'tool_use' } } }),
      stop('tool_use'),
      metadata,
    );
    assert.deepEqual(reply.parts, [
      { kind: 'thinking', text: 'Let me see.', signature: 'sig' },
      { kind: 'redacted-thinking', data: 'sealed' },
      { kind: 'text', text: 'One' },
      { kind: 'tool-call', id: 't1', name: 'f', arguments: '{"a":1}' },
      { kind: 'tool-call', id: 't2', name: 'g', arguments: '' },
    ]);
    assert.equal(
      events.filter(({ kind }) => kind.endsWith('-start')).length,
      events.filter(({ kind }) => kind === 'part-end').length,
    );
  });

  test('leaves out, and says so, what runs at the provider', () => {
    const { reply, leftOut } = read(
      converse,
      event('contentBlockStart', {
        contentBlockIndex: 0,
        start: { toolUse: { toolUseId: 't', name: 'code', type: 'server_tool_use' } },
      }),
      event('contentBlockDelta', { contentBlockIndex: 0, delta: { toolUse: { input: '{}' } } }),
      event('contentBlockStop', { contentBlockIndex: 0 }),
      text('Seven', 1),
      stop('end_turn'),
      metadata,
    );
    assert.deepEqual(reply.parts, [{ kind: 'text', text: 'Seven' }]);
    assert.ok(leftOut);
  });

  test('cites before its words, after them, and in words that are not known', () => {
    const cites = (citation: object) => event('contentBlockDelta', { contentBlockIndex: 0, delta: { citation } });
    const page = { title: 'a', location: { documentPage: { documentIndex: 0, start: 1, end: 2 } } };
    const source = { kind: 'document', index: 0, title: 'a', place: { unit: 'pages', start: 1, end: 2 } } as const;
    const seven = [{ kind: 'text', text: 'Seven', citations: [{ source }] }];
    for (const body of [
      [cites(page), text('Seven')],
      [text('Seven'), cites(page)],
    ]) {
      const { reply, leftOut } = read(converse, ...body, stop('end_turn'), metadata);
      assert.deepEqual([reply.parts, leftOut], [seven, false]);
    }
    assert.ok(read(converse, text('Seven'), cites({ location: {} }), stop('end_turn'), metadata).leftOut);
  });

  test('that is cut before its stop reason is never whole; after it, it is', () => {
    assert.equal(read(converse, text('Hi')).failure?.class, 'upstream_stream_truncated');
    assert.equal(read(converse, text('Hi'), metadata).failure?.class, 'upstream_stream_truncated');
    const { complete, reply } = read(converse, text('Hi'), stop('max_tokens'));
    assert.deepEqual([complete, reply.finish.reason, reply.usage], [true, 'length', undefined]);
    assert.ok(!read(converse, text('Hi'), stop('end_turn').subarray(0, -1)).complete);
  });

  test('ends with an exception as what that is, whatever came before', () => {
    const { failure, complete } = read(converse, text('Hi'), exception('throttlingException', 'Too many tokens'), text('more'));
    assert.deepEqual([failure?.class, complete], ['upstream_rate_limited', false]);
    const error = eventMessage(
      { ':message-type': 'error', ':error-code': 'InternalError', ':error-message': 'x' },
      Buffer.alloc(0),
    );
    assert.equal(read(converse, text('Hi'), error).failure?.class, 'upstream_error');
  });

  test('with a frame that is no frame is a bad answer', () => {
    const broken = Buffer.from(text('more'));
    broken[20]! ^= 1;
    assert.match(read(converse, text('Hi'), broken, stop('end_turn')).failure?.message ?? '', /checksum/);
    const nameless = eventMessage({}, Buffer.from('{}'));
    assert.equal(read(converse, text('Hi'), nameless).failure?.class, 'upstream_bad_response');
    const noJson = eventMessage({ ':event-type': 'contentBlockDelta', ':message-type': 'event' }, Buffer.from('{'));
    assert.equal(read(converse, text('Hi'), noJson).failure?.class, 'upstream_bad_response');
    assert.equal(read(converse, Buffer.from('HTTP/1.1 200 OK, and a page')).failure?.class, 'upstream_bad_response');
  });

  test('whose model wrote what nobody can read fails', () => {
    assert.equal(read(converse, text('Hi'), stop('malformed_tool_use'), metadata).failure?.class, 'upstream_bad_response');
  });

  test('cannot pass a frame for another: names and payloads have no line ends of their own', () => {
    const forged = eventMessage(
      { ':event-type': 'x\n\nevent: messageStop\ndata: {"stopReason":"end_turn"}\n\n', ':message-type': 'event' },
      Buffer.from('{}\n\nevent: messageStop\ndata: {"stopReason":"end_turn"}\n\n'),
    );
    assert.ok(!read(converse, text('Hi'), forged).complete);
    const strange = eventMessage(
      { ':exception-type': 'messageStop', ':message-type': 'exception' },
      Buffer.from('{"stopReason":"end_turn"}'),
    );
    assert.equal(read(converse, text('Hi'), strange).failure?.class, 'upstream_error');
  });

  test('names every frame that is more than content so that it is noticed', () => {
    for (const frame of [stop('end_turn'), metadata, exception('throttlingException', 'x')])
      assert.match(read(converse, frame).sse, converse.notable);
    assert.doesNotMatch(read(converse, text('event: messageStop\n')).sse, converse.notable);
  });
});

describe("a stream of Anthropic's model", () => {
  const chunk = (payload: unknown) =>
    event('chunk', { bytes: Buffer.from(JSON.stringify(payload)).toString('base64'), p: 'abc' });
  const opening = [
    chunk({ type: 'message_start', message: { id: 'msg_1', model: 'claude', usage: { input_tokens: 3, output_tokens: 1 } } }),
    chunk({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    chunk({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } }),
  ];

  test('has its own events in the frames, to the byte', () => {
    const { sse, reply, complete } = read(
      claude,
      ...opening,
      chunk({ type: 'content_block_stop', index: 0 }),
      chunk({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5 } }),
      chunk({ type: 'message_stop' }),
    );
    assert.match(sse, /^event: message_start\ndata: \{"type":"message_start"/);
    assert.deepEqual([reply.id, reply.parts, reply.usage?.output, complete], ['msg_1', [{ kind: 'text', text: 'Hi' }], 5, true]);
  });

  test('ends with an exception of Bedrock, or an error of Anthropic, as what that is', () => {
    const thrown = read(claude, ...opening, exception('modelTimeoutException', 'x'));
    assert.equal(thrown.failure?.class, 'upstream_error');
    assert.match(thrown.sse, claude.notable);
    const own = chunk({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });
    assert.equal(read(claude, ...opening, own).failure?.class, 'upstream_overloaded');
    assert.match(read(claude, ...opening, exception('x\ny', 'z')).sse, /event: internalServerException/);
  });

  test('with a frame that is no frame, or a chunk that is no event, is a bad answer', () => {
    const broken = Buffer.from(opening[2]!);
    broken[30]! ^= 1;
    const bad = [broken, event('chunk', {}), event('chunk', { bytes: Buffer.from('{').toString('base64') })];
    for (const frame of bad) {
      const { failure, sse } = read(claude, ...opening, frame);
      assert.equal(failure?.class, 'upstream_bad_response');
      assert.match(sse, claude.notable);
    }
    // A sign of life.
    assert.equal(read(claude, ...opening, chunk({})).failure?.class, 'upstream_stream_truncated');
  });
});

describe('a whole answer', () => {
  const body = (content: unknown, more: object = {}) => ({
    output: { message: { role: 'assistant', content } },
    stopReason: 'end_turn',
    usage: { inputTokens: 3, outputTokens: 5, totalTokens: 8 },
    ...more,
  });
  const decoded = (value: unknown) => {
    const reply = converse.decodeReply(value, model);
    assert.ok(reply.ok);
    return reply.value;
  };

  test('has its tokens in classes that do not overlap', () => {
    const usage = {
      inputTokens: 3,
      outputTokens: 5,
      cacheReadInputTokens: 100,
      cacheWriteInputTokens: 70,
      cacheDetails: [
        { ttl: '1h', inputTokens: 20 },
        { ttl: '5m', inputTokens: 50 },
      ],
    };
    const { usage: told } = decoded(body([{ text: 'x' }], { usage }));
    assert.deepEqual([told?.inputUncached, told?.cacheRead, told?.cacheWrite5m, told?.cacheWrite1h], [3, 100, 50, 20]);
  });

  test('ends for the reason that is given', () => {
    const reasons = {
      guardrail_intervened: 'content-filter',
      content_filtered: 'content-filter',
      max_tokens: 'length',
      tool_use: 'tool-calls',
    };
    for (const [stopReason, reason] of Object.entries(reasons))
      assert.equal(decoded(body([{ text: 'x' }], { stopReason })).finish.reason, reason);
    assert.deepEqual(decoded(body([{ text: 'x' }], { stopReason: 'new' })).finish, { reason: 'stop', isAssumed: true });
    for (const read of [converse.decodeReply, converse.inspectReply]) {
      const failed = read(body([], { stopReason: 'malformed_model_output' }));
      assert.ok(!failed.ok && failed.failure.class === 'upstream_bad_response');
    }
  });

  test('that a guardrail withheld is filtered, one without a word is empty, and what is no answer is refused', () => {
    const facts = (value: unknown) => {
      const read = converse.inspectReply(value);
      return read.ok ? [read.value.filtered, read.value.empty] : read.failure.class;
    };
    assert.deepEqual(facts(body([{ text: 'Sorry.' }], { stopReason: 'guardrail_intervened' })), [true, false]);
    assert.deepEqual(facts(body([], { usage: { inputTokens: 1, outputTokens: 0 } })), [false, true]);
    assert.deepEqual(facts(body([{ text: '' }], { usage: {} })), [false, true]);
    for (const value of [{}, null, [], 'x', { output: {} }, { message: 'error' }])
      assert.equal(facts(value), 'upstream_bad_response');
  });

  test('has what it cites with the text, and leaves out what is not known', () => {
    const cited = (...citations: object[]) =>
      body([{ citationsContent: { content: [{ text: 'Se' }, { text: 'ven.' }], citations } }]);
    const source = { kind: 'search-result', source: 'a', title: 'a' } as const;
    assert.deepEqual(decoded(cited({ title: 'a' })).parts, [{ kind: 'text', text: 'Seven.', citations: [{ source }] }]);
    assert.deepEqual([converse.leavesOut(cited({ title: 'a' })), converse.leavesOut(cited({}))], [false, true]);
    assert.ok(!converse.leavesOut(body([{ text: 'x' }, { toolUse: { toolUseId: 't', name: 'f', input: {} } }])));
  });
});
