// What the providers count, as the one usage record: each token in one class, and the same for a stream as for a whole answer.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fold } from '#core/chat/fold.ts';
import { promptTokens, type Usage } from '#core/chat/usage.ts';
import { anthropic } from './anthropic/index.ts';
import { openAIDialect } from './openai/index.ts';
import type { Provider, SseMessage } from './provider.ts';

type Reader = Pick<Provider, 'decodeReply' | 'inspectReply' | 'streamDecoder'>;

function usageOfWhole(reader: Reader, body: object): Usage {
  const [reply, facts] = [reader.decodeReply(body), reader.inspectReply(body)];
  assert.ok(reply.ok && facts.ok && reply.value.usage);
  assert.deepEqual(facts.value.usage, reply.value.usage);
  return reply.value.usage;
}

function usageOfStream(reader: Reader, ...messages: readonly SseMessage[]): Usage | undefined {
  const decoder = reader.streamDecoder();
  return fold([...messages.flatMap(message => decoder.push(message)), ...decoder.close()]).reply.usage;
}

const data = (event: object): SseMessage => ({ event: '', data: JSON.stringify(event) });
const count = fc.nat(1_000_000);

describe('the usage of OpenAI', () => {
  const wire = fc
    .record({ prompt: count, completion: count })
    .chain(({ prompt, completion }) =>
      fc.record({ cached: fc.nat(prompt), reasoning: fc.nat(completion), audio: fc.nat(completion) }).chain(parts =>
        fc.record({ written: fc.nat(prompt - parts.cached) }).map(({ written }) => ({
          prompt_tokens: prompt,
          completion_tokens: completion,
          total_tokens: prompt + completion,
          prompt_tokens_details: { cached_tokens: parts.cached, cache_write_tokens: written },
          completion_tokens_details: { reasoning_tokens: parts.reasoning, audio_tokens: parts.audio },
        })),
      ),
    )
    // An answer whose prompt and completion are both nothing has no usage worth the name.
    .filter(({ total_tokens }) => total_tokens > 0);
  const whole = { id: 'c', model: 'm', choices: [{ index: 0, message: { content: 'Hi' }, finish_reason: 'stop' }] };
  const chunk = { id: 'c', model: 'm', choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }] };
  const done: SseMessage = { event: '', data: '[DONE]' };

  test('has cached tokens inside the prompt and reasoning inside the completion, once each', () => {
    fc.assert(
      fc.property(wire, usage => {
        const read = usageOfWhole(openAIDialect, { ...whole, usage });
        assert.equal(promptTokens(read), usage.prompt_tokens);
        assert.equal(read.cacheRead, usage.prompt_tokens_details.cached_tokens);
        assert.equal(read.cacheWrite5m, usage.prompt_tokens_details.cache_write_tokens);
        assert.equal(read.output, usage.completion_tokens);
        assert.equal(read.reasoning, usage.completion_tokens_details.reasoning_tokens);
      }),
    );
  });

  test('is the same for a stream, with a chunk of its own, in the last one, or in all of them', () => {
    fc.assert(
      fc.property(wire, usage => {
        const wanted = usageOfWhole(openAIDialect, { ...whole, usage });
        const alone = data({ ...chunk, choices: [], usage });
        assert.deepEqual(usageOfStream(openAIDialect, data({ ...chunk, usage: null }), alone, done), wanted);
        assert.deepEqual(usageOfStream(openAIDialect, data({ ...chunk, usage }), done), wanted);
        const early = { prompt_tokens: usage.prompt_tokens, completion_tokens: 1, total_tokens: usage.prompt_tokens + 1 };
        const first = { ...chunk, choices: [{ index: 0, delta: { content: 'Hi' } }], usage: early };
        assert.deepEqual(usageOfStream(openAIDialect, data(first), data({ ...chunk, usage }), alone, done), wanted);
      }),
    );
  });
});

describe('the usage of Anthropic', () => {
  const wire = fc
    .record({ input: count, read: count, written5m: count, written1h: count, output: count })
    .chain(counts => fc.nat(counts.output).map(thinking => ({ ...counts, thinking })))
    .map(({ input, read, written5m, written1h, output, thinking }) => ({
      input_tokens: input,
      cache_read_input_tokens: read,
      cache_creation_input_tokens: written5m + written1h,
      cache_creation: { ephemeral_5m_input_tokens: written5m, ephemeral_1h_input_tokens: written1h },
      output_tokens: output,
      output_tokens_details: { thinking_tokens: thinking },
    }));
  const message = { id: 'msg_1', type: 'message', model: 'm', content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn' };

  test('has every token in one class: what was read from and written to the cache is not in the input', () => {
    fc.assert(
      fc.property(wire, usage => {
        const read = usageOfWhole(anthropic, { ...message, usage });
        assert.equal(promptTokens(read), usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens);
        assert.equal(read.cacheWrite5m, usage.cache_creation.ephemeral_5m_input_tokens);
        assert.equal(read.cacheWrite1h, usage.cache_creation.ephemeral_1h_input_tokens);
        assert.deepEqual([read.output, read.reasoning], [usage.output_tokens, usage.output_tokens_details.thinking_tokens]);
      }),
    );
  });

  test('is the same for a stream, which tells the input twice and never adds', () => {
    fc.assert(
      fc.property(wire, fc.boolean(), (usage, repeats) => {
        const { output_tokens, output_tokens_details, cache_creation: _, ...input } = usage;
        const atStart = { ...usage, output_tokens: Math.min(1, output_tokens), output_tokens_details: null };
        const atEnd = { ...(repeats && input), output_tokens, output_tokens_details };
        const streamed = usageOfStream(
          anthropic,
          data({ type: 'message_start', message: { ...message, content: [], stop_reason: null, usage: atStart } }),
          data({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: atEnd }),
          data({ type: 'message_stop' }),
        );
        assert.deepEqual(streamed, usageOfWhole(anthropic, { ...message, usage }));
      }),
    );
  });
});
