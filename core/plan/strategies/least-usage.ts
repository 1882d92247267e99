// LeastUsage: the smallest share used of its provider's `rpm` and `tpm`. A provider without such limits has all its room left.
import { bestOfTwo, byScore } from './order.ts';
import type { Figure, Strategy } from './strategy.ts';

const figure: Figure = { name: 'share of rpm and tpm in use', of: ({ health }) => health.usage };

export const leastUsage: Strategy = {
  order(standings, { random, pods }) {
    for (const standing of standings) standing.score = standing.health.usage ?? 0;
    if (pods > 1) bestOfTwo(standings, random);
    else byScore(standings, random);
  },
  figure,
};
