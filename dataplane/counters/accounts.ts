// The sums of one tenant's accounts, in memory: of the current period and the one before, settled and reserved.
import type { BudgetDemand, BudgetLevel } from '#core/admission/demand.ts';
import { type EpochMillis, type NanoUsd, nanoUsd } from '#core/units.ts';
import type { AccountPeriod } from './counters.ts';

/** Sums of one account in one period. They stay below 2^53 as long as nobody spends 9 million dollars in it. */
export type Sums = { settled: number; reserved: number; warned: number };

type Account = {
  /** Newest first, at most two. */
  periods: { readonly period: EpochMillis; readonly sums: Sums }[];
  /** What the sums had of each request when they were built, and until when that matters. */
  readonly late: ReadonlyMap<string, NanoUsd>;
  readonly lateUntil: EpochMillis;
};

const KEPT_PERIODS = 2;

export class Accounts {
  readonly #accounts = new Map<string, Account>();

  get size(): number {
    return this.#accounts.size;
  }

  clear(): void {
    this.#accounts.clear();
  }

  isKnown(account: string): boolean {
    return this.#accounts.has(account);
  }

  /** Accounts that are not known, each once. */
  unknown(budgets: readonly AccountPeriod[]): readonly string[] {
    return [...new Set(budgets.filter(b => !this.isKnown(b.account)).map(b => b.account))];
  }

  build(
    account: string,
    periods: readonly { readonly period: EpochMillis; readonly settled: NanoUsd }[],
    late: ReadonlyMap<string, NanoUsd>,
    lateUntil: EpochMillis,
  ) {
    const newest = periods.toSorted((a, b) => b.period - a.period).slice(0, KEPT_PERIODS);
    this.#accounts.set(account, {
      periods: newest.map(({ period, settled }) => ({ period, sums: { settled, reserved: 0, warned: -1 } })),
      late,
      lateUntil,
    });
  }

  level({ account, period }: AccountPeriod): BudgetLevel {
    const sums = this.#accounts.get(account)?.periods.find(p => p.period === period)?.sums;
    return { settled: nanoUsd(sums?.settled ?? 0), reserved: nanoUsd(sums?.reserved ?? 0) };
  }

  fits(budget: BudgetDemand, more: number): boolean {
    const { settled, reserved } = this.level(budget);
    const left = budget.amount - settled;
    return left >= 0 && left - reserved >= more;
  }

  /** Opens a period where it is new. undefined: the account is not known, or the period is older than the one before the current. */
  enter({ account, period }: AccountPeriod): Sums | undefined {
    const known = this.#accounts.get(account);
    if (known === undefined) return undefined;
    const open = known.periods.find(p => p.period === period);
    if (open !== undefined) return open.sums;
    const entry = { period, sums: { settled: 0, reserved: 0, warned: -1 } };
    known.periods = [...known.periods, entry].sort((a, b) => b.period - a.period).slice(0, KEPT_PERIODS);
    return known.periods.includes(entry) ? entry.sums : undefined;
  }

  /** What the sums of this account had of a request when they were built; undefined: nothing of it. */
  alreadyOf(account: string, id: string, now: EpochMillis): NanoUsd | undefined {
    const known = this.#accounts.get(account);
    return known !== undefined && now < known.lateUntil ? known.late.get(id) : undefined;
  }
}
