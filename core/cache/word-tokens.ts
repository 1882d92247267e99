// A prompt's pieces as the words that a reader takes: contractions in full, possessives apart, phrases by what they become, numbers of several
// words as one.
import { unmarkedContractions } from './english/closed-classes.ts';
import { cardinals, fractions, multipliers, ordinalWords, romans } from './english/numbers.ts';
import { type PhraseTree, phrases } from './english/phrases.ts';
import type { Piece } from './scan.ts';

export type Token = { form: string; kind: Piece['kind']; capital: Piece['capital']; opens: boolean; joined: boolean };

/** What a prompt has beyond it is not read: such a prompt is compared word for word, as if it were in another language. */
export const MAX_TOKENS = 2000;

export const wordTokens = (pieces: readonly Piece[]): readonly Token[] => counted(rephrased(expanded(pieces)));

const plainToken = (form: string, like: Token): Token => ({ ...like, form, kind: 'word', capital: 'none' });

const endings: Readonly<Record<string, string>> = { "'re": 'are', "'ve": 'have', "'ll": 'will', "'d": 'would', "'m": 'am' };
const beforeIs = new Set('what who where when why how it that there he she here this'.split(' '));

/** Contractions in full; a possessive as a token of its own. */
function expanded(pieces: readonly Piece[]): Token[] {
  const out: Token[] = [];
  for (const piece of pieces) {
    if (out.length > MAX_TOKENS) break;
    if (piece.kind !== 'word') out.push(piece);
    else if (!piece.form.includes("'")) {
      const full = unmarkedContractions.get(piece.form);
      if (full) out.push(...full.split(' ').map(form => plainToken(form, piece)));
      else out.push({ ...piece, form: withoutAccents(piece.form) });
    } else out.push(...contraction(piece));
  }
  return out;
}

const withoutAccents = (form: string): string => (/^[a-z0-9]*$/.test(form) ? form : form.normalize('NFD').replace(/\p{M}/gu, ''));

function contraction(written: Piece): Token[] {
  const piece = { ...written, form: withoutAccents(written.form) };
  const at = piece.form.lastIndexOf("'");
  const [stem, ending] = [piece.form.slice(0, at), piece.form.slice(at)];
  if (stem === '' || ending === "'") return [{ ...piece, form: piece.form.replaceAll("'", '') }];
  if (ending === "'t" && stem.endsWith('n')) {
    const verb = stem === 'can' ? 'can' : stem === 'won' ? 'will' : stem === 'shan' ? 'shall' : stem.slice(0, -1);
    return [plainToken(verb, piece), plainToken('not', piece)];
  }
  const full = endings[ending];
  if (full) return [{ ...piece, form: stem }, plainToken(full, piece)];
  if (ending === "'s") {
    if (stem === 'let') return [plainToken('let', piece), plainToken('us', piece)];
    return [{ ...piece, form: stem }, plainToken(beforeIs.has(stem) ? 'is' : "'s", piece)];
  }
  return [{ ...piece, form: piece.form.replaceAll("'", '') }];
}

/** Phrases of english/phrases.ts by what they become, the longest first. */
function rephrased(tokens: readonly Token[]): Token[] {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; ) {
    const [length, becomes] = longestPhrase(tokens, at);
    if (becomes) for (const form of becomes) out.push(plainToken(form, tokens[at]!));
    else out.push(tokens[at]!);
    at += Math.max(1, length);
  }
  return out;
}

function longestPhrase(tokens: readonly Token[], from: number): [length: number, becomes: readonly string[] | undefined] {
  let found: [number, readonly string[] | undefined] = [0, undefined];
  let node: PhraseTree | undefined = phrases;
  for (let at = from; at < tokens.length && tokens[at]!.kind === 'word'; at++) {
    node = node.next.get(tokens[at]!.form);
    if (!node) break;
    if (node.becomes) found = [at - from + 1, node.becomes];
  }
  return found;
}

const number = (form: string, like: Token): Token => ({ ...like, form, kind: 'number', capital: 'none' });

/** Numbers of several words as one: `two hundred and five`, `twenty-first`, `half past`. `one` alone is left, as 1~. */
function counted(tokens: readonly Token[]): Token[] {
  const out: Token[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const roman = token.kind === 'word' ? romanOf(token, tokens[at - 1]) : undefined;
    const [length, form] = roman !== undefined ? [1, String(roman)] : spelledNumber(tokens, at);
    if (form === undefined) out.push(token);
    else {
      out.push(number(form, token));
      at += length - 1;
    }
  }
  return out;
}

function romanOf(token: Token, before: Token | undefined): number | undefined {
  const value = romans.get(token.form);
  if (value !== undefined && (token.capital === 'all' || before?.kind === 'word')) return value;
  const single = token.form === 'v' ? 5 : token.form === 'x' ? 10 : undefined;
  return token.capital !== 'none' && before !== undefined && before.capital === 'first' ? single : undefined;
}

const pronounsBeforeOne = new Set('which this that the no any each every some other another'.split(' '));

function spelledNumber(tokens: readonly Token[], from: number): [length: number, form: string | undefined] {
  const first = tokens[from]!;
  if (first.kind === 'number') {
    const factor = multipliers.get(tokens[from + 1]?.form ?? '');
    return factor === undefined ? [1, undefined] : [2, String(Number(first.form) * factor)];
  }
  if (first.kind !== 'word' || first.capital === 'all') return [1, undefined];
  const fraction = fractions.get(first.form);
  if (fraction !== undefined)
    return first.form.startsWith('half') || isArticle(tokens[from - 1]) ? [1, fraction] : [1, undefined];
  if (first.form === 'one' && pronounsBeforeOne.has(tokens[from - 1]?.form ?? '')) return [1, undefined];
  if (first.form === 'second' && tokens[from - 1]?.kind === 'number') return [1, undefined];
  let total = 0;
  let group = 0;
  let length = 0;
  for (let at = from; at < tokens.length; at++) {
    const { form, kind } = tokens[at]!;
    if (kind !== 'word') break;
    const value = cardinals.get(form);
    const factor = multipliers.get(form);
    const ordinal = ordinalWords.get(form);
    if (
      value !== undefined &&
      (length === 0 || group === 0 || (group % 100 === 0 && value < 100) || (group % 10 === 0 && value < 10))
    )
      group += value;
    else if (factor === 100 && group > 0 && group < 100) group *= 100;
    else if (factor !== undefined && factor > 100 && group > 0) [total, group] = [total + group * factor, 0];
    else if (ordinal !== undefined && (length === 0 || (group % 10 === 0 && ordinal < 10)))
      return [at - from + 1, `${total + group + ordinal}th`];
    else if (form === 'and' && group >= 100 && cardinals.has(tokens[at + 1]?.form ?? '')) continue;
    else break;
    length = at - from + 1;
  }
  if (length === 0) return [1, undefined];
  return [length, length === 1 && group === 1 ? '1~' : String(total + group)];
}

export const isArticle = (token: Token | undefined): boolean =>
  token?.form === 'a' || token?.form === 'an' || token?.form === 'the';
