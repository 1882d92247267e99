// The clients of all dialects, in the order of docs/dialects.md.
import type { Client } from '../ask.ts';
import { anthropicMessages } from './anthropic-messages.ts';
import { bedrockConverse } from './bedrock-converse.ts';
import { gemini } from './gemini.ts';
import { openAIChat } from './openai-chat.ts';
import { openAICompletions } from './openai-completions.ts';
import { openAIResponses } from './openai-responses.ts';

export const clients: readonly Client[] = [
  openAIChat,
  openAIResponses,
  anthropicMessages,
  gemini,
  bedrockConverse,
  openAICompletions,
];
