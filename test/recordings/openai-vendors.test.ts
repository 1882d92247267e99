// Streams of Mistral, Groq, DeepSeek and OpenRouter, translated for clients of every dialect: the official SDKs read the same content.
// That they decode to the same events wherever they are cut is in openai-chat.test.ts.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { gemini } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { openAIDialect } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';
import { encodedFor, eventsIn } from '#test/support/decoding.ts';
import { meant, readStream } from '#test/support/read-by-sdk.ts';
import { asData, exchangesIn, streamsIn, withoutRecordings } from '#test/support/recordings.ts';

const streams = [
  ...streamsIn('ai-sdk/{groq,mistral,deepseek}/**/*.chunks.txt', asData, asData('[DONE]')),
  ...exchangesIn('pydantic-ai/test_{groq,mistral,deepseek,openrouter}/*.yaml').flatMap(({ name, text: body }) =>
    body?.includes('"chat.completion.chunk"') ? [{ name, body }] : [],
  ),
];

const decoded = (wire: Pick<Provider, 'streamDecoder'>, body: string) => eventsIn(wire, [Buffer.from(body)]);

describe('recorded streams of those who speak like OpenAI', { skip: withoutRecordings }, () => {
  test('are there, of each', () => {
    for (const who of ['groq', 'mistral', 'deepseek', 'openrouter'])
      assert.ok(
        streams.some(({ name }) => name.includes(who)),
        who,
      );
  });

  for (const { name, body } of streams) {
    const events = decoded(openAIDialect, body);
    const answer = fold(events);
    // Groq ends some streams in an error, which is none of an answer.
    if (answer.failure) continue;

    for (const frontend of [openAIChat, openAIResponses, anthropicMessages])
      test(`${name} is the same for a client of ${frontend.dialect}`, async () => {
        assert.deepEqual(await readStream(frontend.dialect, encodedFor(frontend, events)), meant(answer.reply));
      });

    test(`${name} is the same for a client of gemini`, () => {
      const again = fold(decoded(generateContent, encodedFor(gemini({ model: 'm', stream: true }), events)));
      assert.ok(again.complete);
      const [before, after] = [answer, again].map(({ reply }) => meant(reply));
      assert.deepEqual([after!.text, after!.calls], [before!.text, before!.calls]);
    });
  }
});
