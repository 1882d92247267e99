// Signatures in a dialect whose own field for them holds base64: what another provider signed or sealed is wrapped, so that any client
// library can take it for one of Google's.
import { SIGNED } from '#core/chat/foreign.ts';

/**
 * Stands where Google's newer models demand a signature of a call and another model made it (ai.google.dev, "Thought signatures", FAQ). It is
 * base64 itself.
 */
export const STAND_IN = 'skip_thought_signature_validator';
/** The other text that the documentation allows. */
const OLDER_STAND_IN = 'context_engineering_is_the_way_to_go';

export const isStandIn = (signature: string): boolean => signature === STAND_IN || signature === OLDER_STAND_IN;

const ANTHROPIC = `${SIGNED}anthropic.`;
const REDACTED = `${SIGNED}redacted.`;

/** @param signature as the neutral model has it: Anthropic's as it is, others' under their name */
export const wrapped = (signature: string): string => base64(signature.startsWith(SIGNED) ? signature : ANTHROPIC + signature);
export const wrappedRedacted = (data: string): string => base64(REDACTED + data);

export type Unwrapped =
  | { readonly kind: 'signed'; readonly signature: string }
  | { readonly kind: 'redacted'; readonly data: string; readonly signature?: never };

/** undefined: Google made it. */
export function unwrapped(signature: string): Unwrapped | undefined {
  if (!signature.startsWith(BEGINNING)) return undefined;
  const text = Buffer.from(signature, 'base64').toString();
  if (text.startsWith(REDACTED)) return { kind: 'redacted', data: text.slice(REDACTED.length) };
  return { kind: 'signed', signature: text.startsWith(ANTHROPIC) ? text.slice(ANTHROPIC.length) : text };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Three bytes are four letters: so much of the mark is the same in every wrapped signature. */
const BEGINNING = base64(SIGNED.slice(0, SIGNED.length - (SIGNED.length % 3)));
