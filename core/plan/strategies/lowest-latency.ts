// LowestLatency: the lowest percentile of the time to the first token over a window. Within a tolerance of the best, candidates count as
// equal. One of which too little is known counts as equal to the best, with a bound on how many requests find out at a time: a
// backend that was slow is asked again when its window has passed, and never by everybody at once.
import { byScore, UNKNOWN_SCORE } from './order.ts';
import type { Figure, Strategy } from './strategy.ts';

/** Attempts of this process that may be under way at a candidate of unknown latency. */
const EXPLORERS = 2;

const figure: Figure = {
  name: 'latency, ms',
  of: ({ health }, _, { latency }) => health.latency(latency.percentile, latency.window),
};

export const lowestLatency: Strategy = {
  order(standings, context, route) {
    let best = UNKNOWN_SCORE;
    for (const standing of standings) {
      standing.score = figure.of(standing, context, route) ?? UNKNOWN_SCORE;
      if (standing.weight > 0 && standing.score < best) best = standing.score;
    }
    const equal = best * (1 + route.latency.tolerance);
    for (const standing of standings) {
      const explored = standing.score === UNKNOWN_SCORE && standing.health.inFlight < EXPLORERS;
      if (explored || standing.score <= equal) standing.score = best;
    }
    byScore(standings, context.random);
  },
  figure,
};
