// RoundRobin: each request begins one candidate further. Candidates of weight 0 stay last.
import { byScore } from './order.ts';
import type { Strategy } from './strategy.ts';

export const roundRobin: Strategy = {
  order(standings, { turn, random }) {
    let active = 0;
    for (const { weight } of standings) if (weight > 0) active++;
    let place = active - (turn % Math.max(1, active));
    for (const standing of standings) if (standing.weight > 0) standing.score = place++ % active;
    byScore(standings, random);
  },
};
