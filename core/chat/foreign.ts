// What a history made by one provider carries that another refuses: reasoning without a signature, tool call ids of another shape.

/**
 * The signature a client of a dialect with signed thinking gets for thinking that nobody signed. The client sends it back in the
 * next turn, and it is recognised there: such thinking is never sent to a provider.
 */
export const UNSIGNED = 'tollgate-unsigned';

export const isUnsigned = (signature: string | undefined): boolean => !signature || signature === UNSIGNED;

/** Whose models can read a signature, or reasoning that is sealed: wherever they are served, so Anthropic's at Bedrock and Vertex too. */
export type Maker = 'anthropic' | 'openai' | 'google';

/**
 * A signature travels with the name of its maker, and comes back with it in any client's history. Anthropic's, in whose dialect there is
 * a place for signatures, is as it is.
 */
export const signedBy = (maker: Maker, signature: string): string =>
  maker === 'anthropic' ? signature : `${SIGNED}${maker}.${signature}`;

/** What the maker itself gave; undefined: another one made it, or nobody. */
export function signatureOf(maker: Maker, signature: string | undefined): string | undefined {
  if (signature === undefined || isUnsigned(signature)) return undefined;
  if (maker === 'anthropic') return signature.startsWith(SIGNED) ? undefined : signature;
  const prefix = signedBy(maker, '');
  return signature.startsWith(prefix) ? signature.slice(prefix.length) : undefined;
}

/** Begins every signature that is not Anthropic's. */
export const SIGNED = 'tollgate-signed.';

/** Anthropic's rule for tool ids, the strictest of all: `^[a-zA-Z0-9_-]+$`. OpenAI's limit of 64 characters is respected too. */
const PORTABLE = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * The id itself where every provider takes it; else a stand-in that depends on the id alone, so that a call and its result,
 * translated apart, still belong together. Its hash keeps ids apart that differ only in characters that are replaced.
 */
export function portableToolId(id: string): string {
  if (PORTABLE.test(id)) return id;
  return `${id.slice(0, 48).replace(/[^a-zA-Z0-9_-]/g, '_')}_${fnv1a(id)}`;
}

const SHORT = /^[a-zA-Z0-9]{9}$/;

/** The same for Mistral's models, which take nine letters and digits and nothing else. */
export function shortToolId(id: string): string {
  if (SHORT.test(id)) return id;
  return (BigInt(`0x${fnv1a(id)}${fnv1a(`#${id}`)}`) % 36n ** 9n).toString(36).padStart(9, '0');
}

/** FNV-1a, 32 bits, as 8 hex digits. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
