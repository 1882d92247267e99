// Recorded answers of Anthropic, decoded, and translated for clients of its own dialect and of OpenAI's. The recordings stand beside the project.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import { type Folded, fold } from '#core/chat/fold.ts';
import type { ChatReply, Finish } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { scanObject } from '#core/json/scan.ts';
import { epochMillis } from '#core/units.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { asTold, encodedFor, eventsIn, eventsOf, messagesIn, oneByOne, replyContext } from '#test/support/decoding.ts';
import { valueIn } from '#test/support/parsed.ts';
import { asEvent, exchangesIn, repliesIn, withoutRecordings as skip, streamsIn } from '#test/support/recordings.ts';

/** Files that no decoder could read as one answer, and why. */
const broken: Readonly<Record<string, string>> = {
  'ai-sdk/anthropic/spliced-message-start.chunks.txt': 'a second message begins while the first is open',
};

const exchanges = exchangesIn('pydantic-ai/test_anthropic/*.yaml');

const streams = [
  ...streamsIn('ai-sdk/anthropic/*.chunks.txt', asEvent),
  ...exchanges.flatMap(({ name, text }) => (text?.startsWith('event:') ? [{ name, body: text }] : [])),
].map(({ name, body }) => ({ name, sse: Buffer.from(body) }));
const whole = streams.filter(({ name }) => !(name in broken));

const replies = [
  ...repliesIn('ai-sdk/anthropic/*.json'),
  ...exchanges.flatMap(({ name, json: body }) => (body ? [{ name, body }] : [])),
].filter(({ body }) => body.type === 'message');

const decoded = (sse: Buffer): Folded => fold(eventsIn(anthropic, [sse]));

/** Parts that differ only in how their JSON is written, or say nothing, are the same. */
const meaningOf = (parts: readonly AssistantPart[]): unknown[] =>
  parts
    .filter(part => !('text' in part) || part.text !== '' || (part.kind === 'thinking' && part.signature))
    .map(part => (part.kind === 'tool-call' ? { ...part, arguments: JSON.parse(part.arguments || '{}') } : part));

/** A turn with calls ends with them for a client, whatever reason the provider gave (tools that were called by code, for one). */
const finishForClients = ({ finish, parts }: ChatReply): Finish =>
  finish.reason === 'stop' && parts.some(part => part.kind === 'tool-call') ? { reason: 'tool-calls' } : finish;

const textOf = (reply: ChatReply): string => reply.parts.flatMap(part => (part.kind === 'text' ? [part.text] : [])).join('');

describe('the recorded streams of Anthropic', { skip }, () => {
  test('are here', () => {
    assert.ok(streams.length >= 15);
    assert.ok(replies.length >= 30);
  });

  for (const { name, sse } of whole) {
    test(`${name} is a complete answer with usage`, () => {
      const { reply, complete, failure } = decoded(sse);
      assert.equal(failure, undefined);
      assert.ok(complete);
      assert.match(reply.id, /^msg_/);
      assert.match(reply.model, /^claude-/);
      assert.ok(reply.usage && reply.usage.output > 0);
      for (const part of reply.parts) if (part.kind === 'tool-call') JSON.parse(part.arguments || '{}');
    });

    test(`${name} means the same however the network splits it`, () => {
      assert.deepEqual(messagesIn(oneByOne(sse)), messagesIn([sse]));
    });

    test(`${name} is cut off wherever it ends before its stop reason is known`, () => {
      const messages = messagesIn([sse]);
      const last = messages.findIndex(message => message.event === 'message_delta' && /"stop_reason":\s*"/.test(message.data));
      for (let end = 0; end <= last; end += Math.max(1, Math.floor(last / 20))) {
        assert.equal(fold(eventsOf(anthropic, messages.slice(0, end))).failure?.class, 'upstream_stream_truncated');
      }
      assert.ok(fold(eventsOf(anthropic, messages.slice(0, last + 1))).complete);
    });

    test(`${name} survives being encoded for a client of the same dialect`, () => {
      const events = eventsIn(anthropic, [sse]);
      const [before, after] = [fold(events), decoded(Buffer.from(encodedFor(anthropicMessages, events)))];
      assert.deepEqual(meaningOf(after.reply.parts), meaningOf(before.reply.parts));
      assert.deepEqual(
        { ...after.reply, parts: [] },
        { ...asTold(before.reply), parts: [], finish: finishForClients(before.reply) },
      );
      assert.ok(after.complete);
    });

    test(`${name} says the same to a client of OpenAI's dialect`, () => {
      const events = eventsIn(anthropic, [sse]);
      const { reply } = fold(events);
      const chunks = messagesIn([Buffer.from(encodedFor(openAIChat, events))]);
      assert.equal(chunks.at(-1)?.data, '[DONE]');
      const deltas = chunks.slice(0, -1).flatMap(({ data }) => (JSON.parse(data) as Chunk).choices.map(choice => choice.delta));
      assert.equal(deltas.map(delta => delta.content ?? '').join(''), textOf(reply));
      const calls = deltas.flatMap(delta => delta.tool_calls ?? []).flatMap(call => call.function.name ?? []);
      assert.deepEqual(
        calls,
        reply.parts.flatMap(part => (part.kind === 'tool-call' ? [part.name] : [])),
      );
    });
  }

  test('two answers spliced into one stream are refused as a bad response', () => {
    for (const [name, why] of Object.entries(broken)) {
      const { sse } = streams.find(stream => stream.name === name)!;
      assert.equal(decoded(sse).failure?.class, 'upstream_bad_response', why);
    }
  });
});

type Delta = { content?: string; tool_calls?: { function: { name?: string } }[] };
type Chunk = { choices: { delta: Delta }[] };

describe('the recorded replies of Anthropic', { skip }, () => {
  for (const { name, body } of replies) {
    test(`${name} decodes, and survives being encoded for a client of the same dialect`, () => {
      const reply = valueIn(anthropic.decodeReply(body));
      const again = valueIn(anthropic.decodeReply(JSON.parse(anthropicMessages.encodeReply(reply, replyContext).body)));
      assert.deepEqual(meaningOf(again.parts), meaningOf(reply.parts));
      assert.deepEqual({ ...again, parts: [] }, { ...asTold(reply), parts: [], finish: finishForClients(reply) });
    });

    test(`${name} is read alike by both paths`, () => {
      const reply = valueIn(anthropic.decodeReply(body));
      const facts = valueIn(anthropic.inspectReply(body));
      assert.deepEqual([facts.id, facts.model, facts.usage], [reply.id, reply.model, reply.usage]);
      assert.equal(facts.empty, false);
      assert.equal(facts.filtered, reply.finish.reason === 'refusal');
    });

    test(`${name} says the same to a client of OpenAI's dialect`, () => {
      const reply = valueIn(anthropic.decodeReply(body));
      const { choices } = JSON.parse(openAIChat.encodeReply(reply, replyContext).body);
      assert.equal(choices[0].message.content ?? '', textOf(reply));
    });
  }
});

describe('the recorded errors of Anthropic', { skip }, () => {
  for (const { name, status, json } of exchanges.filter(exchange => exchange.status >= 400)) {
    test(`${name} is a refusal of the request`, () => {
      const failure = anthropic.classify({ status, headers: {}, body: JSON.stringify(json), now: epochMillis(0) });
      assert.equal(failure.class, 'upstream_invalid_request');
    });
  }
});

describe('the recorded requests to Anthropic', { skip }, () => {
  const requests = exchanges.filter(({ uri, asked }) => asked && /\/v1\/messages(\?|$)/.test(uri));
  for (const { name, asked } of requests) {
    test(`${name} decodes, and keeps its body for a target of its own dialect`, () => {
      const bytes = Buffer.from(JSON.stringify(asked));
      const view = valueIn(scanObject(bytes, { maxDepth: 100, interpreted: new Set(), isUtf8 }));
      const envelope = valueIn(anthropicMessages.inspect(view));
      const decodedRequest = valueIn(anthropicMessages.decode(view));
      assert.equal(envelope.model, decodedRequest.model);
      assert.deepEqual(decodedRequest.body, asked);
      assert.ok(decodedRequest.messages.length > 0);
    });
  }
});
