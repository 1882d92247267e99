// The check of what is left over once the guards have no objection: every content word of either prompt needs a partner in the other,
// or has to be one that adds nothing there.
import type { Comparison } from './alignment.ts';
import { supportVerbs, weakVerbs } from './english/closed-classes.ts';
import { irregularForms } from './english/irregular.ts';
import type { Reading, Word } from './reading.ts';

/**
 * Strict: no content word without an equal one. Careful: a synonym of the thesaurus will do, and a word that adds nothing may be missing.
 * Balanced: words that their vectors call alike will do as well, and so will any one-sided word that modifies nothing.
 */
export type Mode = 'Strict' | 'Careful' | 'Balanced';

/** How alike two words are, -1..1, by their vectors; contextual ones where the embedder has them. */
export type WordSimilarity = (a: Word, b: Word) => number;

/** Where words alone on one side may count for nothing, the prompts have to be this similar as a whole. */
const SIMILAR_ENOUGH = 0.85;
/** A prompt that shares fewer words than this with the other is short: whatever it has besides is what it is about. */
const SHORT = 3;
/** Vectors of words that are less alike than this are of neighbours (cat, dog), not of synonyms; measured in docs/semantic-cache.md. */
const ALIKE = 0.75;

/** The words that nothing explains, or nothing. */
export function unexplained(
  compared: Comparison,
  mode: Mode,
  similarity: number,
  alike: WordSimilarity | undefined,
): string | undefined {
  if (mode === 'Strict') return strictly(compared);
  const { a, b, thesaurus } = compared;
  let extraA = meaningful(compared.extraA, a, thesaurus.has);
  let extraB = meaningful(compared.extraB, b, thesaurus.has);
  if (mode === 'Balanced' && alike) {
    const [fromA, fromB] = [extraA, extraB];
    extraA = fromA.filter(word => !fromB.some(other => isAlike(word, other, compared, alike)));
    extraB = fromB.filter(word => !fromA.some(other => isAlike(word, other, compared, alike)));
  }
  if (extraA.length === 0 && extraB.length === 0) return undefined;
  if (similarity >= SIMILAR_ENOUGH && addNothing(extraA, extraB, compared, mode)) return undefined;
  return isLight(extraA, extraB) ? undefined : shown(extraA, extraB);
}

function strictly({ pairs, extraA, extraB }: Comparison): string | undefined {
  const replaced = pairs.find(({ bond }) => bond === 'synonym' || bond === 'derived');
  if (replaced) return shown([replaced.a], [replaced.b]);
  const [a, b] = [extraA, extraB].map(extra => extra.filter(({ kind, light }) => kind === 'word' && !light)) as [Word[], Word[]];
  return a.length + b.length === 0 ? undefined : shown(a, b);
}

const shown = (a: readonly Word[], b: readonly Word[]): string =>
  [a, b].map(words => words.map(({ form }) => form).join(' ') || 'nothing').join(' / ');

/** Numbers and literals have guards of their own; `the Acme company` is Acme. */
const meaningful = (extra: readonly Word[], { words }: Reading, isKnown: (stem: string) => boolean): Word[] =>
  extra.filter(
    word =>
      word.kind === 'word' &&
      !(word.designator && words.some(other => other !== word && isName(other, isKnown) && Math.abs(other.at - word.at) <= 2)),
  );

const isName = ({ proper, stem, kind }: Word, isKnown: (stem: string) => boolean): boolean =>
  kind === 'word' && (proper || !isKnown(stem));

function isAlike(word: Word, other: Word, { thesaurus }: Comparison, alike: WordSimilarity): boolean {
  if (word.proper || other.proper || thesaurus.antonyms(word.stem, other.stem)) return false;
  return alike(word, other) >= ALIKE;
}

/** Only words without content, and these on one side alone: `find` for `show` may be another question. */
const isLight = (a: readonly Word[], b: readonly Word[]): boolean =>
  (a.length === 0 || b.length === 0) && [...a, ...b].every(({ light }) => light);

/** One side has words more, and none of them narrows or turns what is asked. */
function addNothing(a: readonly Word[], b: readonly Word[], compared: Comparison, mode: Mode): boolean {
  // `I cannot find it`, `I cannot use it`; `is served`, `is stored`. Only verbs as weak as `held` and `found` may stand for each other.
  const isVerb = (word: Word) => isSupport(word) || isVerbal(word) || compared.thesaurus.isVerb(word.stem);
  const [verbsA, verbsB] = [a.filter(isVerb), b.filter(isVerb)];
  if (verbsA.length > 0 && verbsB.length > 0 && ![...verbsA, ...verbsB].every(({ stem }) => weakVerbs.has(stem))) return false;
  const restA = a.filter(word => !isIdle(word, compared.a, compared.b, b.length === 0));
  const restB = b.filter(word => !isIdle(word, compared.b, compared.a, a.length === 0));
  if (restA.length > 0 && restB.length > 0) return false;
  return restA.length > 0
    ? restA.every(word => isAside(word, restA, compared.a, compared.b, compared, mode))
    : restB.every(word => isAside(word, restB, compared.b, compared.a, compared, mode));
}

const isSupport = ({ stem }: Word): boolean => supportVerbs.has(stem) || weakVerbs.has(stem);

/** `Which runner holds ...` says no more than `who holds ...`; bikes that are used for something are no used bikes. */
const isIdle = (word: Word, own: Reading, other: Reading, isAlone: boolean): boolean =>
  word.light ||
  (isSupport(word) && !own.words.some(({ at }) => at === word.at + 1)) ||
  (isAlone && word.asked && other.question === 'who');

/** A word that no partner was found for, and that nevertheless adds nothing: a verb of relation, something said twice, part of a name. */
function isAside(word: Word, extra: readonly Word[], own: Reading, other: Reading, compared: Comparison, mode: Mode): boolean {
  const { thesaurus, pairs } = compared;
  if (other.words.some(said => isSaid(word, said, thesaurus))) return true;
  const isBeside = (offset: number) =>
    own.words.some(neighbour => neighbour.at === word.at + offset && !extra.includes(neighbour));
  const modifies = isBeside(1);
  // `Cheap hotels` are some of the hotels, and `stay fresh` is not `stay`; `designers of planes` are no planes; `model 14 pro` is another
  // model.
  const isModifier = thesaurus.isAdjective(word.stem) && (modifies || isBeside(-1));
  if (isModifier || word.ofSomething || isOfModel(word, own)) return false;
  if (mode === 'Balanced') return true;
  // A phrase of its own narrows: `for trucks`, `in 1990`.
  const isOwnPhrase =
    word.marker !== 0 && !own.words.some(({ phrase, at }) => phrase === word.phrase && !extra.some(w => w.at === at));
  if (isOwnPhrase && pairs.length < 2 * SHORT) return false;
  if (!modifies && (isVerbal(word) || thesaurus.isVerb(word.stem))) return true;
  return pairs.length > SHORT || (pairs.length === SHORT && isPartOfName(word, own, thesaurus.has));
}

/** Right behind a number or an identifier. */
const isOfModel = (word: Word, { words }: Reading): boolean =>
  words.some(({ at, form }) => at === word.at - 1 && /\d/.test(form));

const isSaid = (word: Word, said: Word, { synonyms, derived }: Comparison['thesaurus']): boolean =>
  said.kind === 'word' &&
  !said.proper &&
  !word.proper &&
  (said.stem === word.stem || synonyms(said.stem, word.stem) || derived(said.stem, word.stem));

const isVerbal = ({ form }: Word): boolean => /.(?:ed|ing)$/.test(form) || irregularForms.has(form);

/** Beside a word that is in no dictionary, as names in lower case are. */
const isPartOfName = (word: Word, { words }: Reading, isKnown: (stem: string) => boolean): boolean =>
  words.some(other => Math.abs(other.at - word.at) === 1 && isName(other, isKnown));
