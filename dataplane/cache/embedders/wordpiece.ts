// The tokeniser of BERT and of what descends from it: lower case, no accents, signs by themselves, and words cut into the longest pieces of
// the vocabulary. Checked against reference vectors in static.test.ts. Linear but for words over the limit, which are unknown.
import { WordLines } from '#core/cache/word-lines.ts';

export type Vocabulary = { readonly idOf: (piece: string) => number | undefined; readonly unknown: number };

const MAX_WORD = 100;
const SEPARATE = /[\p{P}\p{S}]|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const IGNORED = /[\p{Cc}\p{Cf}\uFFFD]/u;
const SPACE = /\s/;

/** Of a vocabulary file: one piece a line, the line's number is its id. */
export function vocabularyOf(text: string): Vocabulary {
  const pieces = new WordLines(text);
  return { idOf: piece => pieces.lineOf(piece), unknown: pieces.lineOf('[UNK]') ?? -1 };
}

/** Ids of the pieces, without those that mark beginning and end; at most `limit`. */
export function tokenIds(text: string, vocabulary: Vocabulary, limit: number): number[] {
  const ids: number[] = [];
  for (const word of basicWords(text)) {
    if (ids.length >= limit) break;
    addPieces(word, vocabulary, ids);
  }
  return ids.length > limit ? ids.slice(0, limit) : ids;
}

function basicWords(text: string): string[] {
  const plain = isPlain(text)
    ? text.toLowerCase()
    : text
        .toLowerCase()
        .normalize('NFD')
        .replace(/\p{Mn}/gu, '');
  const words: string[] = [];
  let word = '';
  for (const sign of plain) {
    const code = sign.charCodeAt(0);
    // ASCII first: most prompts are nothing else.
    const isLetter =
      code < 128
        ? (code >= 97 && code <= 122) || (code >= 48 && code <= 57)
        : !SEPARATE.test(sign) && !SPACE.test(sign) && !IGNORED.test(sign);
    if (isLetter) {
      word += sign;
      continue;
    }
    if (code > 32 && code < 127) {
      if (word !== '') words.push(word);
      words.push(sign);
    } else if (SPACE.test(sign)) {
      if (word !== '') words.push(word);
    } else if (IGNORED.test(sign)) continue;
    else {
      if (word !== '') words.push(word);
      words.push(sign);
    }
    word = '';
  }
  if (word !== '') words.push(word);
  return words;
}

function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return false;
  return true;
}

function addPieces(word: string, { idOf, unknown }: Vocabulary, out: number[]): void {
  const whole = idOf(word);
  if (whole !== undefined) {
    out.push(whole);
    return;
  }
  if (word.length > MAX_WORD) {
    out.push(unknown);
    return;
  }
  const first = out.length;
  for (let start = 0; start < word.length; ) {
    let end = word.length;
    let id: number | undefined;
    for (; end > start; end--) {
      id = idOf(start === 0 ? word.slice(0, end) : `##${word.slice(start, end)}`);
      if (id !== undefined) break;
    }
    if (id === undefined) {
      out.length = first;
      out.push(unknown);
      return;
    }
    out.push(id);
    start = end;
  }
}
