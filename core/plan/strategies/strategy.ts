// What a balancing strategy is: it orders candidates of equal priority, best first, and never adds or drops one.
import type { Candidate } from '../candidate.ts';

export type StrategyContext = {
  /** In [0, 1). Strategies that need more derive it from this one. */
  readonly random: number;
  /** How many requests this route has planned before. */
  readonly turn: number;
};

export type Strategy = (candidates: readonly Candidate[], context: StrategyContext) => readonly Candidate[];
