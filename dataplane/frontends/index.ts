// The table of client dialects: which path speaks which. A path that is missing here is not served.
import type { IncomingHttpHeaders } from 'node:http';
import type { Operation } from '#core/chat/dialect.ts';
import type { Tokens } from '#core/units.ts';
import { messagesOf } from '../http/sse.ts';
import { anthropicMessages, countTokens } from './anthropic-messages/index.ts';
import { bedrockConverse, converseAsked, eventStream } from './bedrock-converse/index.ts';
import { fieldNames } from './body-fields.ts';
import { interpretedControls } from './controls.ts';
import type { Frontend, StreamFraming, UnaryFrontend } from './frontend.ts';
import { askedOf, encodeTokenCount, gemini, geminiCount, jsonList } from './gemini/index.ts';
import { openAIChat } from './openai-chat/index.ts';
import { openAICompletions } from './openai-completions/index.ts';
import { openAIEmbeddings } from './openai-embeddings/index.ts';
import { openAIModerations } from './openai-moderations/index.ts';
import { openAIResponses, type StoredCall, storedCallOf } from './openai-responses/index.ts';
import { rerank } from './rerank/index.ts';

/** Where a conversation is gone on with, or measured. */
export type ChatEndpoint = {
  readonly frontend: Frontend;
  readonly action: 'generate' | 'count-tokens';
  /** JSON text of a count that the gateway made itself; present where the action is count-tokens. */
  readonly encodeCount?: (tokens: Tokens) => string;
  /** Absent: streams go out as SSE. */
  readonly framing?: StreamFraming;
  /** A key in the query, where a dialect has it there. */
  readonly queryKey?: string;
};

/** Where there is no conversation: one request, one reply, never a stream. */
export type UnaryEndpoint = { readonly frontend: UnaryFrontend; readonly action: 'unary' };

export type Endpoint = ChatEndpoint | UnaryEndpoint;

const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/v1/chat/completions', { frontend: openAIChat, action: 'generate' }],
  ['/chat/completions', { frontend: openAIChat, action: 'generate' }],
  ['/v1/responses', { frontend: openAIResponses, action: 'generate' }],
  ['/v1/completions', { frontend: openAICompletions, action: 'generate' }],
  ['/v1/embeddings', { frontend: openAIEmbeddings, action: 'unary' }],
  ['/embeddings', { frontend: openAIEmbeddings, action: 'unary' }],
  ['/v1/moderations', { frontend: openAIModerations, action: 'unary' }],
  ['/v1/rerank', { frontend: rerank, action: 'unary' }],
  ['/v2/rerank', { frontend: rerank, action: 'unary' }],
  ['/rerank', { frontend: rerank, action: 'unary' }],
  ['/v1/messages', { frontend: anthropicMessages, action: 'generate' }],
  [
    '/v1/messages/count_tokens',
    { frontend: { ...anthropicMessages, inspect: countTokens.inspect }, action: 'count-tokens', encodeCount: countTokens.encode },
  ],
]);

/** Those that stand for one endpoint each. */
export const paths: readonly string[] = [...endpoints.keys()];

/** undefined: no dialect has this path. Where a dialect has its model in the path, the endpoint is of this request alone. */
export const endpointOf = (path: string, query = ''): Endpoint | undefined =>
  endpoints.get(path) ?? googleEndpoint(path, query) ?? bedrockEndpoint(path);

function bedrockEndpoint(path: string): ChatEndpoint | undefined {
  const asked = converseAsked(path);
  return (
    asked && { frontend: bedrockConverse(asked), action: 'generate', ...(asked.stream && { framing: eventStream(messagesOf) }) }
  );
}

function googleEndpoint(path: string, query: string): ChatEndpoint | undefined {
  const asked = askedOf(path);
  if (!asked) return undefined;
  const parameters = new URLSearchParams(query);
  const key = parameters.get('key');
  const stream = asked.method === 'streamGenerateContent';
  const facts = { model: asked.model, stream };
  const common = key ? { queryKey: key } : {};
  if (asked.method === 'countTokens')
    return { ...common, frontend: geminiCount(facts), action: 'count-tokens', encodeCount: encodeTokenCount };
  const framing = stream && parameters.get('alt') !== 'sse' && { framing: jsonList(messagesOf) };
  return { ...common, frontend: gemini(facts), action: 'generate', ...framing };
}

const frontends: readonly (Frontend | UnaryFrontend)[] = [
  ...[...endpoints.values()].map(({ frontend }) => frontend),
  gemini({ model: '', stream: false }),
  bedrockConverse({ model: '', stream: false }),
];

/** A call about something that a provider keeps, and the endpoint in whose dialect it is answered. */
export function storedOf(method: string, path: string, query: string): { call: StoredCall; endpoint: ChatEndpoint } | undefined {
  const call = storedCallOf(method, path, query);
  return call && { call, endpoint: stored };
}
const stored: ChatEndpoint = { frontend: openAIResponses, action: 'generate' };

/** The one that clients use most for an operation. */
export const frontendOf = (operation: Operation): Frontend | UnaryFrontend | undefined =>
  frontends.find(frontend => frontend.operation === operation);

/** The dialect in which the gateway asks questions of its own. */
export const chat: Frontend = openAIChat;

/** Tokens of a prompt, by our own estimate. */
export const estimateInputTokens = countTokens.estimate;

export type { Envelope, Frontend, UnaryFrontend } from './frontend.ts';
export { STORED_METHODS, type StoredCall } from './openai-responses/index.ts';

/** Errors on paths that belong to no dialect take OpenAI's envelope. */
export const anyDialect: Frontend = openAIChat;

const beginnings: readonly (readonly [path: RegExp, frontend: Frontend])[] = [
  [/^\/v1\/messages\//, anthropicMessages],
  [/^\/v1(?:beta|alpha|\/models\/.+:[a-z]+$|\/projects\/)/i, gemini({ model: '', stream: false })],
  [/^\/model\//, bedrockConverse({ model: '', stream: false })],
];

/** Whose client asks for a path that is not served: by the path, or by a header that all clients of Anthropic's API send. */
export const dialectOf = (path: string, { 'anthropic-version': version }: IncomingHttpHeaders): Frontend =>
  version === undefined ? (beginnings.find(([pattern]) => pattern.test(path))?.[1] ?? anyDialect) : anthropicMessages;

/** Top-level fields that the gateway itself reads from a body. */
export const interpretedFields: ReadonlySet<string> = new Set([
  'model',
  'stream',
  ...frontends.flatMap(({ fields }) => fieldNames(fields)),
  ...interpretedControls,
]);
