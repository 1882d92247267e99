// The state of the stores and the level of every budget in use, read when somebody asks for the metrics.
import { Gauge, type Registry } from 'prom-client';
import type { BudgetLevels } from './store-events.ts';
import type { Stores } from './stores.ts';

export function registerStoreMetrics(registry: Registry, stores: Stores, levels: BudgetLevels, now: () => number): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const { writer, spool, admitter } = stores;
  gauge(
    'tollgate_spool_rows_waiting',
    'Rows of the cost log that the ledger does not have yet.',
    () => writer.stats().waitingRows,
  );
  gauge('tollgate_spool_oldest_seconds', 'How long the oldest of them waits.', () => writer.stats().oldestAge / 1000);
  gauge('tollgate_spool_fill_ratio', 'How full the spool is; at 1 requests are refused.', () => spool.fill());
  gauge('tollgate_ledger_rows_written', 'Rows that this process has brought to the ledger.', () => writer.stats().written);
  gauge('tollgate_ledger_rows_rejected', 'Rows that the ledger refused, kept in rejected.jsonl.', () => writer.stats().rejected);
  gauge(
    'tollgate_ledger_rows_recovered',
    'Rows of dead processes settled at their reservation.',
    () => stores.recovery.stats().recovered,
  );
  gauge('tollgate_ledger_up', '1: the ledger took what it was last given.', () => (writer.stats().isAway ? 0 : 1));
  gauge('tollgate_settlements_waiting', 'Settlements that the counters have not taken yet.', () => admitter.waiting());
  gauge('tollgate_ready_pods', 'Data-plane processes that share the counters.', () => stores.readyPods());
  const { redis } = stores;
  if (redis) gauge('tollgate_redis_up', '1: Redis answers.', () => (redis.state().kind === 'up' ? 1 : 0));
  new Gauge({
    name: 'tollgate_budget_used_ratio',
    help: 'Settled and reserved spend of a budget in its period, as a part of its amount.',
    labelNames: ['tenant', 'key', 'budget'],
    registers,
    collect() {
      this.reset();
      for (const { labels, used } of levels.entries(now())) this.set(labels, used);
    },
  });
}
