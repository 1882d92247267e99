// What a balancing strategy is: it orders candidates of equal priority, best first, and never adds or drops one.
import type { TargetHealth } from '../../health/health.ts';
import type { RouteEntry } from '../../snapshot/snapshot.ts';
import type { Candidate } from '../candidate.ts';
import type { PlanContext } from '../context.ts';

/** A candidate as it stands at this moment. */
export type Standing = {
  readonly candidate: Candidate;
  readonly health: TargetHealth;
  /** 32 bits of the backend, in every process the same. */
  readonly hash: number;
  /** The configured one, or what `autoWeight` makes of it. 0: only when nothing else is left. */
  weight: number;
  /** Of the strategy that orders it: lower is better. */
  score: number;
};

export type Strategy = {
  /** In place, best first. `route` has its settings. */
  order(standings: Standing[], context: PlanContext, route: RouteEntry): void;
  /** What it goes by, for who asks why. Absent: weights or turns alone. */
  readonly figure?: Figure;
};

export type Figure = {
  /** With its unit: `latency, ms`. */
  readonly name: string;
  /** undefined: not known. */
  of(standing: Standing, context: PlanContext, route: RouteEntry): number | undefined;
};
