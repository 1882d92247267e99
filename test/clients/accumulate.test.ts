// What the official SDKs make of our streams: for any answer, the message that their stream helpers add up is the message that the
// same answer is when it is not streamed. The SDKs get the frontend's frames through a fetch of our own: no gateway, no socket.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import OpenAI from 'openai';
import type { ChatEvent, ChatReply, FinishReason } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import type { Usage } from '#core/chat/usage.ts';
import { tokens } from '#core/units.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend, ReplyContext } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';

const context: ReplyContext = {
  requestId: '0190b5a8-0000-7000-8000-000000000000',
  createdSeconds: 1_790_000_000,
  includeUsage: true,
};

// ---------------------------------------------------------------- any answer, and one of its streams

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const name = fc.stringMatching(/^[a-z_]{1,12}$/);
const json = fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }).map(value => JSON.stringify(value));

const part: fc.Arbitrary<AssistantPart> = fc.oneof(
  fc.record({ kind: fc.constant('text' as const), text }),
  fc.record({ kind: fc.constant('refusal' as const), text }),
  fc.record({ kind: fc.constant('thinking' as const), text, signature: text }, { requiredKeys: ['kind', 'text'] }),
  fc.record({ kind: fc.constant('redacted-thinking' as const), data: text }),
  fc.record({
    kind: fc.constant('tool-call' as const),
    id: fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/),
    name,
    arguments: fc.oneof(json, fc.constant('')),
  }),
);

const count = fc.nat(1_000_000).map(tokens);
const usage: fc.Arbitrary<Usage> = fc.record({
  inputUncached: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
  output: count,
  reasoning: count,
  audioInput: count,
  audioOutput: count,
});

const reasons = fc.constantFrom<FinishReason>(
  'stop',
  'stop-sequence',
  'length',
  'context-length',
  'tool-calls',
  'content-filter',
  'refusal',
  'pause',
);

const reply: fc.Arbitrary<ChatReply> = fc.record({
  id: fc.constantFrom('chatcmpl-1', 'msg_1', ''),
  model: fc.constantFrom('gpt-4o', 'claude-opus-5'),
  parts: fc.array(part, { maxLength: 5 }),
  finish: fc.record({ reason: reasons, stopSequence: text }, { requiredKeys: ['reason'] }),
  usage,
});

/** Where the usage stands and how texts are cut differs from provider to provider. */
const manner = fc.record({ size: fc.integer({ min: 1, max: 8 }), usageFirst: fc.boolean() });
type Manner = typeof manner extends fc.Arbitrary<infer M> ? M : never;

function eventsOf(whole: ChatReply, { size, usageFirst }: Manner): ChatEvent[] {
  const used: ChatEvent = { kind: 'usage', usage: whole.usage!, alone: true };
  return [
    { kind: 'start', id: whole.id, model: whole.model },
    ...(usageFirst ? [used] : []),
    ...whole.parts.flatMap(one => partEvents(one, size)),
    { kind: 'finish', finish: whole.finish },
    ...(usageFirst ? [] : [used]),
    { kind: 'end' },
  ];
}

function partEvents(one: AssistantPart, size: number): ChatEvent[] {
  switch (one.kind) {
    case 'redacted-thinking':
      return [one];
    case 'tool-call': {
      const { id, name: called } = one;
      const deltas = pieces(one.arguments, size).map((piece): ChatEvent => ({ kind: 'tool-call-delta', json: piece }));
      return [{ kind: 'tool-call-start', id, name: called }, ...deltas, { kind: 'part-end' }];
    }
    default: {
      const deltas = pieces(one.text, size).map((piece): ChatEvent => ({ kind: `${one.kind}-delta`, text: piece }));
      const signature = one.kind === 'thinking' ? one.signature : undefined;
      const signed: ChatEvent[] = signature ? [{ kind: 'thinking-signature', signature }] : [];
      return [{ kind: `${one.kind}-start` }, ...deltas, ...signed, { kind: 'part-end' }];
    }
  }
}

/** By code points: providers do not cut inside of one. */
function pieces(whole: string, size: number): string[] {
  const points = [...whole];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => points.slice(i * size, (i + 1) * size).join(''));
}

// ---------------------------------------------------------------- what the SDKs make of it

/** A server of one answer. */
const answering = (body: string, contentType: string) => async () =>
  new Response(body, { headers: { 'content-type': contentType } });

function framesOf(frontend: Frontend, events: readonly ChatEvent[]): string {
  const encoder = frontend.streamEncoder(context);
  return events.map(event => encoder.push(event)).join('');
}

const messages = [{ role: 'user' as const, content: 'Hi' }];

function openAI(body: string, contentType: string): OpenAI {
  return new OpenAI({ apiKey: 'none', baseURL: 'http://gateway/v1', fetch: answering(body, contentType), maxRetries: 0 });
}
function anthropic(body: string, contentType: string): Anthropic {
  return new Anthropic({ apiKey: 'none', baseURL: 'http://gateway', fetch: answering(body, contentType), maxRetries: 0 });
}

const sse = 'text/event-stream';
const whole = 'application/json';
/** Fields of the stream helpers' own. */
const helpers = new Set(['parsed', 'parsed_arguments', 'parsed_output']);
const asJson = (value: unknown) => JSON.parse(JSON.stringify(value), (key, field) => (helpers.has(key) ? undefined : field));

/** A stream begins before it is known that no text follows: it says '' where the whole answer says null. OpenAI's own refusals do so too. */
function withText(completion: OpenAI.ChatCompletion): OpenAI.ChatCompletion {
  for (const { message } of completion.choices) message.content ??= '';
  return completion;
}

describe('any answer, added up by the SDK from its stream, is the answer that is not streamed', () => {
  test('of OpenAI', async () => {
    await fc.assert(
      fc.asyncProperty(reply, manner, async (answer, how) => {
        const streamed = openAI(framesOf(openAIChat, eventsOf(answer, how)), sse).chat.completions.stream({
          model: 'm',
          messages,
        });
        const sent = openAI(openAIChat.encodeReply(answer, context).body, whole);
        const one = await sent.chat.completions.create({ model: 'm', messages });
        assert.deepEqual(asJson(await streamed.finalChatCompletion()), asJson(withText(one)));
      }),
    );
  });

  test('of Anthropic', async () => {
    await fc.assert(
      fc.asyncProperty(reply, manner, async (answer, how) => {
        const asked = { model: 'm', max_tokens: 1, messages };
        const streamed = anthropic(framesOf(anthropicMessages, eventsOf(answer, how)), sse).messages.stream(asked);
        const sent = anthropic(anthropicMessages.encodeReply(answer, context).body, whole);
        const [added, one] = [await streamed.finalMessage(), await sent.messages.create(asked)];
        // message_delta, which brings what is counted at the end, has no field for it (SDK 1.12, MessageDeltaUsage).
        if (!how.usageFirst && added.usage.cache_creation === null) one.usage.cache_creation = null;
        assert.deepEqual(asJson(added), asJson(one));
      }),
    );
  });
});
