// A body of our own dialect whose history another provider made, through us: what we put into it is taken out again, all else stays.
import { SIGNED, signatureOf, UNSIGNED } from '#core/chat/foreign.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { EncodedRequest } from '../provider.ts';
import { recordsOf } from '../wire.ts';

/** Thinking of another provider is given to clients with such a signature, and comes back with it. */
const marks = [Buffer.from(`"${UNSIGNED}"`), Buffer.from(`"${SIGNED}`)];

export const isForeign = (body: Buffer): boolean => marks.some(mark => body.includes(mark));

export function cleanHistory(body: JsonRecord): EncodedRequest {
  if (!Array.isArray(body.messages)) return { body, dropped: [] };
  const messages = body.messages.flatMap(cleanMessage);
  const cleaned = { ...body, messages };
  return needsThinking(body) && continuesWithoutThinking(messages)
    ? { body: { ...cleaned, thinking: { type: 'disabled' } }, dropped: ['thinking'] }
    : { body: cleaned, dropped: [] };
}

/** A turn of which nothing is left goes too: Anthropic refuses an empty one, and merges the neighbours itself. */
function cleanMessage(message: unknown): unknown[] {
  if (!isRecord(message) || message.role !== 'assistant' || !Array.isArray(message.content)) return [message];
  const content = message.content.filter(block => !isRefused(block)).map(withoutForeign);
  return content.length > 0 ? [{ ...message, content }] : [];
}

const isRefused = (block: unknown): boolean =>
  isRecord(block) &&
  ((block.type === 'thinking' &&
    (typeof block.signature !== 'string' || signatureOf('anthropic', block.signature) === undefined)) ||
    (block.type === 'text' && block.text === ''));

/** Citations of what Anthropic did not find: it has given no proof of them. */
function withoutForeign(block: unknown): unknown {
  if (!isRecord(block) || block.type !== 'text' || !Array.isArray(block.citations)) return block;
  const citations = recordsOf(block.citations).filter(({ encrypted_index: proof }) => proof !== UNSIGNED);
  const { citations: _all, ...text } = block;
  return citations.length > 0 ? { ...text, citations } : text;
}

/** With a budget of thinking, a turn that is continued after its tool calls must begin with thinking ("Expected `thinking`"). */
const needsThinking = ({ thinking }: JsonRecord): boolean => isRecord(thinking) && thinking.type === 'enabled';

function continuesWithoutThinking(messages: readonly unknown[]): boolean {
  const [turn, answer] = recordsOf(messages)
    .filter(message => message.role !== 'system')
    .slice(-2);
  const holds = (message: JsonRecord | undefined, ...types: string[]) =>
    recordsOf(message?.content).some(block => types.includes(String(block.type)));
  return holds(answer, 'tool_result') && holds(turn, 'tool_use') && !holds(turn, 'thinking', 'redacted_thinking');
}
