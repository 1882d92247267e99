// The table of strategies. Its keys are the enum of the resource, so a strategy that is forgotten here does not compile.
import type { StrategyName } from '../../snapshot/snapshot.ts';
import { roundRobin } from './round-robin.ts';
import type { Strategy } from './strategy.ts';
import { weighted } from './weighted.ts';

/** Those that are accepted but not yet in force (the verdict of the route says so) balance by weight. */
export const strategies = {
  Weighted: weighted,
  RoundRobin: roundRobin,
  LeastBusy: weighted,
  LowestLatency: weighted,
  LowestCost: weighted,
  LeastUsage: weighted,
  TokenThroughput: weighted,
  LeastLoad: weighted,
  PrefixAffinity: weighted,
  Nearest: weighted,
  Semantic: weighted,
} satisfies Record<StrategyName, Strategy>;
