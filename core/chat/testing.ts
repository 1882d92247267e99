// Builders for tests of conversations: a request, with everything a test does not care about filled in.
import type { ChatRequest } from './request.ts';

/** One user's turn, without tools, not streamed. */
export const aRequest = (more: Partial<ChatRequest> = {}): ChatRequest => ({
  dialect: 'openai-chat',
  model: 'm',
  messages: [{ role: 'user', content: [{ kind: 'text', text: 'Hi' }] }],
  tools: [],
  sampling: {},
  stop: [],
  stream: false,
  extra: {},
  ...more,
});
