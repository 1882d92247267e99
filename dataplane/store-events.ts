// What the stores tell becomes metrics and warnings.
import { type Alert, exhaustedAlert, thresholdAlerts } from '#core/admission/alerts.ts';
import type { BudgetLevel, Settlement } from '#core/admission/demand.ts';
import type { EpochMillis } from '#core/units.ts';
import type { Claimant } from './admission/admission.ts';
import type { Metrics } from './metrics.ts';
import type { StoreEvents } from './stores.ts';

export function storeEvents(
  metrics: Metrics,
  levels: BudgetLevels,
  emit: (alert: Alert) => void,
  now: () => number,
): StoreEvents {
  const occasion = (tenant: string, { entry }: Claimant) => ({
    tenant,
    keyName: `${entry.namespace}/${entry.name}`,
    now: now() as EpochMillis,
  });
  return {
    onSettled(settlement, settled, key) {
      if (settled.kind !== 'settled') return;
      if (settled.exceeded) metrics.exceeded.inc();
      const whose = occasion(settlement.tenant, key);
      levels.set(settlement, whose.keyName, settled.levels);
      for (const alert of thresholdAlerts(whose, settlement.budgets, settled.levels, settled.crossed)) emit(alert);
    },
    onExhausted(demand, { budget, levels: found }, key) {
      emit(exhaustedAlert(occasion(demand.tenant, key), demand.budgets[budget]!, found[budget]!));
    },
    onFailMode: (mode, passed) => metrics.failModes.inc({ mode, outcome: passed ? 'passed' : 'refused' }),
    onRebuilt: (_, ms) => metrics.rebuilds.observe(ms / 1000),
  };
}

/** Budgets whose level is shown; those that were not used for longest go first. */
const MAX_BUDGETS = 10_000;

export class BudgetLevels {
  readonly #levels = new Map<
    string,
    { readonly labels: Record<string, string>; readonly used: number; readonly resetAt: number }
  >();

  /** @param keyName whose budgets of scope Key these are */
  set({ tenant, budgets }: Pick<Settlement, 'tenant' | 'budgets'>, keyName: string, levels: readonly BudgetLevel[]): void {
    for (const [index, { name, scope, amount, resetAt = Number.POSITIVE_INFINITY }] of budgets.entries()) {
      const level = levels[index];
      if (!level) continue;
      const labels = { tenant, key: scope === 'Key' ? keyName : '', budget: name };
      const id = `${tenant} ${labels.key} ${name}`;
      this.#levels.delete(id);
      this.#levels.set(id, { labels, used: amount > 0 ? (level.settled + level.reserved) / amount : 1, resetAt });
    }
    while (this.#levels.size > MAX_BUDGETS) this.#levels.delete(this.#levels.keys().next().value!);
  }

  /** A period that is over has left nothing used. */
  entries(now: number): Iterable<{ readonly labels: Record<string, string>; readonly used: number }> {
    return this.#levels.values().map(({ labels, used, resetAt }) => ({ labels, used: now < resetAt ? used : 0 }));
  }
}
