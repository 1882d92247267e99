// Budgets of TenantKeys -> BudgetEntry, and which of them hold for a whole tenant.
import { zoneName } from '../accounting/periods.ts';
import { scaled } from '../resources/quantity.ts';
import type { BudgetEntry, TenantEntry } from '../snapshot/snapshot.ts';
import { nanoUsd } from '../units.ts';
import { type Resource, specPath } from './objects.ts';

type Key = Resource<'TenantKey'>;

/** @returns undefined: a budget that cannot be kept, and a key with one is not served */
export function budgetsOf({ spec, draft }: Key): readonly BudgetEntry[] | undefined {
  const budgets = spec.budgets.map(({ currency: _, amount, timeZone, ...budget }, index) => {
    const zone = zoneName(timeZone);
    const message = `${timeZone} is no time zone of the IANA database that is built in here`;
    if (zone === undefined) draft.fail('Accepted', 'Invalid', specPath('budgets', index, 'timeZone'), message);
    const models = budget.models.toSorted();
    const warnAtPercent = budget.warnAtPercent.toSorted((a, b) => a - b);
    return zone !== undefined && { ...budget, amount: nanoUsd(scaled(amount, 9) ?? 0), timeZone: zone, models, warnAtPercent };
  });
  const sound = budgets.filter(budget => budget !== false);
  return sound.length === budgets.length ? sound : undefined;
}

/** The budgets of scope Tenant of all keys. Of two that have one name, the older key's holds. */
export class TenantBudgets {
  readonly #tenants = new Map<string, Map<string, { readonly budget: BudgetEntry; readonly declaredBy: string }>>();

  /** Oldest key first. */
  add(key: Key, budgets: readonly BudgetEntry[]): void {
    for (const [index, budget] of budgets.entries()) if (budget.scope === 'Tenant') this.#declare(key, budget, index);
  }

  entries(): Record<string, TenantEntry> {
    const byName = (a: BudgetEntry, b: BudgetEntry) => (a.name < b.name ? -1 : 1);
    const entries = [...this.#tenants].map(([tenant, declared]): [string, TenantEntry] => {
      const budgets = [...declared.values()].map(({ budget }) => budget);
      return [tenant, { budgets: budgets.sort(byName) }];
    });
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #declare({ id, spec, draft }: Key, budget: BudgetEntry, index: number): void {
    const ofTenant = this.#tenants.get(spec.tenant) ?? new Map();
    this.#tenants.set(spec.tenant, ofTenant);
    const declared = ofTenant.get(budget.name);
    if (!declared) ofTenant.set(budget.name, { budget, declaredBy: id });
    else if (!isSame(declared.budget, budget)) {
      const message = `the tenant's budget ${budget.name} is another one at its oldest key ${declared.declaredBy}, which holds`;
      draft.remark(specPath('budgets', index), message);
      draft.state('Accepted', 'True', 'BudgetConflict', message);
    }
  }
}

const isSame = (a: BudgetEntry, b: BudgetEntry): boolean => JSON.stringify(a) === JSON.stringify(b);
