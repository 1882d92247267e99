// Streams of Mistral, Groq, DeepSeek and OpenRouter, translated for clients of every dialect: the official SDKs read the same content.
// That they decode to the same events wherever they are cut is in openai-chat.test.ts.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { type Folded, fold } from '#core/chat/fold.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { gemini } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { messagesOf } from '#dataplane/http/sse.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';
import type { StreamDecoder } from '#dataplane/providers/provider.ts';
import { readStream } from '#test/support/read-by-sdk.ts';
import { withoutRecordings } from '#test/support/recorded-streams.ts';

const root = path.join(import.meta.dirname, '../../../shared/recordings');
const files = (pattern: string): string[] => (withoutRecordings ? [] : globSync(pattern, { cwd: root }).sort());
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

type Cassette = { readonly interactions?: readonly { readonly response: { readonly body?: { readonly string?: string } } }[] };

const streams: readonly { readonly name: string; readonly body: string }[] = [
  ...files('ai-sdk/{groq,mistral,deepseek}/**/*.chunks.txt').map(name => ({
    name,
    body: `${read(name)
      .split('\n')
      .filter(line => line !== '')
      .map(line => `data: ${line}\n\n`)
      .join('')}data: [DONE]\n\n`,
  })),
  ...files('pydantic-ai/test_{groq,mistral,deepseek,openrouter}/*.yaml').flatMap(name =>
    ((parse(read(name)) as Cassette).interactions ?? []).flatMap(({ response }, i) =>
      response.body?.string?.includes('"chat.completion.chunk"') ? [{ name: `${name} #${i}`, body: response.body.string }] : [],
    ),
  ),
];

function decoded(decoder: StreamDecoder, body: string): ChatEvent[] {
  const events = messagesOf(Buffer.from(body)).flatMap(message => decoder.push(message));
  return [...events, ...decoder.close()];
}

const context = { requestId: '0190b5a8-0000-7000-8000-000000000000', createdSeconds: 1_780_000_000, includeUsage: true };

function encoded(frontend: Frontend, events: readonly ChatEvent[]): string {
  const encoder = frontend.streamEncoder(context);
  return events.map(event => encoder.push(event)).join('');
}

const said = ({ reply }: Folded, kind: 'text' | 'refusal'): string =>
  reply.parts.map(part => (part.kind === kind ? part.text : '')).join('');

const callsIn = ({ reply }: Folded) =>
  reply.parts.flatMap(part =>
    part.kind === 'tool-call' ? [{ name: part.name, arguments: JSON.parse(part.arguments || '{}') }] : [],
  );

describe('recorded streams of those who speak like OpenAI', { skip: withoutRecordings }, () => {
  test('are there, of each', () => {
    for (const who of ['groq', 'mistral', 'deepseek', 'openrouter'])
      assert.ok(
        streams.some(({ name }) => name.includes(who)),
        who,
      );
  });

  for (const { name, body } of streams) {
    const events = decoded(openAIDialect.streamDecoder(), body);
    const answer = fold(events);
    // Groq ends some streams in an error, which is none of an answer.
    if (answer.failure) continue;

    for (const frontend of [openAIChat, openAIResponses, anthropicMessages])
      test(`${name} is the same for a client of ${frontend.dialect}`, async () => {
        const seen = await readStream(frontend.dialect, encoded(frontend, events));
        assert.equal(seen.text, said(answer, 'text'));
        assert.deepEqual(seen.calls, callsIn(answer));
        assert.equal(seen.outputTokens, answer.reply.usage?.output);
        assert.equal(seen.isCut, answer.reply.finish.reason === 'length');
      });

    test(`${name} is the same for a client of gemini`, () => {
      const again = fold(decoded(generateContent.streamDecoder(), encoded(gemini({ model: 'm', stream: true }), events)));
      assert.ok(again.complete);
      assert.equal(said(again, 'text'), said(answer, 'text'));
      assert.deepEqual(callsIn(again), callsIn(answer));
    });
  }
});
