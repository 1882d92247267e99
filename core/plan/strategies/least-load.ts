// LeastLoad: for self-hosted engines the load that their own metrics show, where 1 is saturation; for hosted providers the attempts under
// way, as a share of `maxConcurrency`.
import { byScore } from './order.ts';
import type { Figure, Standing, Strategy } from './strategy.ts';

/** For a hosted provider without `maxConcurrency`: that of llm-d's concurrency detector. */
const CONCURRENCY = 100;

const loadOf = ({ health, candidate }: Standing): number =>
  health.engine?.load ?? health.inFlight / (candidate.provider.limits?.maxConcurrency ?? CONCURRENCY);

const figure: Figure = { name: 'load, 1 is full', of: loadOf };

export const leastLoad: Strategy = {
  order(standings, { random }) {
    // The load of an engine counts what was sent to it since its metrics were read, for all pods: they do not rush to one.
    for (const standing of standings) standing.score = loadOf(standing);
    byScore(standings, random);
  },
  figure,
};
