// Replays what real servers of the OpenAI chat dialect have sent. The recordings are not part of the project: without them the
// tests skip, and the cases beside the code stand alone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { isRecord } from '#core/json/record.ts';
import { messagesOf } from '#dataplane/http/sse.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';
import { eventsIn } from '#test/support/decoding.ts';
import {
  asData,
  exchangesIn,
  files,
  type RawAnswer,
  type RecordedText,
  rawAnswersIn,
  shortened,
  withoutRecordings as skip,
  streamsIn,
  textOf,
} from '#test/support/recordings.ts';

const chunkFiles = streamsIn(
  'ai-sdk/{openai,azure,groq,mistral,deepseek,openai-compatible}/**/*.chunks.txt',
  asData,
  asData('[DONE]'),
);
const exchanged: readonly RawAnswer[] = exchangesIn('pydantic-ai/*/*.yaml')
  .filter(({ uri }) => new URL(uri).pathname.endsWith('/chat/completions'))
  .map(({ name, status, headers, text, json }) => ({
    name,
    status,
    contentType: headers['content-type']?.[0] ?? '',
    body: text ?? JSON.stringify(json),
  }));
const ofVllm = rawAnswersIn('vllm/{chat,error}*.http');

const isChunk = ({ body }: RecordedText): boolean => body.includes('"chat.completion.chunk"');
const isStream = ({ contentType }: RawAnswer): boolean => contentType.includes('event-stream');

const decoded = (bytes: Buffer, splitAt = 0) => eventsIn(openAIDialect, [bytes.subarray(0, splitAt), bytes.subarray(splitAt)]);

/** Streams in which the server itself reports an error after it began. */
const broken = (body: string): boolean => /^data: \{"error"/m.test(body);

describe('recorded chat streams', { skip }, () => {
  const streams = [...chunkFiles, ...[...exchanged, ...ofVllm].filter(isStream)].filter(isChunk);

  test('are there', () => assert.ok(streams.length >= 15, `${streams.length} streams`));

  for (const { name, body } of streams) {
    test(`${name} decodes to a complete answer that says something`, () => {
      const { reply, complete, failure } = fold(decoded(Buffer.from(body)));
      if (broken(body)) return assert.equal(failure?.class, 'upstream_invalid_request');
      assert.equal(failure, undefined);
      assert.ok(complete);
      // The tiny model of the vLLM recordings has written nothing but special tokens up to its limit.
      assert.ok(reply.parts.length > 0 || reply.finish.reason === 'length');
      assert.ok(reply.model);
      for (const part of reply.parts)
        if (part.kind === 'tool-call') assert.ok(part.name && part.id && isRecord(JSON.parse(part.arguments || '{}')));
    });

    test(`${name} decodes to the same events wherever its bytes are split`, () => {
      const bytes = Buffer.from(shortened(body, 16));
      const whole = decoded(bytes);
      for (let at = 1; at < bytes.length; at += stride(bytes.length)) assert.deepEqual(decoded(bytes, at), whole);
    });

    test(`${name}: no frame that is more than content escapes the notable pattern`, () => {
      const decoder = openAIDialect.streamDecoder();
      for (const message of messagesOf(Buffer.from(body))) {
        const isPlain = decoder.push(message).every(({ kind }) => !['usage', 'finish', 'error', 'end'].includes(kind));
        assert.ok(isPlain || openAIDialect.notable.test(message.data), message.data);
      }
    });
  }
});

/** Every byte of a short stream; of a long one its two ends, where all that is not plain content stands. */
const SHORT = 6000;
const stride = (length: number): number => Math.max(1, Math.ceil(length / SHORT));

describe('recorded whole chat replies', { skip }, () => {
  const wholes = files('ai-sdk/{openai/chat,groq,mistral,deepseek/chat,openai-compatible/chat}/*.json')
    .map(name => ({ name, body: textOf(name) }))
    .concat([...exchanged, ...ofVllm].filter(answer => answer.status === 200 && !isStream(answer)))
    .filter(({ body }) => body.includes('"chat.completion"'));

  test('are there', () => assert.ok(wholes.length >= 30, `${wholes.length} replies`));

  for (const { name, body } of wholes) {
    test(`${name} decodes, and its facts agree with the reply`, () => {
      const reply = openAIDialect.decodeReply(JSON.parse(body));
      const facts = openAIDialect.inspectReply(JSON.parse(body));
      assert.ok(reply.ok && facts.ok);
      assert.deepEqual(facts.value.usage, reply.value.usage);
      assert.equal(facts.value.model, reply.value.model);
      assert.equal(facts.value.empty, false);
      assert.ok(reply.value.usage && reply.value.usage.output > 0);
    });
  }
});

describe('recorded error answers', { skip }, () => {
  const expected: Readonly<Record<string, string>> = {
    'vllm/chat-engine-dead.http': 'upstream_error',
    'vllm/error-badjson.http': 'upstream_invalid_request',
    'vllm/error-context-stream.http': 'context_length_exceeded',
    'vllm/error-context.http': 'context_length_exceeded',
    'vllm/error-max-tokens.http': 'context_length_exceeded',
    'vllm/error-model.http': 'upstream_model_not_found',
    'vllm/error-queue-full.http': 'upstream_saturated',
    'vllm/error-temperature.http': 'upstream_invalid_request',
    'vllm/error-type.http': 'upstream_invalid_request',
  };
  const errors = ofVllm.filter(({ status }) => status >= 400);

  for (const { name, status, body } of errors) {
    test(`${name} is ${expected[name]}`, () => {
      const failure = openAIDialect.classify({ status, headers: {}, body, now: 0 as never });
      assert.equal(failure.class, expected[name]);
      assert.equal(failure.upstreamStatus, status);
    });
  }
});
