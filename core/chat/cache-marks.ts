// Marks for the prompt cache where the client set none: after the tools, after the system prompt and after the last turn. So what stays the same
// from request to request is written once and read from then on, and a conversation reads all that it said before. Three of Anthropic's four.
import type { CacheMark, ChatRequest, Message, Tool, UserPart } from './request.ts';

const MARK: CacheMark = {};

/** The request itself where the client has marked it: it knows better. */
export function withCacheMarks(request: ChatRequest): ChatRequest {
  const { messages, tools } = request;
  if (tools.some(({ cache }) => cache) || messages.some(isMarked)) return request;
  const system = messages.findLastIndex(({ role }) => role === 'system');
  const places = new Set([system, messages.length - 1]);
  return {
    ...request,
    tools: tools.map((tool, at): Tool => (at === tools.length - 1 ? { ...tool, cache: MARK } : tool)),
    messages: messages.map((message, at) => (places.has(at) ? marked(message) : message)),
  };
}

const isMarked = (message: Message): boolean =>
  ('cache' in message && message.cache !== undefined) ||
  message.content.some(part => 'cache' in part && part.cache !== undefined);

function marked(message: Message): Message {
  switch (message.role) {
    case 'tool':
      return { ...message, cache: MARK };
    case 'system':
      return { ...message, content: markedLast(message.content) };
    case 'user':
      return { ...message, content: markedLast(message.content) };
    // The model is to go on with it: nothing stays as it is.
    case 'assistant':
      return message;
  }
}

/** An empty text is not sent, and audio takes no mark. */
function markedLast<P extends UserPart>(content: readonly P[]): readonly P[] {
  const last = content.findLastIndex(part => part.kind !== 'audio' && !(part.kind === 'text' && part.text === ''));
  return content.map((part, at) => (at === last ? { ...part, cache: MARK } : part));
}
