// Weighted: the first choice falls on each candidate in proportion to its weight; the rest follow by the same rule.
import type { Candidate } from '../candidate.ts';
import type { Strategy } from './strategy.ts';

export const weighted: Strategy = (candidates, { random }) => {
  const rest = [...candidates];
  const ordered: Candidate[] = [];
  let chance = random;
  while (rest.length > 0) {
    const { index, leftover } = pick(rest, chance);
    ordered.push(...rest.splice(index, 1));
    chance = leftover;
  }
  return ordered;
};

/** Where `chance` falls on the weights laid end to end, and, as the next chance, how far into that weight it falls: uniform again. */
function pick(candidates: readonly Candidate[], chance: number): { index: number; leftover: number } {
  const total = candidates.reduce((sum, c) => sum + c.weight, 0);
  // Candidates of weight 0 get traffic only when nothing else is left.
  if (total === 0) return { index: 0, leftover: chance };
  let at = chance * total;
  for (const [index, candidate] of candidates.entries()) {
    if (at < candidate.weight) return { index, leftover: at / candidate.weight };
    at -= candidate.weight;
  }
  return { index: candidates.findLastIndex(c => c.weight > 0), leftover: 0 };
}
