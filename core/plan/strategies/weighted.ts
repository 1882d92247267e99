// Weighted: the first choice falls on each candidate in proportion to its weight; the rest follow by the same rule.
import { shareByWeight } from './order.ts';
import type { Strategy } from './strategy.ts';

export const weighted: Strategy = {
  order: (standings, { random }) => shareByWeight(standings, 0, standings.length, random),
};
