// Orders that strategies are made of: by score, and by weight where scores are equal. In place and without closures, as every request
// is planned by them; lists have at most 32 entries, for which insertion is as fast as anything.
import type { Standing } from './strategy.ts';

/** Behind all known scores. */
export const UNKNOWN_SCORE = Number.MAX_VALUE;

/** The lowest score first; equals share by weight; weight 0 comes last, whatever its score. */
export function byScore(standings: Standing[], random: number): void {
  for (let i = 1; i < standings.length; i++) insert(standings, i);
  let start = 0;
  for (let i = 1; i <= standings.length; i++) {
    if (i < standings.length && rankOf(standings[i]!) === rankOf(standings[start]!)) continue;
    if (i - start > 1) shareByWeight(standings, start, i, random);
    start = i;
  }
}

/**
 * The better one of two that are drawn by weight comes first, the rest by score: where many processes see the same figures late, they
 * would all rush to the best (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing").
 */
export function bestOfTwo(standings: Standing[], random: number): void {
  byScore(standings, random);
  const total = weightOf(standings, 0, standings.length);
  const one = drawn(standings, 0, standings.length, random * total);
  if (one < 0) return;
  const left = leftover(standings, 0, one, random * total);
  move(standings, one, 0);
  const other = drawn(standings, 1, standings.length, left * (total - standings[0]!.weight));
  if (other > 0 && rankOf(standings[other]!) < rankOf(standings[0]!)) move(standings, other, 0);
  // The first of the two that was not the better one goes back to its place.
  for (let i = 2; i < standings.length; i++) insert(standings, i, 1);
}

/** The first falls on each in proportion to its weight; the rest follow by the same rule. */
export function shareByWeight(standings: Standing[], start: number, end: number, random: number): void {
  let total = weightOf(standings, start, end);
  let chance = random;
  for (let at = start; at < end - 1; at++) {
    const index = drawn(standings, at, end, chance * total);
    if (index < 0) return;
    chance = leftover(standings, at, index, chance * total);
    total -= standings[index]!.weight;
    move(standings, index, at);
  }
}

/** Where `point` falls on the weights laid end to end; -1: there is no weight. */
function drawn(standings: readonly Standing[], start: number, end: number, point: number): number {
  let left = point;
  let last = -1;
  for (let i = start; i < end; i++) {
    const { weight } = standings[i]!;
    if (weight === 0) continue;
    if (left < weight) return i;
    left -= weight;
    last = i;
  }
  return last;
}

/** How far into the weight that it falls on: uniform in [0, 1) again. */
function leftover(standings: readonly Standing[], start: number, index: number, point: number): number {
  const share = (point - weightOf(standings, start, index)) / standings[index]!.weight;
  return Math.min(Math.max(share, 0), ALMOST_ONE);
}

const ALMOST_ONE = 1 - Number.EPSILON;

function weightOf(standings: readonly Standing[], start: number, end: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += standings[i]!.weight;
  return sum;
}

const rankOf = ({ weight, score }: Standing): number => (weight === 0 ? Number.POSITIVE_INFINITY : score);

/** `standings[at]` to its place among those before it, from `first` on, which are in order. */
function insert(standings: Standing[], at: number, first = 0): void {
  const standing = standings[at]!;
  const rank = rankOf(standing);
  let to = at;
  for (; to > first && rankOf(standings[to - 1]!) > rank; to--) standings[to] = standings[to - 1]!;
  standings[to] = standing;
}

/** To an earlier place; those in between move up by one. */
export function move(standings: Standing[], from: number, to: number): void {
  const standing = standings[from]!;
  for (let i = from; i > to; i--) standings[i] = standings[i - 1]!;
  standings[to] = standing;
}
