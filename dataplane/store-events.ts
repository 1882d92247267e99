// What the stores tell becomes metrics and warnings.
import { type Alert, exhaustedAlert, thresholdAlerts } from '#core/admission/alerts.ts';
import type { BudgetLevel, Settlement } from '#core/admission/demand.ts';
import type { EpochMillis } from '#core/units.ts';
import type { Claimant } from './admission/admission.ts';
import type { Metrics } from './metrics.ts';
import type { BudgetStanding } from './metrics-litellm.ts';
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

type KnownBudget = {
  readonly labels: { readonly tenant: string; readonly key: string; readonly budget: string };
  readonly level: BudgetLevel;
  readonly amount: number;
  readonly resetAt: number;
};

export class BudgetLevels {
  readonly #known = new Map<string, KnownBudget>();

  /** @param keyName whose budgets of scope Key these are */
  set({ tenant, budgets }: Pick<Settlement, 'tenant' | 'budgets'>, keyName: string, levels: readonly BudgetLevel[]): void {
    for (const [index, { name, scope, amount, resetAt = Number.POSITIVE_INFINITY }] of budgets.entries()) {
      const level = levels[index];
      if (!level) continue;
      const labels = { tenant, key: scope === 'Key' ? keyName : '', budget: name };
      const id = `${tenant} ${labels.key} ${name}`;
      this.#known.delete(id);
      this.#known.set(id, { labels, level, amount, resetAt });
    }
    while (this.#known.size > MAX_BUDGETS) this.#known.delete(this.#known.keys().next().value!);
  }

  /** A period that is over has left nothing used. */
  entries(now: number): Iterable<{ readonly labels: KnownBudget['labels']; readonly used: number }> {
    return this.#known.values().map(({ labels, level, amount, resetAt }) => {
      const spent = level.settled + level.reserved;
      return { labels, used: now >= resetAt ? 0 : amount > 0 ? spent / amount : 1 };
    });
  }

  /** In US dollars and seconds; of a period that is over, as the next one begins. */
  standings(now: number): readonly (BudgetStanding & { readonly used: number })[] {
    return Array.from(this.#known.values(), ({ labels, level, amount, resetAt }) => {
      const isOver = now >= resetAt;
      const spent = isOver ? 0 : level.settled + level.reserved;
      return {
        ...labels,
        used: amount > 0 ? spent / amount : Number(!isOver),
        amount: amount / 1e9,
        remaining: (amount - spent) / 1e9,
        resetIn: Number.isFinite(resetAt) && !isOver ? (resetAt - now) / 1000 : undefined,
      };
    });
  }
}
