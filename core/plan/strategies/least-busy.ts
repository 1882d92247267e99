// LeastBusy: the fewest attempts under way for its weight.
import { bestOfTwo, byScore } from './order.ts';
import type { Figure, Standing, Strategy } from './strategy.ts';

const busy = ({ health, weight }: Standing): number => health.inFlight / weight;

const figure: Figure = { name: 'attempts in flight / weight', of: busy };

export const leastBusy: Strategy = {
  order(standings, { random, pods }) {
    for (const standing of standings) standing.score = busy(standing);
    // A backend that has just come back is idle to every process at once.
    if (pods > 1) bestOfTwo(standings, random);
    else byScore(standings, random);
  },
  figure,
};
