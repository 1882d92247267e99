// The cost log in memory: the last rows, for a process without a ledger.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { CostLog } from '../ports.ts';

export type MemoryCostLog = CostLog & {
  /** Oldest first. */
  rows(): readonly CostRecord[];
};

export function memoryCostLog(maxRows = 1000): MemoryCostLog {
  const ring: CostRecord[] = [];
  let next = 0;
  return {
    record(row) {
      ring[next] = row;
      next = (next + 1) % maxRows;
    },
    rows: () => (ring.length < maxRows ? [...ring] : [...ring.slice(next), ...ring.slice(0, next)]),
  };
}
