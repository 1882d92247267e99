// How the simulator counts: a token is four bytes of UTF-8, never a part of a character. The same rule counts prompts, cuts answers
// into the pieces that are streamed, and fills the bill, so that what a test adds up is what the usage says.

/** The pieces of a text, each the characters that begin within one run of four bytes. */
export function tokensOf(text: string): string[] {
  if (isAscii(text)) return Array.from({ length: Math.ceil(text.length / 4) }, (_, at) => text.slice(at * 4, at * 4 + 4));
  const pieces: string[] = [];
  let offset = 0;
  for (const character of text) {
    const index = offset >> 2;
    pieces[index] = (pieces[index] ?? '') + character;
    offset += Buffer.byteLength(character);
  }
  return pieces;
}

/** As many as `tokensOf` has pieces, without making them. */
export function countTokens(text: string): number {
  if (text === '') return 0;
  const last = text.length > 1 && isLowSurrogate(text.charCodeAt(text.length - 1)) ? text.slice(-2) : text.slice(-1);
  return ((Buffer.byteLength(text) - Buffer.byteLength(last)) >> 2) + 1;
}

/** What an image or a binary document costs, whatever its size. */
export const attachmentTokens = 256;

/** One counted part of a prompt, in order; `mark` is a cache mark that the client put at its end. */
export type PromptPart = { readonly tokens: number; readonly mark?: '5m' | '1h' };

export type PromptUsage = {
  readonly uncached: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
};

/**
 * There is no cache: what was "read" follows from the request alone, so that equal requests have equal usage. In a conversation's first
 * turn everything up to the last mark is written; in a later turn everything up to the first mark is read and the rest up to the last
 * mark is written.
 */
export function promptUsage(parts: readonly PromptPart[], isLaterTurn: boolean): PromptUsage {
  const first = parts.findIndex(part => part.mark !== undefined);
  const last = parts.findLastIndex(part => part.mark !== undefined);
  const read = isLaterTurn ? sum(parts.slice(0, first + 1)) : 0;
  const written = sum(parts.slice(0, last + 1)) - read;
  const isHour = parts[last]?.mark === '1h';
  return {
    uncached: sum(parts) - read - written,
    cacheRead: read,
    cacheWrite5m: isHour ? 0 : written,
    cacheWrite1h: isHour ? written : 0,
  };
}

export const promptTotal = (usage: PromptUsage): number =>
  usage.uncached + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;

const sum = (parts: readonly PromptPart[]): number => parts.reduce((total, part) => total + part.tokens, 0);

const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole range is what ASCII means.
const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);
