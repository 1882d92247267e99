// The completions dialect of 2020: what is read of a body, what of it only models of plain text can do, and what the SDK reads of answers.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import type { ChatReply } from '#core/chat/reply.ts';
import { eventsOf } from '#core/chat/unfold.ts';
import { noUsage } from '#core/chat/usage.ts';
import { failure } from '#core/failure.ts';
import { scanObject } from '#core/json/scan.ts';
import { tokens } from '#core/units.ts';
import { openAICompletions as frontend } from './index.ts';

const context = { requestId: 'r-1', createdSeconds: 1, includeUsage: true };
const decodedFrom = (fields: Record<string, unknown>) => {
  const bytes = Buffer.from(JSON.stringify({ model: 'm', prompt: 'Once', ...fields }));
  const scanned = scanObject(bytes, { maxDepth: 9, interpreted: new Set(), isUtf8 });
  assert.ok(scanned.ok);
  return frontend.decode(scanned.value);
};

describe('a completions body', () => {
  test('is what a user says', () => {
    for (const prompt of ['Once', ['Once']]) {
      const request = decodedFrom({ prompt, max_tokens: 5, stop: 'END', suffix: '', echo: false, best_of: 1, logprobs: null });
      assert.ok(request.ok);
      const { messages, maxOutputTokens, stop, extra } = request.value;
      assert.deepEqual(messages, [{ role: 'user', content: [{ kind: 'text', text: 'Once' }] }]);
      assert.deepEqual([maxOutputTokens, stop, extra], [5, ['END'], {}]);
    }
  });

  test('has by its name what only a model of plain text can do', () => {
    const request = decodedFrom({ suffix: 'the end', echo: true, best_of: 3, logprobs: 2, logit_bias: {} });
    assert.deepEqual(request.ok && Object.keys(request.value.extra).sort(), [
      'best_of',
      'echo',
      'logit_bias',
      'logprobs',
      'suffix',
    ]);
  });

  test('of several texts, of tokens, or of none is refused', () => {
    const of = (prompt: unknown) => {
      const request = decodedFrom({ prompt });
      return request.ok ? undefined : [request.failure.class, request.failure.param];
    };
    for (const prompt of [
      ['a', 'b'],
      [1, 2],
      [[1], [2]],
    ])
      assert.deepEqual(of(prompt), ['unsupported_parameter', 'prompt']);
    for (const prompt of [[], 7, null]) assert.deepEqual(of(prompt), ['invalid_request', 'prompt']);
  });
});

const reply: ChatReply = {
  id: 'x',
  model: 'm',
  parts: [
    { kind: 'thinking', text: 'hm' },
    { kind: 'text', text: 'upon a ' },
    { kind: 'text', text: 'time' },
  ],
  finish: { reason: 'length' },
  usage: { ...noUsage, inputUncached: tokens(2), output: tokens(3) },
};
const sdk = (body: string, type: string) =>
  new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: async () => new Response(body, { headers: { 'content-type': type } }) });

describe('an answer, as the SDK reads it', () => {
  test('whole', async () => {
    const { body } = frontend.encodeReply(reply, context);
    const { object, choices, usage } = await sdk(body, 'application/json').completions.create({ model: 'm', prompt: 'Once' });
    assert.deepEqual([object, choices[0]?.text, choices[0]?.finish_reason], ['text_completion', 'upon a time', 'length']);
    assert.deepEqual([usage?.prompt_tokens, usage?.completion_tokens, usage?.total_tokens], [2, 3, 5]);
  });

  const streamed = (events: ReturnType<typeof eventsOf>, includeUsage = true) => {
    const encoder = frontend.streamEncoder({ ...context, includeUsage });
    return events.map(event => encoder.push(event)).join('');
  };

  test('in chunks, with usage for who asked', async () => {
    let text = '';
    let last: OpenAI.Completion | undefined;
    const stream = await sdk(streamed(eventsOf(reply)), 'text/event-stream').completions.create({
      model: 'm',
      prompt: 'Once',
      stream: true,
    });
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? '';
      last = chunk;
    }
    assert.deepEqual([text, last?.choices, last?.usage?.completion_tokens], ['upon a time', [], 3]);
    assert.ok(!streamed(eventsOf(reply), false).includes('usage'));
  });

  test('that breaks off is an error, and has no end', async () => {
    const sse = streamed([
      ...eventsOf(reply).slice(0, 7),
      { kind: 'error', failure: failure('upstream_reset') },
      { kind: 'end' },
    ]);
    assert.ok(!sse.includes('[DONE]'));
    const stream = await sdk(sse, 'text/event-stream').completions.create({ model: 'm', prompt: 'Once', stream: true });
    await assert.rejects(async () => {
      for await (const _ of stream);
    });
  });
});
