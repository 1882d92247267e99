// The table of strategies. Its keys are the enum of the resource, so a strategy that is forgotten here does not compile.
import type { StrategyName } from '../../snapshot/snapshot.ts';
import { leastBusy } from './least-busy.ts';
import { leastLoad } from './least-load.ts';
import { leastUsage } from './least-usage.ts';
import { lowestCost } from './lowest-cost.ts';
import { lowestLatency } from './lowest-latency.ts';
import { nearest } from './nearest.ts';
import { prefixAffinity } from './prefix-affinity.ts';
import { roundRobin } from './round-robin.ts';
import { semantic } from './semantic.ts';
import type { Strategy } from './strategy.ts';
import { tokenThroughput } from './token-throughput.ts';
import { weighted } from './weighted.ts';

export const strategies = {
  Weighted: weighted,
  RoundRobin: roundRobin,
  LeastBusy: leastBusy,
  LowestLatency: lowestLatency,
  LowestCost: lowestCost,
  LeastUsage: leastUsage,
  TokenThroughput: tokenThroughput,
  LeastLoad: leastLoad,
  PrefixAffinity: prefixAffinity,
  Nearest: nearest,
  Semantic: semantic,
} satisfies Record<StrategyName, Strategy>;
