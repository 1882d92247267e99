// What the budgets of a key stand at: the very sums that a refusal quotes. The counters know them; where they do not, the ledger does.
import { KeyDemands } from '#core/admission/demand-of.ts';
import { type Account, startsOf, sumsFor } from '#core/admission/sums.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { BudgetEntry, KeyEntry } from '#core/snapshot/snapshot.ts';
import { epochMillis, type NanoUsd, nanoUsd } from '#core/units.ts';
import type { LiveConfig } from '../config/live.ts';
import type { AccountLevel } from '../counters/counters.ts';
import type { AdminPorts } from './admin-ports.ts';
import { type RawNumber, usd } from './exact.ts';
import { fromLedger } from './from-ledger.ts';

export type BudgetView = AccountLevel & { readonly entry: BudgetEntry; readonly resetAt: number | undefined };

export async function budgetViews(ports: AdminPorts, config: LiveConfig, key: KeyEntry): Promise<Parsed<readonly BudgetView[]>> {
  const tenantBudgets = config.snapshot.tenants[key.tenant]?.budgets ?? [];
  const entries = [...key.budgets, ...tenantBudgets];
  if (entries.length === 0) return ok([]);
  const accounts = new KeyDemands(key, tenantBudgets, ports).accounts(epochMillis(ports.now()));
  const levels = await levelsOf(ports, key.tenant, accounts);
  if (!levels.ok) return levels;
  return ok(entries.map((entry, index) => ({ entry, resetAt: accounts[index]!.span.end, ...levels.value[index]! })));
}

async function levelsOf(
  ports: AdminPorts,
  tenant: string,
  accounts: readonly Account[],
): Promise<Parsed<readonly AccountLevel[]>> {
  const wanted = accounts.map(({ account, span }) => ({ account, period: span.start }));
  const known = await ports.counters.levels(tenant, wanted).catch(() => []);
  if (accounts.every((_, index) => known[index])) return ok(known as readonly AccountLevel[]);
  const since = startsOf(accounts);
  const spend = await fromLedger(ports, () => ports.ledger.spend(tenant, since, epochMillis(ports.now())));
  if (!spend.ok) return spend;
  const sums = sumsFor(accounts, since, spend.value);
  return ok(
    accounts.map(({ account }, index) => {
      const held = sums.open.filter(open => open.accounts.includes(account));
      return known[index] ?? { settled: sums.accounts[index]!.settled, reserved: total(held.map(open => open.cost)) };
    }),
  );
}

const total = (amounts: readonly NanoUsd[]): NanoUsd => nanoUsd(amounts.reduce((sum, amount) => sum + amount, 0));

export type ShownBudget = {
  readonly name: string;
  readonly scope: 'Key' | 'Tenant';
  readonly period: BudgetEntry['period'];
  readonly models: readonly string[];
  readonly on_exhausted: BudgetEntry['onExhausted'];
  readonly amount: RawNumber;
  readonly spent: RawNumber;
  readonly reserved: RawNumber;
  readonly remaining: RawNumber;
  readonly reset_at: string | null;
};

/** `remaining` is what a request may still cost to be admitted; an overspent budget has nothing left, not less. */
export const shownBudget = ({ entry, settled, reserved, resetAt }: BudgetView): ShownBudget => ({
  name: entry.name,
  scope: entry.scope,
  period: entry.period,
  models: entry.models,
  on_exhausted: entry.onExhausted,
  amount: usd(entry.amount),
  spent: usd(settled),
  reserved: usd(reserved),
  remaining: usd(nanoUsd(Math.max(0, entry.amount - settled - reserved))),
  reset_at: isoOf(resetAt),
});

export const isoOf = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString());
