// Replays what real servers of the OpenAI chat dialect have sent. The recordings are not part of the project: without them the
// tests skip, and the cases beside the code stand alone.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { fold } from '#core/chat/fold.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { isRecord } from '#core/json/record.ts';
import { messagesOf, SseBlocks } from '#dataplane/http/sse.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';

const root = path.join(import.meta.dirname, '../../../shared/recordings');
const skip = !existsSync(root) && 'the recordings (../shared/recordings) are not here';

type Recording = { readonly name: string; readonly body: string };
type Answer = { readonly name: string; readonly status: number; readonly contentType: string; readonly body: string };

const files = (pattern: string): string[] => (skip ? [] : globSync(pattern, { cwd: root }).sort());
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** `*.chunks.txt` has the payloads of the `data:` lines, one a line. */
function chunkFiles(): Recording[] {
  return files('ai-sdk/{openai,azure,groq,mistral,deepseek,openai-compatible}/**/*.chunks.txt').map(name => {
    const frames = textOf(name)
      .split('\n')
      .filter(line => line !== '')
      .map(line => `data: ${line}\n\n`);
    return { name, body: `${frames.join('')}data: [DONE]\n\n` };
  });
}

function cassettes(): Answer[] {
  return files('pydantic-ai/*/*.yaml').flatMap(name => {
    const { interactions = [] } = parse(textOf(name)) as { interactions?: Interaction[] };
    return interactions.filter(isChat).map(({ response }, i) => ({
      name: `${name} #${i}`,
      status: response.status.code,
      contentType: response.headers['content-type']?.[0] ?? '',
      body: response.body?.string ?? JSON.stringify(response.parsed_body),
    }));
  });
}

type Interaction = {
  readonly request?: { readonly uri: string };
  readonly response: {
    readonly status: { readonly code: number };
    readonly headers: Readonly<Record<string, readonly string[]>>;
    readonly body?: { readonly string?: string };
    readonly parsed_body?: unknown;
  };
};
/** The gRPC cassettes of xAI have no request of this form. */
const isChat = ({ request }: Interaction): boolean =>
  request !== undefined && new URL(request.uri).pathname.endsWith('/chat/completions');

function vllmAnswers(): Answer[] {
  return files('vllm/{chat,error}*.http').map(name => {
    const [head = '', ...rest] = textOf(name).split('\r\n\r\n');
    return {
      name,
      status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
      contentType: /^content-type: (.*)$/im.exec(head)?.[1] ?? '',
      body: rest.join('\r\n\r\n'),
    };
  });
}

const isChunk = ({ body }: Recording): boolean => body.includes('"chat.completion.chunk"');
const isStream = ({ contentType }: Answer): boolean => contentType.includes('event-stream');

function decoded(bytes: Buffer, splitAt?: number): ChatEvent[] {
  const blocks = new SseBlocks(1 << 20);
  const decoder = openAIDialect.streamDecoder();
  const chunks = splitAt === undefined ? [bytes] : [bytes.subarray(0, splitAt), bytes.subarray(splitAt)];
  const events = chunks.flatMap(chunk => {
    const block = blocks.push(chunk);
    assert.notEqual(block, 'too-long');
    return block ? messagesOf(block as Buffer).flatMap(message => decoder.push(message)) : [];
  });
  return [...events, ...decoder.close()];
}

/** Streams in which the server itself reports an error after it began. */
const broken = (body: string): boolean => /^data: \{"error"/m.test(body);

describe('recorded chat streams', { skip }, () => {
  const answers = skip ? [] : [...cassettes(), ...vllmAnswers()].filter(isStream);
  const streams = [...(skip ? [] : chunkFiles()), ...answers].filter(isChunk);

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
      const bytes = Buffer.from(shortened(body));
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

function shortened(body: string): string {
  const frames = body.split(/(?<=\n\r?\n)/);
  return frames.length <= 16 ? body : [...frames.slice(0, 8), ...frames.slice(-8)].join('');
}

describe('recorded whole chat replies', { skip }, () => {
  const wholes = files('ai-sdk/{openai/chat,groq,mistral,deepseek/chat,openai-compatible/chat}/*.json')
    .map(name => ({ name, body: textOf(name) }))
    .concat(skip ? [] : [...cassettes(), ...vllmAnswers()].filter(answer => answer.status === 200 && !isStream(answer)))
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
  const errors = skip ? [] : vllmAnswers().filter(({ status }) => status >= 400);

  for (const { name, status, body } of errors) {
    test(`${name} is ${expected[name]}`, () => {
      const failure = openAIDialect.classify({ status, headers: {}, body, now: 0 as never });
      assert.equal(failure.class, expected[name]);
      assert.equal(failure.upstreamStatus, status);
    });
  }
});
