// RoundRobin: each request begins one candidate further. Candidates of weight 0 stay last.
import type { Strategy } from './strategy.ts';

export const roundRobin: Strategy = (candidates, { turn }) => {
  const active = candidates.filter(c => c.weight > 0);
  const start = active.length > 0 ? turn % active.length : 0;
  return [...active.slice(start), ...active.slice(0, start), ...candidates.filter(c => c.weight === 0)];
};
