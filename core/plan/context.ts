// All that a plan depends on besides the snapshot and what the router reads of the request.
import { type Health, unknownHealth } from '../health/health.ts';
import { noNeeds, type RequestNeeds } from './needs.ts';
import type { Sessions } from './sessions.ts';

/** Where something runs. */
export type Locality = { readonly region?: string; readonly zone?: string };

export type PlanContext = {
  /** In [0, 1). Strategies that need more derive it from this one. */
  readonly random: number;
  /** How many requests this route has planned before. */
  readonly turn: number;
  readonly health: Health;
  /** Monotonic milliseconds: nothing here may wait for a clock that was set back. */
  readonly now: number;
  readonly needs: RequestNeeds;
  /** Where this process runs. */
  readonly home: Locality;
  /** Processes that decide by the same figures at the same time. */
  readonly pods: number;
  /** Where sessions went last, for routes with affinity; undefined: nobody remembers. */
  readonly sessions: Sessions | undefined;
};

/** For a request of which nothing is known, among backends of which nothing is known. */
export const nothingKnown: PlanContext = {
  random: 0,
  turn: 0,
  health: unknownHealth,
  now: 0,
  needs: noNeeds,
  home: {},
  pods: 1,
  sessions: undefined,
};
