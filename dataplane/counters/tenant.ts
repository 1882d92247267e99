// What one tenant has in memory, and what reserving, settling and rebuilding do to its accounts.
import type { BudgetDemand, Demand, LimitDemand, Settlement } from '#core/admission/demand.ts';
import type { EpochMillis, NanoUsd } from '#core/units.ts';
import type { Accounts } from './accounts.ts';
import type { AccountPeriod } from './counters.ts';
import type { OpenHold } from './periods.ts';
import type { SlidingWindow } from './window.ts';

export type Reservation = {
  cost: number;
  /** Counted in every window of tokens, in the bucket of `second`. */
  tokens: number;
  readonly second: number;
  leaseUntil: EpochMillis;
  readonly limits: readonly LimitDemand[];
  readonly budgets: readonly BudgetDemand[];
  /** Each account once. */
  held: AccountPeriod[];
};

export type Tenant = {
  readonly accounts: Accounts;
  readonly windows: Map<string, SlidingWindow>;
  readonly slots: Map<string, number>;
  readonly open: Map<string, Reservation>;
  /** Oldest first. */
  readonly done: Map<string, { readonly until: EpochMillis; readonly cost: NanoUsd }>;
};

export const needOf = (limit: LimitDemand, { tokens }: Demand): number => (limit.kind === 'tokens' ? tokens : 1);

export const isIn = (list: readonly AccountPeriod[], { account, period }: AccountPeriod): boolean =>
  list.some(other => other.account === account && other.period === period);

/** However many budgets look at an account, it takes part once. */
export function distinct(list: readonly AccountPeriod[]): readonly AccountPeriod[] {
  return list.filter((entry, i) => !isIn(list.slice(0, i), entry)).map(({ account, period }) => ({ account, period }));
}

export function hold(accounts: Accounts, reservation: Reservation, budgets: readonly AccountPeriod[], cost: NanoUsd): void {
  for (const account of distinct(budgets)) {
    const sums = accounts.enter(account);
    if (sums === undefined) continue;
    sums.reserved += cost;
    reservation.held.push(account);
  }
  reservation.cost = cost;
}

/** Costs count in the accounts of the budgets, and in those that a rebuild found the request open in. False: every sum had this cost already. */
export function addCost(
  accounts: Accounts,
  reservation: Reservation | undefined,
  { id, budgets, cost }: Settlement,
  now: EpochMillis,
): boolean {
  const held = reservation?.held ?? [];
  let counted = false;
  for (const account of distinct([...budgets, ...held])) {
    const sums = accounts.enter(account);
    if (sums !== undefined && isIn(held, account)) sums.reserved -= reservation!.cost;
    const already = accounts.alreadyOf(account.account, id, now);
    if (already === cost) continue;
    counted = true;
    if (sums !== undefined) sums.settled += cost - (already ?? 0);
  }
  return counted;
}

export function crossed(accounts: Accounts, budgets: readonly BudgetDemand[]): { budget: number; at: NanoUsd }[] {
  const found = budgets.flatMap(({ account, period, warnAt }, budget) => {
    const sums = accounts.enter({ account, period });
    return warnAt.filter(at => sums !== undefined && at > sums.warned && at <= sums.settled).map(at => ({ budget, at }));
  });
  for (const { budget, at } of found) {
    const sums = accounts.enter(budgets[budget]!)!;
    sums.warned = Math.max(sums.warned, at);
  }
  return found;
}

export function forgetAccounts(tenant: Tenant): void {
  tenant.accounts.clear();
  for (const reservation of tenant.open.values()) reservation.held = [];
}

/** A request that is open in the ledger holds what it has there; one that ended here has a cost the ledger did not know yet. */
export function findOpen(tenant: Tenant, id: string, { cost, leaseUntil, holds }: Omit<OpenHold, 'id'>, already: number): void {
  const ended = tenant.done.get(id);
  let reservation = tenant.open.get(id);
  if (ended === undefined && reservation === undefined) {
    reservation = { cost, tokens: 0, second: 0, leaseUntil, limits: [], budgets: [], held: [] };
    tenant.open.set(id, reservation);
  }
  for (const account of holds) {
    const sums = tenant.accounts.enter(account);
    if (sums === undefined) continue;
    if (ended !== undefined) sums.settled += ended.cost - already;
    else if (reservation !== undefined) {
      sums.reserved += reservation.cost;
      reservation.held = [...reservation.held, account];
    }
  }
}
