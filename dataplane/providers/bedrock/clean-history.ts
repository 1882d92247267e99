// A body of Converse's own dialect whose history another provider made, through us: thinking that the model would refuse is taken out, all else
// stays.
import { wordsOf } from '#core/chat/citations/converse.ts';
import { signatureOf } from '#core/chat/foreign.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { recordOf, recordsOf } from '../wire.ts';

type Turn = { readonly role?: unknown; readonly content?: unknown };

/** @param takesThinking the model reads what Anthropic signed; others read no thinking */
export function cleanHistory(body: JsonRecord, takesThinking: boolean): Record<string, unknown> {
  if (!Array.isArray(body.messages)) return { ...body };
  const turns = body.messages.flatMap(message => cleanTurn(message, takesThinking));
  return { ...body, messages: turns.reduce<unknown[]>(joinTurns, []) };
}

/** A turn of which nothing is left goes too. */
function cleanTurn(message: unknown, takesThinking: boolean): unknown[] {
  if (!isRecord(message) || message.role !== 'assistant' || !Array.isArray(message.content)) return [message];
  const kept = message.content.filter(block => !isRefused(block, takesThinking));
  const content = takesThinking ? kept.map(withoutForeign) : kept;
  return content.length > 0 ? [{ ...message, content }] : [];
}

function isRefused(block: unknown, takesThinking: boolean): boolean {
  const thinking = isRecord(block) && block.reasoningContent;
  if (!isRecord(thinking)) return false;
  if (!takesThinking) return true;
  const { signature } = recordOf(thinking.reasoningText);
  return (
    isRecord(thinking.reasoningText) && signatureOf('anthropic', typeof signature === 'string' ? signature : '') === undefined
  );
}

/** Anthropic's models cite what is in the request, and say where; what another provider found they refuse. */
function withoutForeign(block: unknown): unknown {
  if (!isRecord(block) || !isRecord(block.citationsContent)) return block;
  const { citations, content } = block.citationsContent;
  const own = recordsOf(citations).filter(({ location }) => isRecord(location) && !('web' in location));
  if (own.length > 0) return { ...block, citationsContent: { ...block.citationsContent, citations: own } };
  return { text: wordsOf(content) };
}

/** Two turns of one role in a row are refused. */
function joinTurns(turns: unknown[], turn: unknown): unknown[] {
  const last = turns.at(-1);
  if (!isTurn(last) || !isTurn(turn) || last.role !== turn.role) return [...turns, turn];
  return [...turns.slice(0, -1), { ...last, content: [...last.content, ...turn.content] }];
}

const isTurn = (value: unknown): value is Turn & { readonly content: readonly unknown[] } =>
  isRecord(value) && Array.isArray(value.content);
