// PrefixAffinity: prompts that begin alike go to the same candidate, which has their prefix in its cache; every process agrees on which,
// without shared state. Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2018): a candidate with more than
// 1.25 times its share of what is under way is passed over for the next one of the same prompt.
import { rendezvous } from '../hash.ts';
import { byScore } from './order.ts';
import type { Figure, Strategy } from './strategy.ts';

const BOUND = 1.25;
/** Behind every value of `rendezvous`. */
const PASSED_OVER = 1e9;

const figure: Figure = {
  name: 'rank for this prefix',
  of: ({ hash, weight }, { needs }) => rendezvous(needs.prefix(), hash, weight),
};

export const prefixAffinity: Strategy = {
  order(standings, { needs, random }) {
    const prefix = needs.prefix();
    let inFlight = 1;
    let weights = 0;
    for (const { health, weight } of standings) {
      inFlight += health.inFlight;
      weights += weight;
    }
    for (const standing of standings) {
      const { health, hash, weight } = standing;
      const bound = Math.ceil((BOUND * inFlight * weight) / weights);
      standing.score = rendezvous(prefix, hash, weight) + (health.inFlight < bound ? 0 : PASSED_OVER);
    }
    byScore(standings, random);
  },
  figure,
};
