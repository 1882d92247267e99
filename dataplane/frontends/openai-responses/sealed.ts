// `encrypted_content` of reasoning items: the place where this dialect keeps what a provider signed or sealed. OpenAI's own stands there as
// it is; another maker's with its name, so that it goes back to that one alone.
import { SIGNED, signatureOf, signedBy, UNSIGNED } from '#core/chat/foreign.ts';
import type { AssistantPart } from '#core/chat/request.ts';

/** Anthropic's signatures are as they are in the neutral model: here they need a name too. */
const ANTHROPIC = `${SIGNED}anthropic.`;
const REDACTED = `${SIGNED}redacted.`;

export type Thought = Extract<AssistantPart, { kind: 'thinking' | 'redacted-thinking' }>;

/** What a client gets. `id`: that of the provider's own item, where it is part of the proof. */
export function sealedOf(part: Thought): { readonly sealed: string; readonly id?: string } {
  if (part.kind === 'redacted-thinking') return { sealed: REDACTED + part.data };
  const { signature } = part;
  const own = signatureOf('openai', signature);
  if (own !== undefined) {
    const dot = own.indexOf('.');
    return { sealed: own.slice(dot + 1), ...(dot > 0 && { id: own.slice(0, dot) }) };
  }
  if (signatureOf('anthropic', signature) !== undefined) return { sealed: ANTHROPIC + signature };
  return { sealed: signature || UNSIGNED };
}

/** What came back. */
export function partOfSealed(text: string, id: string, sealed: string | undefined): Thought {
  if (sealed === undefined || sealed === '' || sealed === UNSIGNED) return { kind: 'thinking', text };
  if (sealed.startsWith(REDACTED)) return { kind: 'redacted-thinking', data: sealed.slice(REDACTED.length) };
  if (sealed.startsWith(ANTHROPIC)) return { kind: 'thinking', text, signature: sealed.slice(ANTHROPIC.length) };
  const signature = sealed.startsWith(SIGNED) ? sealed : signedBy('openai', `${id}.${sealed}`);
  return { kind: 'thinking', text, signature };
}
