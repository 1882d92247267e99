// Replays what OpenAI, Azure, GitHub and vLLM have sent over the Responses wire: decoded, and written anew for clients of other dialects,
// whose own SDKs read it. The recordings are not part of the project: without them the tests skip, and the cases beside the code stand alone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { messagesOf } from '#dataplane/http/sse.ts';
import { compatibleProfile, responsesWire } from '#dataplane/providers/openai/index.ts';
import { asTold, encodedFor, eventsIn, replyContext } from '#test/support/decoding.ts';
import { valueIn } from '#test/support/parsed.ts';
import { meant, readStream, readWhole } from '#test/support/read-by-sdk.ts';
import {
  asEvent,
  exchangesIn,
  rawAnswersIn,
  repliesIn,
  shortened,
  withoutRecordings as skip,
  streamsIn,
} from '#test/support/recordings.ts';

const wire = responsesWire(compatibleProfile, 'other', () => ({ origin: '', path: '', headers: {} }));
const frontends: readonly Frontend[] = [openAIResponses, openAIChat, anthropicMessages];
const exchanges = exchangesIn('pydantic-ai/*/*.yaml').filter(({ uri }) => /\/responses(?:\/|\?|$)/.test(uri));

const streams = [
  ...streamsIn('ai-sdk/{openai/responses,azure}/*.chunks.txt', asEvent),
  ...exchanges.flatMap(({ name, text: body }) => (body ? [{ name, body }] : [])),
].filter(({ body }) => body.includes('"response.created"'));

const replies = [
  ...repliesIn('ai-sdk/openai/responses/*.json'),
  ...exchanges.flatMap(({ name, json: body }) => (body ? [{ name, body }] : [])),
  ...rawAnswersIn('vllm/responses.http').map(({ name, body }) => ({ name, body: JSON.parse(body) as Record<string, unknown> })),
].filter(({ body }) => body.object === 'response' && ['completed', 'incomplete'].includes(String(body.status)));

const decoded = (bytes: Buffer, splitAt = 0) => eventsIn(wire, [bytes.subarray(0, splitAt), bytes.subarray(splitAt)]);
const stride = (length: number): number => Math.max(1, Math.floor(length / 400));

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
        assert.deepEqual(await readStream(frontend.dialect, encodedFor(frontend, events)), meant(fold(events).reply));
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
        assert.deepEqual(await readWhole(frontend.dialect, frontend.encodeReply(reply, replyContext).body), meant(reply));
      });

    test(`${name} comes back whole from a client of its own dialect`, () => {
      const reply = valueIn(wire.decodeReply(body));
      const again = valueIn(wire.decodeReply(JSON.parse(openAIResponses.encodeReply(reply, replyContext).body)));
      assert.deepEqual({ ...again, parts: again.parts.length }, { ...asTold(reply), parts: reply.parts.length });
    });
  }
});
