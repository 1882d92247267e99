// Recorded answers of Google's, of its own API and of Vertex AI, decoded, and translated for clients of every dialect. The recordings stand
// beside the project.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices';
import { parse as parseYAML } from 'yaml';
import { costOf } from '#core/accounting/cost.ts';
import { type Folded, fold } from '#core/chat/fold.ts';
import { signatureOf } from '#core/chat/foreign.ts';
import type { ChatEvent, ChatReply } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { cataloguePrice } from '#core/compile/prices.ts';
import { scanObject } from '#core/json/scan.ts';
import { epochMillis } from '#core/units.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend, ReplyContext } from '#dataplane/frontends/frontend.ts';
import { askedOf, gemini as geminiFrontend } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { messagesOf, SseBlocks } from '#dataplane/http/sse.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';
import type { Provider, SseMessage } from '#dataplane/providers/provider.ts';
import { loadPriceCatalogue } from '#platform/price-catalogue.ts';
import { valueIn } from '#test/support/parsed.ts';

const recordings = path.join(import.meta.dirname, '../../../shared/recordings');
const absent = !existsSync(recordings) && 'the recordings are not beside this checkout';
const read = (file: string) => readFileSync(path.join(recordings, file), 'utf8');
const found = (pattern: string) => (absent ? [] : globSync(pattern, { cwd: recordings }).sort());

type Json = Record<string, unknown>;
type Interaction = {
  readonly request: { readonly parsed_body?: Json; readonly uri: string };
  readonly response: {
    readonly body?: { readonly string?: string };
    readonly parsed_body?: Json;
    readonly status: { readonly code: number };
  };
};
const cassettes = found('pydantic-ai/test_google/*.yaml').flatMap(file =>
  (parseYAML(read(file)) as { interactions: Interaction[] }).interactions
    .map((interaction, i) => ({ name: `${file}#${i}`, ...interaction }))
    .filter(({ request }) => askedOf(new URL(request.uri).pathname) !== undefined),
);

/** The recordings of the AI SDK have lost their frames: `data` lines are put back, and line ends as Google writes them. */
const framed = (chunks: string): string =>
  chunks
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => `data: ${line}\r\n\r\n`)
    .join('');

const streams: readonly { readonly name: string; readonly sse: Buffer }[] = [
  ...found('ai-sdk/google/*.chunks.txt').map(name => ({ name, sse: Buffer.from(framed(read(name))) })),
  ...cassettes.flatMap(({ name, response }) =>
    response.body?.string?.startsWith('data:') ? [{ name, sse: Buffer.from(response.body.string) }] : [],
  ),
];

const replies: readonly { readonly name: string; readonly body: Json }[] = [
  ...found('ai-sdk/google/*.json').map(name => ({ name, body: JSON.parse(read(name)) as Json })),
  ...cassettes.flatMap(({ name, response }) => {
    const text = response.body?.string;
    const body = response.parsed_body ?? (text?.startsWith('{') ? (JSON.parse(text) as Json) : undefined);
    return body ? [{ name, body }] : [];
  }),
].filter(({ body }) => body.error === undefined);

const context: ReplyContext = {
  requestId: '0190b5a8-0000-7000-8000-000000000000',
  createdSeconds: 1_780_000_000,
  includeUsage: true,
};
const google = geminiFrontend({ model: 'gemini', stream: true });

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

function eventsOf(
  messages: readonly SseMessage[],
  { streamDecoder }: Pick<Provider, 'streamDecoder'> = generateContent,
): ChatEvent[] {
  const decoder = streamDecoder();
  return [...messages.flatMap(message => decoder.push(message)), ...decoder.close()];
}

const decoded = (sse: Buffer, wire?: Pick<Provider, 'streamDecoder'>): Folded => fold(eventsOf(messagesIn([sse]), wire));

/** The stream as a client of the frontend gets it. */
function encodedFor(frontend: Frontend, events: readonly ChatEvent[]): Buffer {
  const encoder = frontend.streamEncoder(context);
  return Buffer.from(events.map(event => encoder.push(event)).join(''));
}

const bytesOneByOne = function* (bytes: Buffer): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i++) yield bytes.subarray(i, i + 1);
};

const textOf = ({ parts }: ChatReply): string => parts.flatMap(part => (part.kind === 'text' ? [part.text] : [])).join('');
const callsOf = ({ parts }: ChatReply): unknown[] =>
  parts.flatMap(part => (part.kind === 'tool-call' ? [[part.name, JSON.parse(part.arguments || '{}')]] : []));
const thoughtsOf = ({ parts }: ChatReply): string =>
  parts.flatMap(part => (part.kind === 'thinking' ? [part.text] : [])).join('');
/** Signatures, and what each stands before. */
const signaturesOf = ({ parts }: ChatReply): unknown[] =>
  parts.flatMap((part, i) =>
    part.kind === 'thinking' && part.signature ? [[signatureOf('google', part.signature), kindAfter(parts, i)]] : [],
  );
const kindAfter = (parts: readonly AssistantPart[], i: number): string => parts[i + 1]?.kind ?? 'end';

describe('the recorded streams of Google', { skip: absent }, () => {
  test('are here', () => {
    assert.ok(streams.length >= 9, `${streams.length} streams`);
    assert.ok(replies.length >= 20, `${replies.length} replies`);
    assert.ok(streams.some(({ sse }) => sse.includes('\r\n\r\n')));
  });

  for (const { name, sse } of streams) {
    test(`${name} is a complete answer with usage`, () => {
      const { reply, complete, failure } = decoded(sse);
      assert.equal(failure, undefined);
      assert.ok(complete);
      assert.match(reply.model, /^gemini-/);
      assert.notEqual(reply.id, '');
      assert.ok(reply.usage && reply.usage.output > 0 && reply.usage.inputUncached > 0);
      assert.ok(reply.parts.length > 0);
      callsOf(reply);
    });

    test(`${name} means the same however the network splits it`, () => {
      assert.deepEqual(messagesIn(bytesOneByOne(sse)), messagesIn([sse]));
    });

    test(`${name} is cut off wherever it ends before its finish reason`, () => {
      const messages = messagesIn([sse]);
      const last = messages.findIndex(message => /"finishReason":\s*"/.test(message.data));
      for (let end = 0; end <= last; end += Math.max(1, Math.floor(last / 20)))
        assert.equal(fold(eventsOf(messages.slice(0, end))).failure?.class, 'upstream_stream_truncated');
      assert.ok(fold(eventsOf(messages)).complete);
    });

    test(`${name} says the same to clients of Google's dialect, signatures and all`, () => {
      const events = eventsOf(messagesIn([sse]));
      const before = fold(events);
      const after = decoded(encodedFor(google, events));
      assert.ok(after.complete);
      assert.equal(textOf(after.reply), textOf(before.reply));
      assert.equal(thoughtsOf(after.reply), thoughtsOf(before.reply));
      assert.deepEqual(callsOf(after.reply), callsOf(before.reply));
      assert.deepEqual(signaturesOf(after.reply).filter(isReal), signaturesOf(before.reply));
      assert.deepEqual(after.reply.usage, before.reply.usage);
      assert.deepEqual(after.reply.finish, before.reply.finish);
    });

    test(`${name} says the same to clients of Anthropic's dialect, and its signatures come back`, () => {
      const events = eventsOf(messagesIn([sse]));
      const { reply } = fold(events);
      const after = decoded(encodedFor(anthropicMessages, events), anthropic);
      assert.ok(after.complete);
      assert.equal(textOf(after.reply), textOf(reply));
      assert.deepEqual(callsOf(after.reply), callsOf(reply));
      assert.deepEqual(
        signaturesOf(after.reply)
          .map(pair => (pair as unknown[])[0])
          .filter(signature => signature !== undefined),
        signaturesOf(reply).map(pair => (pair as unknown[])[0]),
      );
    });

    test(`${name} says the same to clients of OpenAI's dialect`, () => {
      const events = eventsOf(messagesIn([sse]));
      const { reply } = fold(events);
      const after = decoded(encodedFor(openAIChat, events), openAIDialect);
      assert.ok(after.complete);
      assert.equal(textOf(after.reply), textOf(reply));
      assert.deepEqual(callsOf(after.reply), callsOf(reply));
      assert.deepEqual(after.reply.usage, reply.usage);
    });
  }
});

/** What stands for a signature is not one that was made. */
const isReal = (pair: unknown): boolean => (pair as unknown[])[0] !== 'skip_thought_signature_validator';

describe('the recorded replies of Google', { skip: absent }, () => {
  for (const { name, body } of replies) {
    test(`${name} decodes, and survives being encoded for a client of the same dialect`, () => {
      const reply = valueIn(generateContent.decodeReply(body));
      const again = valueIn(generateContent.decodeReply(JSON.parse(google.encodeReply(reply, context).body)));
      assert.equal(textOf(again), textOf(reply));
      assert.deepEqual(callsOf(again), callsOf(reply));
      assert.deepEqual(signaturesOf(again).filter(isReal), signaturesOf(reply));
      assert.deepEqual([again.usage, again.finish.reason], [reply.usage, reply.finish.reason]);
    });

    test(`${name} is read alike by both paths`, () => {
      const reply = valueIn(generateContent.decodeReply(body));
      const facts = valueIn(generateContent.inspectReply(body));
      assert.deepEqual([facts.id, facts.model, facts.usage], [reply.id, reply.model, reply.usage]);
      assert.equal(facts.empty, false);
      assert.equal(facts.filtered, reply.finish.reason === 'content-filter' && reply.parts.length === 0);
    });
  }

  test('of Model Armor are withheld, be it the prompt or the answer', () => {
    const blocked = replies.filter(({ name }) => name.includes('model_armor'));
    assert.equal(blocked.length, 2);
    for (const { body } of blocked) assert.equal(valueIn(generateContent.inspectReply(body)).filtered, true);
  });
});

test('the recorded rate limit says when to come back', { skip: absent }, () => {
  const body = read('ai-sdk/google/google-429-retry-info.json');
  const failure = generateContent.classify({ status: 429, headers: {}, body, now: epochMillis(0) });
  assert.deepEqual([failure.class, failure.retryAfter], ['upstream_rate_limited', 34_400]);
  const perDay = body.replace('PerMinute', 'PerDay');
  assert.equal(
    generateContent.classify({ status: 429, headers: {}, body: perDay, now: epochMillis(0) }).class,
    'upstream_quota_exhausted',
  );
});

describe('the recorded requests to Google', { skip: absent }, () => {
  for (const { name, request } of cassettes) {
    const body = request.parsed_body ?? {};
    if (!Array.isArray(body.contents)) continue;
    test(`${name} decodes`, () => {
      const { model } = askedOf(new URL(request.uri).pathname)!;
      const frontend = geminiFrontend({ model, stream: false });
      const view = valueIn(scanObject(Buffer.from(JSON.stringify(body)), { maxDepth: 100, interpreted: new Set(), isUtf8 }));
      assert.equal(valueIn(frontend.inspect(view)).model, model);
      const decodedRequest = valueIn(frontend.decode(view));
      assert.ok(decodedRequest.messages.length > 0);
      assert.deepEqual(decodedRequest.body, body);
    });
  }
});

test("recorded answers cost what the price list's own library says, but for what Google's tools read", {
  skip: absent,
}, async () => {
  const catalogue = await loadPriceCatalogue();
  const listedBy = findProvider({ providerId: 'google' })!;
  const at = Date.parse('2026-11-21T00:00:00Z');
  let compared = 0;
  for (const { name, body } of replies) {
    const model = String(body.modelVersion);
    const listed = catalogue.find({ id: 'google' }, model, at);
    const { usage } = valueIn(generateContent.decodeReply(body));
    const price = listed && cataloguePrice(listed, false, '1');
    const usedByTools = (body.usageMetadata as Json | undefined)?.toolUsePromptTokenCount !== undefined;
    if (!price || !usage || usedByTools) continue;
    const theirs = calcPrice(extractUsage(listedBy, body).usage, model, {
      provider: listedBy,
      timestamp: new Date(at),
    })!.total_price;
    const ours = costOf(usage, price) / 1e9;
    assert.ok(Math.abs(ours - theirs) <= 1e-9, `${name}: ${ours} here, ${theirs} there`);
    compared++;
  }
  assert.ok(compared >= 10, `${compared} answers compared`);
});
