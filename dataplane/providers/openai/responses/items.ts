// Reasoning items, on their way out of a provider and back into it: id and sealed reasoning make one signature.
import { signatureOf, signedBy } from '#core/chat/foreign.ts';
import type { JsonRecord } from '#core/json/record.ts';
import { recordsOf, textOf } from '../../wire.ts';

/** undefined: nothing that could come back. */
export function signatureOfItem({ id, encrypted_content: sealed }: JsonRecord): string | undefined {
  const content = textOf(sealed);
  return content === '' ? undefined : signedBy('openai', `${textOf(id)}.${content}`);
}

/** The item that the signature is of; undefined: another maker's. */
export function reasoningItem(summary: string, signature: string | undefined): JsonRecord | undefined {
  const own = signatureOf('openai', signature);
  if (own === undefined) return undefined;
  const dot = own.indexOf('.');
  return {
    type: 'reasoning',
    ...(dot > 0 && { id: own.slice(0, dot) }),
    summary: summary === '' ? [] : [{ type: 'summary_text', text: summary }],
    encrypted_content: own.slice(dot + 1),
  };
}

/** Between two paragraphs of a summary. */
export const PARAGRAPH = '\n\n';

/** What the model thought: a summary, or with open models the reasoning itself. */
export function thoughtOf({ summary, content }: JsonRecord): string {
  const texts = (list: unknown) => recordsOf(list).map(({ text }) => textOf(text));
  const summed = texts(summary);
  return (summed.length > 0 ? summed : texts(content)).join(PARAGRAPH);
}
