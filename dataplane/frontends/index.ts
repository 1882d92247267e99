// The table of client dialects: which path speaks which. A path that is missing here is not served.
import type { Frontend } from './frontend.ts';
import { anthropicMessages } from './anthropic-messages/index.ts';
import { interpretedControls } from './controls.ts';
import { openAIChat } from './openai-chat/index.ts';

export type Endpoint = { readonly frontend: Frontend; readonly action: 'generate' | 'count-tokens' };

export const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['/v1/chat/completions', { frontend: openAIChat, action: 'generate' }],
  ['/chat/completions', { frontend: openAIChat, action: 'generate' }],
  ['/v1/messages', { frontend: anthropicMessages, action: 'generate' }],
  ['/v1/messages/count_tokens', { frontend: anthropicMessages, action: 'count-tokens' }],
]);

export type { Envelope, Frontend } from './frontend.ts';

/** Errors on paths that belong to no dialect take OpenAI's envelope. */
export const anyDialect: Frontend = openAIChat;

/** Top-level fields that the gateway itself reads from a body. */
export const interpretedFields: ReadonlySet<string> = new Set(['model', 'stream', 'stream_options', 'messages', 'max_tokens', 'max_completion_tokens', ...interpretedControls]);
