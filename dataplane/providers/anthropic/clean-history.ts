// A body of our own dialect whose history another provider made, through us: what we put into it is taken out again, all else stays.
import { isUnsigned, UNSIGNED } from '#core/chat/foreign.ts';
import { isRecord, type Json } from './wire.ts';

/** Thinking of another provider is given to clients with this signature, and comes back with it. */
const mark = Buffer.from(`"${UNSIGNED}"`);

export const isForeign = (body: Buffer): boolean => body.includes(mark);

export function cleanHistory(body: Json): Json {
  return Array.isArray(body.messages) ? { ...body, messages: body.messages.flatMap(cleanMessage) } : body;
}

/** A turn of which nothing is left goes too: Anthropic refuses an empty one, and merges the neighbours itself. */
function cleanMessage(message: unknown): unknown[] {
  if (!isRecord(message) || message.role !== 'assistant' || !Array.isArray(message.content)) return [message];
  const content = message.content.filter(block => !isRefused(block));
  return content.length > 0 ? [{ ...message, content }] : [];
}

const isRefused = (block: unknown): boolean =>
  isRecord(block) &&
  ((block.type === 'thinking' && (typeof block.signature !== 'string' || isUnsigned(block.signature))) ||
    (block.type === 'text' && block.text === ''));
