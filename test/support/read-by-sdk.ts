// What the official SDKs read of bytes that are put before them, as if a server had sent them.
import { Readable } from 'node:stream';
import Anthropic from '@anthropic-ai/sdk';
import { BedrockRuntimeClient, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { GoogleGenAI } from '@google/genai';
import { HttpResponse } from '@smithy/core/protocols';
import OpenAI from 'openai';
import { addressOf } from '#core/chat/citations/citation.ts';
import type { Dialect } from '#core/chat/dialect.ts';
import type { ChatReply } from '#core/chat/reply.ts';

/** An answer in the least form that all dialects have. */
export type Read = {
  readonly text: string;
  readonly refusal: string;
  readonly calls: readonly { readonly name: string; readonly arguments: unknown }[];
  /** Whether the answer was cut by its length. */
  readonly isCut: boolean;
  readonly outputTokens: number | undefined;
  /** Addresses that the answer rests on, in order, each once. */
  readonly addresses: readonly string[];
};

const inOrder = (addresses: readonly (string | undefined)[]): string[] =>
  [...new Set(addresses)].filter(address => address !== undefined).sort();

/** What of an answer it has to be. */
export function meant({ parts, finish, usage }: ChatReply): Read {
  const said = (kind: 'text' | 'refusal') => parts.map(part => (part.kind === kind ? part.text : '')).join('');
  return {
    text: said('text'),
    refusal: said('refusal'),
    calls: parts.flatMap(part =>
      part.kind === 'tool-call' ? [{ name: part.name, arguments: JSON.parse(part.arguments || '{}') }] : [],
    ),
    isCut: finish.reason === 'length' || finish.reason === 'context-length',
    outputTokens: usage?.output,
    addresses: inOrder(
      parts.flatMap(part => (part.kind === 'text' ? (part.citations ?? []) : [])).map(({ source }) => addressOf(source)?.url),
    ),
  };
}

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
      addresses: inOrder((message.annotations ?? []).map(({ url_citation: { url } }) => url)),
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
      addresses: inOrder(
        parts
          .flatMap(part => (part.type === 'output_text' ? part.annotations : []))
          .map(it => (it.type === 'url_citation' ? it.url : undefined)),
      ),
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
      addresses: inOrder(
        answer.content
          .flatMap(block => (block.type === 'text' ? (block.citations ?? []) : []))
          .map(it => (it.type === 'web_search_result_location' ? it.url : undefined)),
      ),
    };
  },
};

/** Completions have a text and nothing else: a refusal is said in it. */
export async function readCompletions(sse: string): Promise<Read> {
  const { completions } = new OpenAI(answering(sse, SSE));
  const stream = await completions.create({ model: 'm', prompt: 'Hi', stream: true });
  let [text, isCut, outputTokens] = ['', false, undefined as number | undefined];
  for await (const { choices, usage } of stream) {
    text += choices.map(choice => choice.text).join('');
    isCut ||= choices.some(choice => (choice.finish_reason as string | null) === 'length');
    outputTokens = usage?.completion_tokens ?? outputTokens;
  }
  return { text, refusal: '', calls: [], isCut, outputTokens, addresses: [] };
}

/** Google's client takes no fetch of one's own. */
export async function readGoogle(sse: string): Promise<Read> {
  const { fetch } = globalThis;
  globalThis.fetch = async () => new Response(sse, { headers: { 'content-type': SSE } });
  try {
    const stream = await new GoogleGenAI({ apiKey: 'k' }).models.generateContentStream({ model: 'm', contents: 'Hi' });
    const chunks = await Array.fromAsync(stream);
    const parts = chunks.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? []);
    const { usageMetadata: usage } = chunks.at(-1) ?? {};
    return {
      text: parts.map(({ text, thought }) => (thought ? '' : (text ?? ''))).join(''),
      refusal: '',
      calls: parts.flatMap(({ functionCall: call }) => (call ? [{ name: call.name!, arguments: call.args }] : [])),
      isCut: chunks.some(({ candidates }) => candidates?.[0]?.finishReason === 'MAX_TOKENS'),
      outputTokens: usage && (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
      addresses: inOrder(
        chunks
          .flatMap(({ candidates }) => candidates?.[0]?.groundingMetadata?.groundingChunks ?? [])
          .map(({ web, retrievedContext }) => web?.uri ?? retrievedContext?.uri),
      ).filter(uri => /^https?:/.test(uri)),
    };
  } finally {
    globalThis.fetch = fetch;
  }
}

export async function readAWS(bytes: Buffer): Promise<Read> {
  const headers = { 'content-type': 'application/vnd.amazon.eventstream' };
  const client = new BedrockRuntimeClient({
    region: 'us-east-1',
    token: { token: 'k' },
    authSchemePreference: ['httpBearerAuth'],
    maxAttempts: 1,
    requestHandler: {
      handle: async () => ({ response: new HttpResponse({ statusCode: 200, headers, body: Readable.from([bytes]) }) }),
    },
  });
  const { stream } = await client.send(new ConverseStreamCommand({ modelId: 'm', messages: [] }));
  let [text, isCut, outputTokens] = ['', false, undefined as number | undefined];
  const calls: { name: string; json: string }[] = [];
  const addresses: (string | undefined)[] = [];
  for await (const { contentBlockStart, contentBlockDelta, messageStop, metadata } of stream!) {
    if (contentBlockStart?.start?.toolUse) calls.push({ name: contentBlockStart.start.toolUse.name!, json: '' });
    text += contentBlockDelta?.delta?.text ?? '';
    if (contentBlockDelta?.delta?.toolUse) calls.at(-1)!.json += contentBlockDelta.delta.toolUse.input;
    addresses.push(contentBlockDelta?.delta?.citation?.location?.web?.url);
    isCut ||= messageStop?.stopReason === 'max_tokens';
    outputTokens = metadata?.usage?.outputTokens ?? outputTokens;
  }
  const parsed = calls.map(({ name, json }) => ({ name, arguments: JSON.parse(json || '{}') }));
  return { text, refusal: '', calls: parsed, isCut, outputTokens, addresses: inOrder(addresses) };
}

/** @returns what the SDK of a dialect reads; rejects where it throws */
export const readStream = (dialect: Dialect, sse: string): Promise<Read> => readers[dialect]!(sse, SSE);
export const readWhole = (dialect: Dialect, body: string): Promise<Read> => readers[dialect]!(body, 'application/json');
