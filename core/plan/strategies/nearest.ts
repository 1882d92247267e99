// Nearest: the own zone, then the own region, then anywhere; a candidate that is nearly full spills to the next one that is not.
import type { Candidate } from '../candidate.ts';
import type { Locality } from '../context.ts';
import { byScore } from './order.ts';
import type { Figure, Standing, Strategy } from './strategy.ts';

/** Full is 1: of an engine its saturation, of limits their end. */
const NEARLY_FULL = 0.9;
/** Behind every distance. */
const SPILL = 3;

/** The largest share in use of what is known to be bounded; 0 where nothing is. */
function pressure({ health, candidate }: Standing): number {
  const { maxConcurrency = Number.POSITIVE_INFINITY } = candidate.provider.limits ?? {};
  return Math.max(health.engine?.load ?? 0, health.usage ?? 0, health.inFlight / maxConcurrency);
}

/** 0: the own zone; 1: the own region; 2: elsewhere, or not known. Names of zones may repeat from region to region. */
function distance({ provider: { locality } }: Candidate, home: Locality): number {
  const near = isSame(locality?.region, home.region);
  const elsewhere = !near && locality?.region !== undefined && home.region !== undefined;
  if (isSame(locality?.zone, home.zone) && !elsewhere) return 0;
  return near ? 1 : 2;
}

const isSame = (one: string | undefined, other: string | undefined): boolean => one !== undefined && one === other;

const figure: Figure = {
  name: 'distance: 0 zone, 1 region, 2 elsewhere',
  of: ({ candidate }, { home }) => distance(candidate, home),
};

export const nearest: Strategy = {
  order(standings, { home, random }) {
    for (const standing of standings) {
      const full = pressure(standing);
      standing.score = full < NEARLY_FULL ? distance(standing.candidate, home) : SPILL + full;
    }
    byScore(standings, random);
  },
  figure,
};
