// perm and swap: the same words in another order may be another question. A phrase may move as a whole (`in June, when ...`); two words
// that change places around a third may not, unless one side is passive.
import type { Pair } from '../alignment.ts';
import { Sense } from '../english/closed-classes.ts';
import type { Reading, Word } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

/** The check of triples is cubic: prompts that share more words have to share their order. */
const MAX_PAIRS = 48;

export const swapped: Guard = {
  name: 'swap',
  objection({ a, b, pairs }) {
    if (pairs.length > MAX_PAIRS) return outOfOrder(pairs);
    const places = placesOf(pairs);
    if (places.length < 2 || a.passive !== b.passive) return undefined;
    return exchanged(places) ?? aroundPivot(places);
  },
};

export const permuted: Guard = {
  name: 'perm',
  objection({ a, b, pairs }) {
    const places = placesOf(pairs);
    for (let at = 0; at + 1 < places.length; at++) {
      const [x, y] = [places[at]!, places[at + 1]!];
      if (x.inB < y.inB) continue;
      if (isTurned(x) || isTurned(y)) continue;
      if (isCompound(x, y)) return described(x, y);
      if (asksOtherRole(a, b) && ![x, y].some(({ a: word }) => word.stem === '~function')) return described(x, y);
    }
    return otherHead(places);
  },
};

type Place = Pair & { readonly inA: number; readonly inB: number };

function placesOf(pairs: readonly Pair[]): Place[] {
  // `Mean` stands before or behind what has the meaning.
  const used = pairs.filter(({ a }) => !/^(?:mean|defin)/.test(a.stem)).slice(0, MAX_PAIRS);
  const ordered = [...used].sort((x, y) => x.b.at - y.b.at);
  return used.map((pair, inA) => ({ ...pair, inA, inB: ordered.indexOf(pair) }));
}

function outOfOrder(pairs: readonly Pair[]): string | undefined {
  const at = pairs.findIndex((pair, index) => index > 0 && pair.b.at < pairs[index - 1]!.b.at);
  return at < 0 ? undefined : differs(pairs[at - 1]!.a.form, pairs[at]!.a.form);
}

/** All stand where they stood, but for two that changed places. */
function exchanged(places: readonly Place[]): string | undefined {
  const moved = places.filter(({ inA, inB }) => inA !== inB);
  if (moved.length !== 2) return undefined;
  const [x, y] = moved as [Place, Place];
  if ((movesWhole(x) || movesWhole(y)) && x.a.preposition !== y.a.preposition) return undefined;
  return isFree(x, y) || isAsked(x) || isAsked(y) ? undefined : described(x, y);
}

/** A V B has become B V A. */
function aroundPivot(places: readonly Place[]): string | undefined {
  for (const [first, x] of places.entries())
    for (let last = first + 2; last < places.length; last++) {
      const y = places[last]!;
      if (x.inB < y.inB || movesWhole(x) || movesWhole(y) || isFree(x, y)) continue;
      const pivot = places.slice(first + 1, last).find(({ inB }) => inB < x.inB && inB > y.inB);
      if (pivot && !isTurned(pivot)) return described(x, y);
    }
  return undefined;
}

/** Two words whose order says nothing. */
const isFree = (x: Place, y: Place): boolean =>
  isListed(x, y) ||
  isGenitive(x.a, y.a, y.b, x.b) ||
  isGenitive(y.b, x.b, x.a, y.a) ||
  isTurned(x) ||
  isTurned(y) ||
  isAdverb(x) ||
  isAdverb(y) ||
  isSymmetric(x) ||
  isSymmetric(y) ||
  isPredicate(x, y) ||
  isPredicate(y, x);

/** A and B differ as B and A do. */
const isSymmetric = ({ a }: Place): boolean => a.stem === 'differ';

/** The tallest tree, which tree is the tallest: what stands last modifies nothing else. */
const isPredicate = (adjective: Place, noun: Place): boolean =>
  isSuperlative(adjective) && !isSuperlative(noun) && [adjective.a, adjective.b].some(({ last }) => last);

const isSuperlative = ({ a }: Place): boolean => /^(?:best|worst)$|.est$/.test(a.form);

/** The verb of a passive on one side: its object has changed sides. */
const isTurned = ({ a, b }: Place): boolean => a.suffered !== b.suffered;

const isAdverb = ({ a }: Place): boolean => /...ly$/.test(a.form) && !/(?:ply|mily|mbly)$/.test(a.form);

/** `The plot of Emma` is `Emma's plot`, `a match of rugby` a `rugby match`: what stands behind the preposition stands before its noun. */
const isGenitive = (head: Word, of: Word, first: Word, second: Word): boolean =>
  of.marker !== 0 &&
  (of.marker & Sense.general) !== 0 &&
  of.phrase === head.phrase + 1 &&
  second.at - first.at <= 2 &&
  second.at > first.at;

/** Question words take their noun along: oxygen is in which block, which block is oxygen in. */
const isAsked = ({ a, b }: Place): boolean => a.asked && b.asked;

/** Governed by the same preposition in both: it moved with its phrase. */
const movesWhole = ({ a, b }: Place): boolean => a.marker !== 0 && b.marker !== 0 && (a.marker & b.marker) !== 0;

/** Members of a list may change places: `A and B`, `between A and B`. */
const isListed = (x: Place, y: Place): boolean =>
  y.a.listed && x.b.listed && x.a.phrase === y.a.phrase && x.b.phrase === y.b.phrase;

/** The old man and the boat, the man and the old boat: what stands right before one word stands before another. */
function otherHead(places: readonly Place[]): string | undefined {
  for (const x of places) {
    const [y, z] = [places.find(({ a }) => a.at === x.a.at + 1), places.find(({ b }) => b.at === x.b.at + 1)];
    if (y && z && y !== z && ![x, y, z].some(place => isAdverb(place) || isTurned(place) || place.a.kind !== 'word'))
      return described(x, y);
  }
  return undefined;
}

/** `door garage` is no `garage door`. */
const isCompound = (x: Place, y: Place): boolean =>
  y.a.at - x.a.at === 1 && x.b.at - y.b.at === 1 && !isAdverb(x) && !isAdverb(y);

/** Which tribes conquered the empire, and which did the empire conquer: the auxiliary makes the other one the subject. */
const asksOtherRole = (a: Reading, b: Reading): boolean =>
  a.asksFirst &&
  b.asksFirst &&
  a.passive === b.passive &&
  a.doSupport !== b.doSupport &&
  a.question === b.question &&
  /^(?:what|who)$/.test(a.question);

const described = (x: Place, y: Place): string => differs(`${x.a.form} .. ${y.a.form}`, `${y.b.form} .. ${x.b.form}`);
