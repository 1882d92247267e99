// Answers and errors as OpenAI's own clients expect them, whole and streamed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatEvent, ChatReply, Finish } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { failure } from '#core/failure.ts';
import { tokens } from '#core/units.ts';
import type { ReplyContext } from '../frontend.ts';
import { openAIChat } from './index.ts';

const context: ReplyContext = { requestId: 'r-1', createdSeconds: 1700000000, includeUsage: true };
const usage: Usage = {
  ...noUsage,
  inputUncached: tokens(50),
  cacheRead: tokens(40),
  cacheWrite5m: tokens(10),
  output: tokens(30),
  reasoning: tokens(20),
  audioOutput: tokens(3),
};
const wireUsage = {
  prompt_tokens: 100,
  completion_tokens: 30,
  total_tokens: 130,
  prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 10, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 3 },
};
const said: AssistantPart[] = [
  { kind: 'thinking', text: 'hm', signature: 'sig' },
  { kind: 'redacted-thinking', data: 'zzz' },
  { kind: 'text', text: 'a\u2028b' },
  { kind: 'tool-call', id: 'c1', name: 'f', arguments: '{"x": 1}' },
  { kind: 'tool-call', id: 'c2', name: 'g', arguments: '' },
];
const stopped: Finish = { reason: 'stop' };

function wholeOf(reply: Partial<ChatReply>) {
  return JSON.parse(openAIChat.encodeReply({ id: 'id1', model: 'm1', parts: [], finish: stopped, ...reply }, context).body);
}

function eventsOf(parts: readonly AssistantPart[], finish: Finish = stopped): ChatEvent[] {
  const events = parts.flatMap((part): ChatEvent[] => {
    if (part.kind === 'redacted-thinking') return [part];
    if (part.kind !== 'tool-call')
      return [{ kind: `${part.kind}-start` }, { kind: `${part.kind}-delta`, text: part.text }, { kind: 'part-end' }];
    return [
      { kind: 'tool-call-start', id: part.id, name: part.name },
      ...[...part.arguments].map((json): ChatEvent => ({ kind: 'tool-call-delta', json })),
      { kind: 'part-end' },
    ];
  });
  return [
    { kind: 'start', id: 'id1', model: 'm1' },
    ...events,
    { kind: 'finish', finish },
    { kind: 'usage', usage, alone: true },
    { kind: 'end' },
  ];
}

function framesOf(events: readonly ChatEvent[], includeUsage = true): string[] {
  const encoder = openAIChat.streamEncoder({ ...context, includeUsage });
  const text = events.map(event => encoder.push(event)).join('');
  assert.ok(text === '' || text.endsWith('\n\n'));
  return text
    .split('\n\n')
    .slice(0, -1)
    .map(frame => frame.replace(/^data: /, ''));
}
const chunksOf = (events: readonly ChatEvent[], includeUsage?: boolean) =>
  framesOf(events, includeUsage)
    .filter(data => data !== '[DONE]')
    .map(data => JSON.parse(data));

describe('a whole answer', () => {
  test('has what OpenAI has, and nothing of the thinking', () => {
    assert.deepEqual(wholeOf({ parts: said, finish: { reason: 'tool-calls' }, usage }), {
      id: 'id1',
      object: 'chat.completion',
      created: 1700000000,
      model: 'm1',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: 'a\u2028b',
            refusal: null,
            tool_calls: [
              { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } },
              { id: 'c2', type: 'function', function: { name: 'g', arguments: '{}' } },
            ],
          },
          logprobs: null,
          finish_reason: 'tool_calls',
        },
      ],
      usage: wireUsage,
    });
  });

  test('has null for content where there are only calls or only a refusal, and a string where there is nothing', () => {
    assert.equal(wholeOf({ parts: said.slice(3) }).choices[0].message.content, null);
    const refused = wholeOf({ parts: [{ kind: 'refusal', text: 'no' }] }).choices[0];
    assert.deepEqual([refused.message.content, refused.message.refusal, refused.finish_reason], [null, 'no', 'stop']);
    assert.equal(wholeOf({}).choices[0].message.content, '');
  });

  test('has our id where the provider gave none, and no usage where none is known', () => {
    const whole = wholeOf({ id: '' });
    assert.deepEqual([whole.id, 'usage' in whole], ['chatcmpl-r-1', false]);
  });
});

describe('finish reasons', () => {
  const refusal: AssistantPart[] = [{ kind: 'refusal', text: 'no' }];
  const rows: readonly (readonly [reason: Finish['reason'], parts: AssistantPart[], expected: string])[] = [
    ['stop', [], 'stop'],
    ['stop', said, 'tool_calls'],
    ['stop-sequence', [], 'stop'],
    ['length', said, 'length'],
    ['context-length', [], 'length'],
    ['tool-calls', said, 'tool_calls'],
    ['content-filter', [], 'content_filter'],
    ['refusal', [], 'content_filter'],
    ['refusal', refusal, 'stop'],
    ['pause', [], 'stop'],
  ];
  for (const [reason, parts, expected] of rows) {
    test(`${reason} with ${parts.at(-1)?.kind ?? 'nothing'} is ${expected}, whole and streamed`, () => {
      assert.equal(wholeOf({ parts, finish: { reason } }).choices[0].finish_reason, expected);
      const reasons = chunksOf(eventsOf(parts, { reason }))
        .map(chunk => chunk.choices[0]?.finish_reason)
        .filter(Boolean);
      assert.deepEqual(reasons, [expected]);
    });
  }
});

describe('a stream', () => {
  test('is chunks of role, content, calls with dense indices, finish, usage and [DONE]', () => {
    const frames = framesOf(
      eventsOf(said.slice(2).map(part => (part.kind === 'tool-call' ? { ...part, arguments: part.arguments && '1' } : part))),
    );
    const deltas = frames.slice(0, -2).map(data => JSON.parse(data).choices[0].delta);
    assert.deepEqual(deltas, [
      { role: 'assistant', content: '', refusal: null },
      { content: 'a\u2028b' },
      { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'f', arguments: '' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '1' } }] },
      { tool_calls: [{ index: 1, id: 'c2', type: 'function', function: { name: 'g', arguments: '' } }] },
      { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
      {},
    ]);
    assert.deepEqual(JSON.parse(frames.at(-2)!), {
      id: 'id1',
      object: 'chat.completion.chunk',
      created: 1700000000,
      model: 'm1',
      choices: [],
      usage: wireUsage,
    });
    assert.equal(frames.at(-1), '[DONE]');
  });

  test('has a usage of null in all other chunks for those who asked, and no word of it for those who did not', () => {
    assert.deepEqual(
      chunksOf(eventsOf(said))
        .slice(0, -1)
        .map(chunk => chunk.usage)
        .filter(value => value !== null),
      [],
    );
    const unasked = chunksOf(eventsOf(said), false);
    assert.ok(unasked.every(chunk => !('usage' in chunk) && chunk.choices.length === 1));
  });

  test('shows nothing of the thinking', () => {
    const frames = framesOf(eventsOf(said.slice(0, 2)));
    assert.equal(frames.length, 4, 'role, finish, usage, [DONE]');
  });

  test('has refusals and logprobs where OpenAI has them', () => {
    const logprobs = { content: [{ token: 'a' }] };
    const [, refusal, chance] = chunksOf([
      ...eventsOf([]).slice(0, 1),
      { kind: 'refusal-start' },
      { kind: 'refusal-delta', text: 'no' },
      { kind: 'logprobs', logprobs },
    ]);
    assert.deepEqual(refusal.choices[0].delta, { refusal: 'no' });
    assert.deepEqual(chance.choices[0].logprobs, logprobs);
  });

  test('that fails ends with the error: nothing follows it, not even [DONE]', () => {
    const broken: ChatEvent = { kind: 'error', failure: failure('upstream_stream_truncated') };
    const frames = framesOf([...eventsOf(said).slice(0, 8), broken, ...eventsOf(said)]);
    assert.equal(JSON.parse(frames.at(-1)!).error.code, 'upstream_stream_truncated');
    assert.equal(frames.filter(data => data.includes('"error"')).length, 1);
  });

  test('adds up to the whole answer', () => {
    const part = fc.oneof(
      fc.record({
        kind: fc.constantFrom('text' as const, 'refusal' as const, 'thinking' as const),
        text: fc.string({ minLength: 1 }),
      }),
      fc.record({
        kind: fc.constant('tool-call' as const),
        id: fc.string({ minLength: 1 }),
        name: fc.string({ minLength: 1 }),
        arguments: fc.dictionary(fc.string(), fc.jsonValue()).map(value => JSON.stringify(value)),
      }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), parts => {
        const {
          choices: [{ message, finish_reason }],
        } = wholeOf({ parts });
        const streamed = addedUp(chunksOf(eventsOf(parts)));
        assert.deepEqual(streamed, {
          content: message.content ?? '',
          refusal: message.refusal ?? '',
          tool_calls: message.tool_calls ?? [],
          finish_reason,
        });
      }),
    );
  });
});

type Chunk = {
  choices: { delta: { content?: string; refusal?: string; tool_calls?: WireCall[] }; finish_reason: string | null }[];
};
type WireCall = { index: number; id?: string; type?: string; function: { name?: string; arguments: string } };

/** What the SDKs' accumulators do. */
function addedUp(chunks: readonly Chunk[]) {
  const sum = { content: '', refusal: '', tool_calls: [] as unknown[], finish_reason: null as string | null };
  const calls: { id: string; type: string; function: { name: string; arguments: string } }[] = [];
  for (const { delta, finish_reason } of chunks.flatMap(chunk => chunk.choices)) {
    sum.content += delta.content ?? '';
    sum.refusal += delta.refusal ?? '';
    sum.finish_reason = finish_reason ?? sum.finish_reason;
    for (const { index, id, type, function: part } of delta.tool_calls ?? []) {
      calls[index] ??= { id: id!, type: type!, function: { name: part.name!, arguments: '' } };
      calls[index].function.arguments += part.arguments;
    }
  }
  return { ...sum, tool_calls: calls };
}

describe('an error', () => {
  const refused = failure('invalid_request', { message: 'model must be a string.', param: 'model' });
  const envelope = {
    error: { message: 'model must be a string.', type: 'invalid_request_error', param: 'model', code: 'invalid_request' },
    request_id: 'r-1',
  };

  test("is OpenAI's envelope with our class as its code", () =>
    assert.deepEqual(JSON.parse(openAIChat.encodeError(refused, 'r-1')), envelope));

  test('has null for a parameter where none is at fault', () => {
    assert.equal(JSON.parse(openAIChat.encodeError(failure('no_backend'), 'r-1')).error.param, null);
  });

  test('in a stream is one frame', () =>
    assert.equal(openAIChat.encodeStreamError(refused, 'r-1'), `data: ${JSON.stringify(envelope)}\n\n`));
});
