// A ledger in memory for tests: it can be away, be slow, and refuse single rows.
import { setTimeout as delay } from 'node:timers/promises';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { latestStates, rowKey } from '#core/accounting/recovery.ts';
import type { Ledger } from '#dataplane/costlog/ledger.ts';

export type MemoryLedger = Pick<Ledger, 'write' | 'rowsOf' | 'overdue'> & {
  isAway: boolean;
  slowMs: number;
  refuses: (row: CostRecord) => boolean;
  /** Rows handed in by each write that was taken. */
  readonly writes: (readonly CostRecord[])[];
  /** What it has, in the order in which the attempts came. */
  rows(): readonly CostRecord[];
};

export function memoryLedger(): MemoryLedger {
  const stored = new Map<string, CostRecord>();
  const reach = async () => {
    if (ledger.slowMs > 0) await delay(ledger.slowMs);
    if (ledger.isAway) throw new Error('the ledger is away');
  };
  const ledger: MemoryLedger = {
    isAway: false,
    slowMs: 0,
    refuses: () => false,
    writes: [],
    rows: () => [...stored.values()],
    async write(rows) {
      await reach();
      if (rows.some(ledger.refuses)) throw new Error('a value is out of range');
      ledger.writes.push(rows);
      for (const row of rows) {
        const [kept] = latestStates([stored.get(rowKey(row)) ?? row, row]);
        stored.set(rowKey(row), kept!);
      }
    },
    async rowsOf(ids) {
      await reach();
      return ledger.rows().filter(row => ids.includes(row.requestId));
    },
    async overdue(now, max) {
      await reach();
      return ledger
        .rows()
        .filter(row => row.state === 'open' && row.leaseUntil <= now)
        .slice(0, max);
    },
  };
  return ledger;
}
