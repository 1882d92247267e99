// Recorded answers of Anthropic, decoded, and translated for clients of both dialects. The recordings stand beside the project.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse as parseYAML } from 'yaml';
import { type Folded, fold } from '#core/chat/fold.ts';
import type { ChatEvent, ChatReply, Finish } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { scanObject } from '#core/json/scan.ts';
import { epochMillis } from '#core/units.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend, ReplyContext } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { messagesOf, SseBlocks } from '#dataplane/http/sse.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import type { SseMessage } from '#dataplane/providers/provider.ts';
import { valueIn } from '#test/support/parsed.ts';

const recordings = path.join(import.meta.dirname, '../../../shared/recordings');
const absent = !existsSync(recordings) && 'the recordings are not beside this checkout';

const read = (file: string) => readFileSync(path.join(recordings, file), 'utf8');
const found = (pattern: string) => (absent ? [] : globSync(pattern, { cwd: recordings }).sort());

/** Files that no decoder could read as one answer, and why. */
const broken: Readonly<Record<string, string>> = {
  'ai-sdk/anthropic/spliced-message-start.chunks.txt': 'a second message begins while the first is open',
};

type Interaction = {
  readonly request: { readonly parsed_body?: Record<string, unknown>; readonly uri: string };
  readonly response: {
    readonly body?: { readonly string?: string };
    readonly parsed_body?: Record<string, unknown>;
    readonly status: { readonly code: number };
  };
};
const cassettes = found('pydantic-ai/test_anthropic/*.yaml').flatMap(file =>
  (parseYAML(read(file)) as { interactions: Interaction[] }).interactions.map((interaction, i) => ({
    name: `${file}#${i}`,
    ...interaction,
  })),
);

/** The recordings of the AI SDK have lost their frames: `event` and `data` lines are put back. */
const framed = (chunks: string): string =>
  chunks
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => `event: ${(JSON.parse(line) as { type: string }).type}\ndata: ${line}\n\n`)
    .join('');

const streams: readonly { readonly name: string; readonly sse: Buffer }[] = [
  ...found('ai-sdk/anthropic/*.chunks.txt').map(name => ({ name, sse: Buffer.from(framed(read(name))) })),
  ...cassettes.flatMap(({ name, response }) =>
    response.body?.string?.startsWith('event:') ? [{ name, sse: Buffer.from(response.body.string) }] : [],
  ),
];
const whole = streams.filter(({ name }) => !(name in broken));

const replies: readonly { readonly name: string; readonly body: Record<string, unknown> }[] = [
  ...found('ai-sdk/anthropic/*.json').map(name => ({ name, body: JSON.parse(read(name)) as Record<string, unknown> })),
  ...cassettes.flatMap(({ name, response }) => (response.parsed_body ? [{ name, body: response.parsed_body }] : [])),
].filter(({ body }) => body.type === 'message');

const context: ReplyContext = {
  requestId: '0190b5a8-0000-7000-8000-000000000000',
  createdSeconds: 1_780_000_000,
  includeUsage: true,
};

function messagesIn(chunks: Iterable<Buffer>): SseMessage[] {
  const blocks = new SseBlocks(8 * 1024 * 1024);
  const messages: SseMessage[] = [];
  for (const chunk of chunks) {
    const block = blocks.push(chunk);
    assert.ok(block !== 'too-long');
    if (block) messages.push(...messagesOf(block));
  }
  return messages;
}

function eventsOf(messages: readonly SseMessage[]): ChatEvent[] {
  const decoder = anthropic.streamDecoder();
  return [...messages.flatMap(message => decoder.push(message)), ...decoder.close()];
}

const decoded = (sse: Buffer): Folded => fold(eventsOf(messagesIn([sse])));

/** The stream as a client of the frontend gets it. */
function encodedFor(frontend: Frontend, events: readonly ChatEvent[]): Buffer {
  const encoder = frontend.streamEncoder(context);
  return Buffer.from(events.map(event => encoder.push(event)).join(''));
}

const bytesOneByOne = function* (bytes: Buffer): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i++) yield bytes.subarray(i, i + 1);
};

/** Parts that differ only in how their JSON is written, or say nothing, are the same. */
const meaningOf = (parts: readonly AssistantPart[]): unknown[] =>
  parts
    .filter(part => !('text' in part) || part.text !== '' || (part.kind === 'thinking' && part.signature))
    .map(part => (part.kind === 'tool-call' ? { ...part, arguments: JSON.parse(part.arguments || '{}') } : part));

/** A turn with calls ends with them for a client, whatever reason the provider gave (tools that were called by code, for one). */
const finishForClients = ({ finish, parts }: ChatReply): Finish =>
  finish.reason === 'stop' && parts.some(part => part.kind === 'tool-call') ? { reason: 'tool-calls' } : finish;

const textOf = (reply: ChatReply): string => reply.parts.flatMap(part => (part.kind === 'text' ? [part.text] : [])).join('');

describe('the recorded streams of Anthropic', { skip: absent }, () => {
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
      assert.deepEqual(messagesIn(bytesOneByOne(sse)), messagesIn([sse]));
    });

    test(`${name} is cut off wherever it ends before its stop reason is known`, () => {
      const messages = messagesIn([sse]);
      const last = messages.findIndex(message => message.event === 'message_delta' && /"stop_reason":\s*"/.test(message.data));
      for (let end = 0; end <= last; end += Math.max(1, Math.floor(last / 20))) {
        assert.equal(fold(eventsOf(messages.slice(0, end))).failure?.class, 'upstream_stream_truncated');
      }
      assert.ok(fold(eventsOf(messages.slice(0, last + 1))).complete);
    });

    test(`${name} survives being encoded for a client of the same dialect`, () => {
      const events = eventsOf(messagesIn([sse]));
      const [before, after] = [fold(events), decoded(encodedFor(anthropicMessages, events))];
      assert.deepEqual(meaningOf(after.reply.parts), meaningOf(before.reply.parts));
      assert.deepEqual({ ...after.reply, parts: [] }, { ...before.reply, parts: [], finish: finishForClients(before.reply) });
      assert.ok(after.complete);
    });

    test(`${name} says the same to a client of OpenAI's dialect`, () => {
      const events = eventsOf(messagesIn([sse]));
      const { reply } = fold(events);
      const chunks = messagesIn([encodedFor(openAIChat, events)]);
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

describe('the recorded replies of Anthropic', { skip: absent }, () => {
  for (const { name, body } of replies) {
    test(`${name} decodes, and survives being encoded for a client of the same dialect`, () => {
      const reply = valueIn(anthropic.decodeReply(body));
      const again = valueIn(anthropic.decodeReply(JSON.parse(anthropicMessages.encodeReply(reply, context).body)));
      assert.deepEqual(meaningOf(again.parts), meaningOf(reply.parts));
      assert.deepEqual({ ...again, parts: [] }, { ...reply, parts: [], finish: finishForClients(reply) });
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
      const { choices } = JSON.parse(openAIChat.encodeReply(reply, context).body);
      assert.equal(choices[0].message.content ?? '', textOf(reply));
    });
  }
});

describe('the recorded errors of Anthropic', { skip: absent }, () => {
  for (const { name, response } of cassettes.filter(({ response }) => response.status.code >= 400)) {
    test(`${name} is a refusal of the request`, () => {
      const { status, parsed_body } = response;
      const body = JSON.stringify(parsed_body);
      const failure = anthropic.classify({ status: status.code, headers: {}, body, now: epochMillis(0) });
      assert.equal(failure.class, 'upstream_invalid_request');
    });
  }
});

describe('the recorded requests to Anthropic', { skip: absent }, () => {
  const requests = cassettes.filter(({ request }) => request.parsed_body && /\/v1\/messages(\?|$)/.test(request.uri));
  for (const { name, request } of requests) {
    test(`${name} decodes, and keeps its body for a target of its own dialect`, () => {
      const bytes = Buffer.from(JSON.stringify(request.parsed_body));
      const view = valueIn(scanObject(bytes, { maxDepth: 100, interpreted: new Set(), isUtf8 }));
      const envelope = valueIn(anthropicMessages.inspect(view));
      const decodedRequest = valueIn(anthropicMessages.decode(view));
      assert.equal(envelope.model, decodedRequest.model);
      assert.deepEqual(decodedRequest.body, request.parsed_body);
      assert.ok(decodedRequest.messages.length > 0);
    });
  }
});
