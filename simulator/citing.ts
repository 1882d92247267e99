// What an answer cites: `[[cites]]` in a prompt asks for a page of the web, a document that is to be cited is cited. The words in the middle of
// the answer rest on it.

export type CitedDocument = { readonly index: number; readonly title: string | undefined; readonly isPaged: boolean };

/** Numbers of tokens. */
export type CitedTokens = { readonly from: number; readonly to: number };

type Asked = { readonly prompt: string; readonly digest: string; readonly document?: CitedDocument };
type Said = { readonly text: readonly string[]; readonly cited?: CitedTokens };

export const citedPage = (ask: Asked): { readonly url: string; readonly title: string } => ({
  url: `https://pages.test/${ask.digest.slice(0, 8)}?of=tolls`,
  title: 'A simulated page — of tolls',
});

/** Stands for the proof that Anthropic gives with what it found. */
export const proofOf = (ask: Asked): string => Buffer.from(`simulated proof of ${ask.digest.slice(0, 8)}`).toString('base64');

export function citedTokens(
  ask: Asked,
  { text, finish, refuses }: Said & { readonly finish: string; readonly refuses?: boolean },
): CitedTokens | undefined {
  const cites = ask.document !== undefined || ask.prompt.includes('[[cites]]');
  const third = Math.floor(text.length / 3);
  return cites && finish === 'stop' && !refuses && third > 0 ? { from: third, to: 2 * third } : undefined;
}

export type Piece = { readonly tokens: readonly string[]; readonly isCited: boolean };

/** The text in pieces, for wires that cite blocks. */
export function piecesOf({ text, cited }: Said): readonly Piece[] {
  if (!cited) return text.length > 0 ? [{ tokens: text, isCited: false }] : [];
  return [
    { tokens: text.slice(0, cited.from), isCited: false },
    { tokens: text.slice(cited.from, cited.to), isCited: true },
    { tokens: text.slice(cited.to), isCited: false },
  ];
}

/** Where the cited words are, in units that the wire counts. */
export function citedSpan({ text, cited }: Said, lengthOf: (text: string) => number) {
  if (!cited) return undefined;
  const before = (tokens: number) => lengthOf(text.slice(0, tokens).join(''));
  return { start: before(cited.from), end: before(cited.to), text: text.slice(cited.from, cited.to).join('') };
}

export const codePoints = (text: string): number => [...text].length;
