// The state of the stores and the level of every budget in use, read when somebody asks for the metrics.
import type { Registry } from 'prom-client';
import { gaugeOf, type MetricSpec } from '#platform/metrics.ts';
import type { BudgetStanding } from './metrics-litellm.ts';
import { stateMetrics as specs } from './metrics-table.ts';
import type { BudgetLevels } from './store-events.ts';
import type { Stores } from './stores.ts';

export function registerStoreMetrics(registry: Registry, stores: Stores, levels: BudgetLevels, now: () => number): void {
  const gauge = (spec: MetricSpec, read: () => number) => gaugeOf(registry, spec, one => one.set(read()));
  const { writer, spool, admitter } = stores;
  gauge(specs.spoolRows, () => writer.stats().waitingRows);
  gauge(specs.spoolOldest, () => writer.stats().oldestAge / 1000);
  gauge(specs.spoolFill, () => spool.fill());
  gauge(specs.ledgerWritten, () => writer.stats().written);
  gauge(specs.ledgerRejected, () => writer.stats().rejected);
  gauge(specs.ledgerRecovered, () => stores.recovery.stats().recovered);
  gauge(specs.ledgerUp, () => (writer.stats().isAway ? 0 : 1));
  gauge(specs.settlementsWaiting, () => admitter.waiting());
  gauge(specs.readyPods, () => stores.readyPods());
  const { redis } = stores;
  if (redis) gauge(specs.redisUp, () => (redis.state().kind === 'up' ? 1 : 0));
  const ofBudgets = (spec: MetricSpec, figure: (budget: BudgetStanding & { readonly used: number }) => number | undefined) =>
    gaugeOf(registry, spec, one => {
      for (const budget of levels.standings(now())) {
        const { tenant, key, budget: name } = budget;
        const value = figure(budget);
        if (value !== undefined) one.set({ tenant, key, budget: name }, value);
      }
    });
  ofBudgets(specs.budgetUsed, ({ used }) => used);
  ofBudgets(specs.budgetRemaining, ({ remaining }) => remaining);
  ofBudgets(specs.budgetLimit, ({ amount }) => amount);
  ofBudgets(specs.budgetReset, ({ resetIn }) => resetIn);
}
