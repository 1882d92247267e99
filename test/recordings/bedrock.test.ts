// Recorded answers of Bedrock: binary streams are read however they are cut, mean the same whole and in frames, and say the same to the official
// SDKs in each client dialect. The recordings stand beside the project.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { UNSIGNED } from '#core/chat/foreign.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { epochMillis } from '#core/units.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { bedrockConverse, eventStream } from '#dataplane/frontends/bedrock-converse/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { messagesOf } from '#dataplane/http/sse.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import { asTold, encodedFor, eventsIn as eventsOfWire, oneByOne, replyContext } from '#test/support/decoding.ts';
import { asAwsFrame } from '#test/support/every-recording.ts';
import { valueIn } from '#test/support/parsed.ts';
import { meant, type Read, readStream, readWhole } from '#test/support/read-by-sdk.ts';
import { exchangesIn, files, payloadsIn, repliesIn, withoutRecordings as skip } from '#test/support/recordings.ts';

const frontends: readonly Frontend[] = [openAIChat, anthropicMessages, openAIResponses];
const exchanges = exchangesIn('pydantic-ai/test_bedrock/*.yaml').filter(({ uri }) => uri.includes('bedrock-runtime'));

const streams = [
  ...exchanges.flatMap(({ name, bytes }) => (bytes ? [{ name, bytes, isWhole: true }] : [])),
  // Made for tests of the AI SDK: some lack the beginning, and the usage.
  ...files('ai-sdk/amazon-bedrock/*.chunks.txt').map(name => ({
    name,
    bytes: Buffer.concat(payloadsIn(name).map(asAwsFrame)),
    isWhole: false,
  })),
];

const replies = [
  ...repliesIn('ai-sdk/amazon-bedrock/*.json'),
  ...exchanges.flatMap(({ name, json: body }) => (body ? [{ name, body }] : [])),
].filter(({ body }) => body.output !== undefined);

const eventsIn = (pieces: Iterable<Buffer>) => eventsOfWire(converse, pieces);

/** Some dialects have to say a number where none is known. */
const comparable = (read: Read, { usage }: ChatReply): Read => (usage ? read : { ...read, outputTokens: undefined });

describe('recorded streams of Bedrock', { skip }, () => {
  test('are here', () => assert.ok(streams.length >= 9 && replies.length >= 20, `${streams.length}, ${replies.length}`));

  for (const { name, bytes, isWhole } of streams) {
    test(`${name} is a complete answer`, () => {
      const { reply, complete, failure } = fold(eventsIn([bytes]));
      assert.equal(failure, undefined);
      assert.ok(complete);
      assert.ok(reply.parts.length > 0);
      if (isWhole) assert.ok(reply.usage && reply.usage.output > 0 && promptTokens(reply.usage) > 0);
    });

    test(`${name} means the same however the network splits it`, () => {
      assert.deepEqual(eventsIn(oneByOne(bytes)), eventsIn([bytes]));
    });

    test(`${name} is cut off wherever it ends before its stop reason is known`, () => {
      const end = bytes.indexOf('stopReason');
      for (let at = 0; at <= end; at += Math.max(1, Math.floor(end / 50)))
        assert.equal(fold(eventsIn([bytes.subarray(0, at)])).failure?.class, 'upstream_stream_truncated', `after ${at} bytes`);
    });

    test(`${name} with a wrong bit anywhere is a bad answer, and never whole`, () => {
      for (let at = 0; at < bytes.length; at += Math.max(1, Math.floor(bytes.length / 50))) {
        const wrong = Buffer.from(bytes);
        wrong[at]! ^= 0x10;
        const { complete, failure } = fold(eventsIn([wrong]));
        assert.deepEqual([complete, failure?.class], [false, 'upstream_bad_response'], `byte ${at}`);
      }
    });

    test(`${name} comes back whole from a client of its own dialect, frame by frame`, () => {
      const events = eventsIn([bytes]);
      const encoder = bedrockConverse({ model: '', stream: true }).streamEncoder(replyContext);
      const framing = eventStream(messagesOf);
      const frames = events.map(event => framing.frames(encoder.push(event)) as Buffer);
      const [before, after] = [fold(events), fold(eventsIn(frames))];
      const said = before.reply.parts.filter(part => !('text' in part) || part.text !== '');
      // Thinking that nobody signed is marked.
      const marked = said.map(part => (part.kind === 'thinking' && !part.signature ? { ...part, signature: UNSIGNED } : part));
      assert.deepEqual(after, { ...before, reply: { ...asTold(before.reply), parts: marked } });
    });

    for (const frontend of frontends)
      test(`${name} says the same to the SDK of ${frontend.dialect}`, async () => {
        const events = eventsIn(oneByOne(bytes));
        const { reply } = fold(events);
        const read = await readStream(frontend.dialect, encodedFor(frontend, events));
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
        const read = await readWhole(frontend.dialect, frontend.encodeReply(reply, replyContext).body);
        assert.deepEqual(comparable(read, reply), meant(reply));
      });
  }

  test('errors are what they say', () => {
    const refused = exchanges.filter(({ status }) => status >= 400);
    assert.ok(refused.length > 0);
    for (const { status, json } of refused) {
      const failure = converse.classify({ status, headers: {}, body: JSON.stringify(json), now: epochMillis(0) });
      assert.equal(failure.class, 'upstream_model_not_found');
    }
  });
});
