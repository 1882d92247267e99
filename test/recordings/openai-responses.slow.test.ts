// Replays what OpenAI, Azure, GitHub and vLLM have sent over the Responses wire: decoded, and written anew for clients of other dialects,
// whose own SDKs read it. The recordings are not part of the project: without them the tests skip, and the cases beside the code stand alone.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { fold } from '#core/chat/fold.ts';
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { messagesOf, SseBlocks } from '#dataplane/http/sse.ts';
import { compatibleProfile, responsesWire } from '#dataplane/providers/openai/index.ts';
import { valueIn } from '#test/support/parsed.ts';
import { type Read, readStream, readWhole } from '#test/support/read-by-sdk.ts';

const root = path.join(import.meta.dirname, '../../../shared/recordings');
const skip = !existsSync(root) && 'the recordings (../shared/recordings) are not here';
const files = (pattern: string): string[] => (skip ? [] : globSync(pattern, { cwd: root }).sort());
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const wire = responsesWire(compatibleProfile, 'other', () => ({ origin: '', path: '', headers: {} }));
const frontends: readonly Frontend[] = [openAIResponses, openAIChat, anthropicMessages];
const context = { requestId: '0190b5a8-0000-7000-8000-000000000000', createdSeconds: 1_790_000_000, includeUsage: true };

type Recorded = { readonly name: string; readonly body: string };

const chunkFiles = (): Recorded[] =>
  files('ai-sdk/{openai/responses,azure}/*.chunks.txt').map(name => ({
    name,
    body: textOf(name)
      .split('\n')
      .filter(line => line.trim() !== '')
      .map(line => `event: ${(JSON.parse(line) as { type: string }).type}\ndata: ${line}\n\n`)
      .join(''),
  }));

type Interaction = {
  readonly request?: { readonly uri: string; readonly method: string };
  readonly response: { readonly body?: { readonly string?: string }; readonly parsed_body?: Record<string, unknown> };
};
const cassettes = files('pydantic-ai/*/*.yaml').flatMap(file => {
  const { interactions = [] } = parse(textOf(file)) as { interactions?: Interaction[] };
  return interactions
    .filter(({ request }) => request && /\/responses(?:\/|\?|$)/.test(request.uri))
    .map((interaction, i) => ({ name: `${file} #${i}`, ...interaction }));
});

const streams: readonly Recorded[] = [
  ...(skip ? [] : chunkFiles()),
  ...cassettes.flatMap(({ name, response }) => (response.body?.string ? [{ name, body: response.body.string }] : [])),
].filter(({ body }) => body.includes('"response.created"'));

type Whole = { readonly name: string; readonly body: Record<string, unknown> };
const replies: readonly Whole[] = [
  ...files('ai-sdk/openai/responses/*.json').map(name => ({ name, body: JSON.parse(textOf(name)) })),
  ...cassettes.flatMap(({ name, response }) => (response.parsed_body ? [{ name, body: response.parsed_body }] : [])),
  ...files('vllm/responses.http').map(name => ({ name, body: JSON.parse(textOf(name).split('\r\n\r\n').slice(1).join('')) })),
].filter(({ body }) => body.object === 'response' && ['completed', 'incomplete'].includes(String(body.status)));

function decoded(bytes: Buffer, splitAt?: number): ChatEvent[] {
  const blocks = new SseBlocks(8 << 20);
  const decoder = wire.streamDecoder();
  const chunks = splitAt === undefined ? [bytes] : [bytes.subarray(0, splitAt), bytes.subarray(splitAt)];
  const events = chunks.flatMap(chunk => {
    const block = blocks.push(chunk);
    assert.notEqual(block, 'too-long');
    return block ? messagesOf(block as Buffer).flatMap(message => decoder.push(message)) : [];
  });
  return [...events, ...decoder.close()];
}

/** The ends of a long stream, where all that is not plain content stands. */
function shortened(body: string): string {
  const frames = body.split(/(?<=\n\r?\n)/);
  return frames.length <= 24 ? body : [...frames.slice(0, 12), ...frames.slice(-12)].join('');
}
const stride = (length: number): number => Math.max(1, Math.floor(length / 400));

const joined = (reply: ChatReply, kind: 'text' | 'refusal'): string =>
  reply.parts.map(part => (part.kind === kind ? part.text : '')).join('');
const meant = (reply: ChatReply): Read => ({
  text: joined(reply, 'text'),
  refusal: joined(reply, 'refusal'),
  calls: reply.parts.flatMap(part =>
    part.kind === 'tool-call' ? [{ name: part.name, arguments: JSON.parse(part.arguments || '{}') }] : [],
  ),
  isCut: reply.finish.reason === 'length',
  outputTokens: reply.usage?.output,
});

/** Streams of a response that goes on in the background, or that the client left. */
const isOver = (body: string): boolean => /"type":\s*"response\.(?:completed|incomplete|failed)"/.test(body);

describe('recorded streams of responses', { skip }, () => {
  test('are there', () => assert.ok(streams.length >= 20, `${streams.length} streams`));

  for (const { name, body } of streams) {
    test(`${name} decodes to an answer that is as complete as it was`, () => {
      const { reply, complete, failure } = fold(decoded(Buffer.from(body)));
      if (!isOver(body)) return assert.equal(failure?.class, 'upstream_stream_truncated');
      assert.equal(failure, undefined);
      assert.ok(complete && reply.model && /^[a-zA-Z0-9_:+/=-]+$/.test(reply.id) && reply.usage);
    });

    test(`${name} decodes to the same events wherever its bytes are split`, () => {
      const bytes = Buffer.from(shortened(body));
      const whole = decoded(bytes);
      for (let at = 1; at < bytes.length; at += stride(bytes.length)) assert.deepEqual(decoded(bytes, at), whole);
    });

    test(`${name} is cut off wherever it ends before its last event`, () => {
      const bytes = Buffer.from(shortened(body));
      const last = bytes.lastIndexOf('\n\n', bytes.length - 3);
      for (let at = 0; at <= last; at += Math.max(1, Math.floor(last / 60)))
        assert.equal(fold(decoded(bytes.subarray(0, at))).failure?.class, 'upstream_stream_truncated', String(at));
    });

    test(`${name}: no frame that is more than content escapes the notable pattern`, () => {
      const decoder = wire.streamDecoder();
      for (const message of messagesOf(Buffer.from(body))) {
        const isPlain = decoder.push(message).every(({ kind }) => !['usage', 'finish', 'error', 'end'].includes(kind));
        assert.ok(isPlain || wire.notable.test(message.data), message.data);
      }
    });

    for (const frontend of isOver(body) ? frontends : [])
      test(`${name} says the same to the SDK of ${frontend.dialect}`, async () => {
        const events = decoded(Buffer.from(body));
        const encoder = frontend.streamEncoder(context);
        const read = await readStream(frontend.dialect, events.map(event => encoder.push(event)).join(''));
        assert.deepEqual(read, meant(fold(events).reply));
      });
  }
});

describe('recorded responses', { skip }, () => {
  test('are there', () => assert.ok(replies.length >= 20, `${replies.length} replies`));

  for (const { name, body } of replies) {
    test(`${name} is read alike by both paths`, () => {
      const reply = valueIn(wire.decodeReply(body));
      const facts = valueIn(wire.inspectReply(body));
      assert.deepEqual([facts.id, facts.model, facts.usage], [reply.id, reply.model, reply.usage]);
      assert.equal(facts.empty, false);
    });

    for (const frontend of frontends)
      test(`${name} says the same to the SDK of ${frontend.dialect}`, async () => {
        const reply = valueIn(wire.decodeReply(body));
        assert.deepEqual(await readWhole(frontend.dialect, frontend.encodeReply(reply, context).body), meant(reply));
      });

    test(`${name} comes back whole from a client of its own dialect`, () => {
      const reply = valueIn(wire.decodeReply(body));
      const again = valueIn(wire.decodeReply(JSON.parse(openAIResponses.encodeReply(reply, context).body)));
      assert.deepEqual({ ...again, parts: again.parts.length }, { ...reply, parts: reply.parts.length });
    });
  }
});
