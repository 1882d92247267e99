// What the official SDKs read of bytes that are put before them, as if a server had sent them.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import type { Dialect } from '#core/chat/dialect.ts';

/** An answer in the least form that all dialects have. */
export type Read = {
  readonly text: string;
  readonly refusal: string;
  readonly calls: readonly { readonly name: string; readonly arguments: unknown }[];
  /** Whether the answer was cut by its length. */
  readonly isCut: boolean;
  readonly outputTokens: number | undefined;
};

const answering = (body: string, contentType: string) => ({
  apiKey: 'sk-test',
  maxRetries: 0,
  fetch: async () => new Response(body, { status: 200, headers: { 'content-type': contentType } }),
});

const SSE = 'text/event-stream';
const question = { role: 'user' as const, content: 'Hi' };

const readers: Readonly<Partial<Record<Dialect, (body: string, contentType: string) => Promise<Read>>>> = {
  'openai-chat': async (body, type) => {
    const { chat } = new OpenAI(answering(body, type));
    const ask = { model: 'm', messages: [question] };
    const answer = type === SSE ? await chat.completions.stream(ask).finalChatCompletion() : await chat.completions.create(ask);
    const { message, finish_reason } = answer.choices[0]!;
    const calls = (message.tool_calls ?? []).flatMap(call => (call.type === 'function' ? [call.function] : []));
    return {
      text: message.content ?? '',
      refusal: message.refusal ?? '',
      calls: calls.map(({ name, arguments: json }) => ({ name, arguments: JSON.parse(json) })),
      isCut: finish_reason === 'length',
      outputTokens: answer.usage?.completion_tokens,
    };
  },
  'openai-responses': async (body, type) => {
    const { responses } = new OpenAI(answering(body, type));
    const ask = { model: 'm', input: 'Hi' };
    const answer = type === SSE ? await responses.stream(ask).finalResponse() : await responses.create(ask);
    const parts = answer.output.flatMap(item => (item.type === 'message' ? item.content : []));
    return {
      text: parts.map(part => (part.type === 'output_text' ? part.text : '')).join(''),
      refusal: parts.map(part => (part.type === 'refusal' ? part.refusal : '')).join(''),
      calls: answer.output.flatMap(item =>
        item.type === 'function_call' ? [{ name: item.name, arguments: JSON.parse(item.arguments) }] : [],
      ),
      isCut: answer.incomplete_details?.reason === 'max_output_tokens',
      outputTokens: answer.usage?.output_tokens,
    };
  },
  'anthropic-messages': async (body, type) => {
    const { messages } = new Anthropic(answering(body, type));
    const ask = { model: 'm', max_tokens: 100, messages: [question] };
    const answer = type === SSE ? await messages.stream(ask).finalMessage() : await messages.create(ask);
    const said = answer.content.map(block => (block.type === 'text' ? block.text : '')).join('');
    const isRefusal = answer.stop_reason === 'refusal';
    return {
      text: isRefusal ? '' : said,
      refusal: isRefusal ? said : '',
      calls: answer.content.flatMap(block => (block.type === 'tool_use' ? [{ name: block.name, arguments: block.input }] : [])),
      isCut: answer.stop_reason === 'max_tokens',
      outputTokens: answer.usage.output_tokens,
    };
  },
};

/** @returns what the SDK of a dialect reads; rejects where it throws */
export const readStream = (dialect: Dialect, sse: string): Promise<Read> => readers[dialect]!(sse, SSE);
export const readWhole = (dialect: Dialect, body: string): Promise<Read> => readers[dialect]!(body, 'application/json');
