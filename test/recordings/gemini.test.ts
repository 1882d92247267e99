// Recorded answers of Google's, of its own API and of Vertex AI, decoded, and translated for clients of every dialect. The recordings stand
// beside the project.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices';
import { costOf } from '#core/accounting/cost.ts';
import { type Folded, fold } from '#core/chat/fold.ts';
import { signatureOf } from '#core/chat/foreign.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { cataloguePrice } from '#core/compile/prices.ts';
import { scanObject } from '#core/json/scan.ts';
import { epochMillis } from '#core/units.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { askedOf, gemini as geminiFrontend } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';
import { loadPriceCatalogue } from '#platform/price-catalogue.ts';
import { asTold, encodedFor, eventsIn, eventsOf, messagesIn, oneByOne, replyContext } from '#test/support/decoding.ts';
import { valueIn } from '#test/support/parsed.ts';
import {
  asGoogleData,
  exchangesIn,
  textOf as recorded,
  repliesIn,
  withoutRecordings as skip,
  streamsIn,
} from '#test/support/recordings.ts';

const exchanges = exchangesIn('pydantic-ai/test_google/*.yaml').filter(({ uri }) => askedOf(new URL(uri).pathname) !== undefined);

const streams = [
  ...streamsIn('ai-sdk/google/*.chunks.txt', asGoogleData),
  ...exchanges.flatMap(({ name, text }) => (text?.startsWith('data:') ? [{ name, body: text }] : [])),
].map(({ name, body }) => ({ name, sse: Buffer.from(body) }));

const replies = [
  ...repliesIn('ai-sdk/google/*.json'),
  ...exchanges.flatMap(({ name, json, text }) => {
    const body = json ?? (text?.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : undefined);
    return body ? [{ name, body }] : [];
  }),
].filter(({ body }) => body.error === undefined);

const google = geminiFrontend({ model: 'gemini', stream: true });

const decoded = (sse: Buffer, wire: Pick<Provider, 'streamDecoder'> = generateContent): Folded => fold(eventsIn(wire, [sse]));

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

describe('the recorded streams of Google', { skip }, () => {
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
      assert.deepEqual(messagesIn(oneByOne(sse)), messagesIn([sse]));
    });

    test(`${name} is cut off wherever it ends before its finish reason`, () => {
      const messages = messagesIn([sse]);
      const last = messages.findIndex(message => /"finishReason":\s*"/.test(message.data));
      for (let end = 0; end <= last; end += Math.max(1, Math.floor(last / 20)))
        assert.equal(fold(eventsOf(generateContent, messages.slice(0, end))).failure?.class, 'upstream_stream_truncated');
      assert.ok(fold(eventsOf(generateContent, messages)).complete);
    });

    test(`${name} says the same to clients of Google's dialect, signatures and all`, () => {
      const events = eventsIn(generateContent, [sse]);
      const before = fold(events);
      const after = decoded(Buffer.from(encodedFor(google, events)));
      assert.ok(after.complete);
      assert.equal(textOf(after.reply), textOf(before.reply));
      assert.equal(thoughtsOf(after.reply), thoughtsOf(before.reply));
      assert.deepEqual(callsOf(after.reply), callsOf(before.reply));
      assert.deepEqual(signaturesOf(after.reply).filter(isReal), signaturesOf(before.reply));
      assert.deepEqual(asTold(after.reply).usage, asTold(before.reply).usage);
      assert.deepEqual(after.reply.finish, before.reply.finish);
    });

    test(`${name} says the same to clients of Anthropic's dialect, and its signatures come back`, () => {
      const events = eventsIn(generateContent, [sse]);
      const { reply } = fold(events);
      const after = decoded(Buffer.from(encodedFor(anthropicMessages, events)), anthropic);
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
      const events = eventsIn(generateContent, [sse]);
      const { reply } = fold(events);
      const after = decoded(Buffer.from(encodedFor(openAIChat, events)), openAIDialect);
      assert.ok(after.complete);
      assert.equal(textOf(after.reply), textOf(reply));
      assert.deepEqual(callsOf(after.reply), callsOf(reply));
      assert.deepEqual(asTold(after.reply).usage, asTold(reply).usage);
    });
  }
});

/** What stands for a signature is not one that was made. */
const isReal = (pair: unknown): boolean => (pair as unknown[])[0] !== 'skip_thought_signature_validator';

describe('the recorded replies of Google', { skip }, () => {
  for (const { name, body } of replies) {
    test(`${name} decodes, and survives being encoded for a client of the same dialect`, () => {
      const reply = valueIn(generateContent.decodeReply(body));
      const again = valueIn(generateContent.decodeReply(JSON.parse(google.encodeReply(reply, replyContext).body)));
      assert.equal(textOf(again), textOf(reply));
      assert.deepEqual(callsOf(again), callsOf(reply));
      assert.deepEqual(signaturesOf(again).filter(isReal), signaturesOf(reply));
      assert.deepEqual([asTold(again).usage, again.finish.reason], [asTold(reply).usage, reply.finish.reason]);
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

test('the recorded rate limit says when to come back', { skip }, () => {
  const body = recorded('ai-sdk/google/google-429-retry-info.json');
  const failure = generateContent.classify({ status: 429, headers: {}, body, now: epochMillis(0) });
  assert.deepEqual([failure.class, failure.retryAfter], ['upstream_rate_limited', 34_400]);
  const perDay = body.replace('PerMinute', 'PerDay');
  assert.equal(
    generateContent.classify({ status: 429, headers: {}, body: perDay, now: epochMillis(0) }).class,
    'upstream_quota_exhausted',
  );
});

describe('the recorded requests to Google', { skip }, () => {
  for (const { name, uri, asked: body = {} } of exchanges) {
    if (!Array.isArray(body.contents)) continue;
    test(`${name} decodes`, () => {
      const { model } = askedOf(new URL(uri).pathname)!;
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
  skip,
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
    const usedByTools = (body.usageMetadata as Record<string, unknown> | undefined)?.toolUsePromptTokenCount !== undefined;
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
