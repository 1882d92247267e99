// Recorded answers of Bedrock: binary streams are read however they are cut, mean the same whole and in frames, and say the same to the official
// SDKs in each client dialect. The recordings stand beside the project.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { parse } from 'yaml';
import { fold } from '#core/chat/fold.ts';
import { UNSIGNED } from '#core/chat/foreign.ts';
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { epochMillis } from '#core/units.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { bedrockConverse, eventStream } from '#dataplane/frontends/bedrock-converse/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { messagesOf, SseBlocks } from '#dataplane/http/sse.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import type { SseMessage } from '#dataplane/providers/provider.ts';
import { valueIn } from '#test/support/parsed.ts';
import { type Read, readStream, readWhole } from '#test/support/read-by-sdk.ts';

const root = path.join(import.meta.dirname, '../../../shared/recordings');
const skip = !existsSync(root) && 'the recordings (../shared/recordings) are not here';
const files = (pattern: string): string[] => (skip ? [] : globSync(pattern, { cwd: root }).sort());
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const frontends: readonly Frontend[] = [openAIChat, anthropicMessages, openAIResponses];
const context = { requestId: '0190b5a8-0000-7000-8000-000000000000', createdSeconds: 1_790_000_000, includeUsage: true };

// ---------------------------------------------------------------- the recordings

type Interaction = {
  readonly request: { readonly uri: string };
  readonly response: {
    readonly body?: { readonly string?: Uint8Array };
    readonly parsed_body?: Record<string, unknown>;
    readonly status: { readonly code: number };
  };
};
const interactions = files('pydantic-ai/test_bedrock/*.yaml').flatMap(file =>
  (parse(textOf(file)) as { interactions: Interaction[] }).interactions
    .filter(({ request }) => request.uri.includes('bedrock-runtime'))
    .map((interaction, index) => ({ name: `${file}#${index}`, ...interaction })),
);

const codec = new EventStreamCodec(
  bytes => Buffer.from(bytes).toString(),
  text => Buffer.from(text),
);

/** The AI SDK kept the events of its frames, `{"<type>": {…}}` a line: AWS's own codec makes frames of them again. */
const framed = (lines: string): Buffer =>
  Buffer.concat(
    lines
      .split('\n')
      .filter(line => line.trim() !== '')
      .map(line => {
        const [[type, event]] = Object.entries(JSON.parse(line)) as [[string, unknown]];
        const header = (value: string) => ({ type: 'string' as const, value });
        const headers = { ':message-type': header('event'), ':event-type': header(type) };
        return codec.encode({ headers, body: Buffer.from(JSON.stringify(event)) });
      }),
  );

const streams = [
  ...interactions.flatMap(({ name, response }) =>
    response.body?.string instanceof Uint8Array ? [{ name, bytes: Buffer.from(response.body.string), isWhole: true }] : [],
  ),
  // Made for tests of the AI SDK: some lack the beginning, and the usage.
  ...files('ai-sdk/amazon-bedrock/*.chunks.txt').map(name => ({ name, bytes: framed(textOf(name)), isWhole: false })),
];

const replies = [
  ...files('ai-sdk/amazon-bedrock/*.json').map(name => ({ name, body: JSON.parse(textOf(name)) as Record<string, unknown> })),
  ...interactions.flatMap(({ name, response }) => (response.parsed_body ? [{ name, body: response.parsed_body }] : [])),
].filter(({ body }) => body.output !== undefined);

// ---------------------------------------------------------------- what is read of them

function messagesIn(chunks: Iterable<Buffer>): SseMessage[] {
  const reframer = converse.framing!.reframer();
  const blocks = new SseBlocks(8 * 1024 * 1024);
  return [...chunks].flatMap(chunk => {
    const block = blocks.push(reframer.push(chunk));
    assert.ok(block !== 'too-long');
    return block ? messagesOf(block) : [];
  });
}

function eventsOf(chunks: Iterable<Buffer>): ChatEvent[] {
  const decoder = converse.streamDecoder();
  return [...messagesIn(chunks).flatMap(message => decoder.push(message)), ...decoder.close()];
}

function* oneByOne(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
}

const meant = ({ parts, finish, usage }: ChatReply): Read => ({
  text: parts.map(part => (part.kind === 'text' ? part.text : '')).join(''),
  refusal: '',
  calls: parts.flatMap(part =>
    part.kind === 'tool-call' ? [{ name: part.name, arguments: JSON.parse(part.arguments || '{}') }] : [],
  ),
  isCut: finish.reason === 'length',
  outputTokens: usage?.output,
});

/** Some dialects have to say a number where none is known. */
const comparable = (read: Read, { usage }: ChatReply): Read => (usage ? read : { ...read, outputTokens: undefined });

describe('recorded streams of Bedrock', { skip }, () => {
  test('are here', () => assert.ok(streams.length >= 9 && replies.length >= 20, `${streams.length}, ${replies.length}`));

  for (const { name, bytes, isWhole } of streams) {
    test(`${name} is a complete answer`, () => {
      const { reply, complete, failure } = fold(eventsOf([bytes]));
      assert.equal(failure, undefined);
      assert.ok(complete);
      assert.ok(reply.parts.length > 0);
      if (isWhole) assert.ok(reply.usage && reply.usage.output > 0 && promptTokens(reply.usage) > 0);
    });

    test(`${name} means the same however the network splits it`, () => {
      assert.deepEqual(eventsOf(oneByOne(bytes)), eventsOf([bytes]));
    });

    test(`${name} is cut off wherever it ends before its stop reason is known`, () => {
      const end = bytes.indexOf('stopReason');
      for (let at = 0; at <= end; at += Math.max(1, Math.floor(end / 50)))
        assert.equal(fold(eventsOf([bytes.subarray(0, at)])).failure?.class, 'upstream_stream_truncated', `after ${at} bytes`);
    });

    test(`${name} with a wrong bit anywhere is a bad answer, and never whole`, () => {
      for (let at = 0; at < bytes.length; at += Math.max(1, Math.floor(bytes.length / 50))) {
        const wrong = Buffer.from(bytes);
        wrong[at]! ^= 0x10;
        const { complete, failure } = fold(eventsOf([wrong]));
        assert.deepEqual([complete, failure?.class], [false, 'upstream_bad_response'], `byte ${at}`);
      }
    });

    test(`${name} comes back whole from a client of its own dialect, frame by frame`, () => {
      const events = eventsOf([bytes]);
      const encoder = bedrockConverse({ model: '', stream: true }).streamEncoder(context);
      const framing = eventStream(messagesOf);
      const frames = events.map(event => framing.frames(encoder.push(event)) as Buffer);
      const [before, after] = [fold(events), fold(eventsOf(frames))];
      const said = before.reply.parts.filter(part => !('text' in part) || part.text !== '');
      // Thinking that nobody signed is marked.
      const marked = said.map(part => (part.kind === 'thinking' && !part.signature ? { ...part, signature: UNSIGNED } : part));
      assert.deepEqual(after, { ...before, reply: { ...before.reply, parts: marked } });
    });

    for (const frontend of frontends)
      test(`${name} says the same to the SDK of ${frontend.dialect}`, async () => {
        const events = eventsOf(oneByOne(bytes));
        const encoder = frontend.streamEncoder(context);
        const { reply } = fold(events);
        const read = await readStream(frontend.dialect, events.map(event => encoder.push(event)).join(''));
        assert.deepEqual(comparable(read, reply), meant(reply));
      });
  }
});

describe('recorded replies of Bedrock', { skip }, () => {
  for (const { name, body } of replies) {
    test(`${name} is read alike by both paths, and its tokens add up`, () => {
      const reply = valueIn(converse.decodeReply(body));
      const facts = valueIn(converse.inspectReply(body));
      assert.deepEqual([facts.usage, facts.empty, facts.filtered], [reply.usage, false, false]);
      const { totalTokens } = (body.usage ?? {}) as { totalTokens?: number };
      if (reply.usage && totalTokens !== undefined) assert.equal(promptTokens(reply.usage) + reply.usage.output, totalTokens);
    });

    for (const frontend of frontends)
      test(`${name} says the same to the SDK of ${frontend.dialect}`, async () => {
        const reply = valueIn(converse.decodeReply(body));
        const read = await readWhole(frontend.dialect, frontend.encodeReply(reply, context).body);
        assert.deepEqual(comparable(read, reply), meant(reply));
      });
  }

  test('errors are what they say', () => {
    const refused = interactions.filter(({ response }) => response.status.code >= 400);
    assert.ok(refused.length > 0);
    for (const { response } of refused) {
      const body = JSON.stringify(response.parsed_body);
      const failure = converse.classify({ status: response.status.code, headers: {}, body, now: epochMillis(0) });
      assert.equal(failure.class, 'upstream_model_not_found');
    }
  });
});
