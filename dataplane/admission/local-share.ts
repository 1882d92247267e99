// What a process may spend by itself while the counters are away: of each budget the remainder last heard of, divided by the
// ready pods; of each limit the same share. Counted here until the counters have taken what was spent meanwhile.
import type { BudgetLevel, Demand, Extension, Settlement } from '#core/admission/demand.ts';
import { limitShare, shareOf } from '#core/admission/share.ts';
import type { Account, TenantSums } from '#core/admission/sums.ts';
import { type NanoUsd, nanoUsd } from '#core/units.ts';
import type { Counters } from '../counters/counters.ts';
import { memoryCounters } from '../counters/memory.ts';

/** Accounts whose remainder is remembered; the one not heard of for longest goes first. */
const MAX_KNOWN = 50_000;

export type LocalShareParts = {
  readonly readyPods: () => number;
  readonly now: () => number;
  /** What the ledger knows of accounts that this process has not heard of yet; undefined where it is away. */
  readonly sums: (tenant: string, accounts: readonly Account[]) => Promise<TenantSums | undefined>;
  /** How long a request waits for that, in milliseconds; who comes later has it. */
  readonly patience: { readonly unheard: number };
};

export class LocalShare {
  readonly #parts: LocalShareParts;
  readonly #known = new Map<string, NanoUsd>();
  /** Made when it is first needed; gone when the counters have taken all. */
  #counters: Counters | undefined;
  /** Requests that hold something here. Those of the counters hold their part of the remainder already. */
  readonly #held = new Set<string>();
  /** Questions to the ledger that are under way: a thousand requests that know nothing wait for the same answer. */
  readonly #asking = new Map<string, Promise<void>>();

  constructor(parts: LocalShareParts) {
    this.#parts = parts;
  }

  /** The counters answered: what is left now, besides this request's own reservation. */
  learn({ tenant, budgets }: Pick<Demand, 'tenant' | 'budgets'>, levels: readonly (BudgetLevel | undefined)[]): void {
    for (const [index, budget] of budgets.entries()) {
      const level = levels[index];
      if (!level) continue;
      const key = `${tenant} ${budget.account} ${budget.period}`;
      this.#known.delete(key);
      this.#known.set(key, nanoUsd(budget.amount - level.settled - level.reserved));
    }
    while (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!);
  }

  /** The smallest known remainder of these budgets; undefined where one is not known. */
  remainder({ tenant, budgets }: Pick<Demand, 'tenant' | 'budgets'>): NanoUsd | undefined {
    let least = Number.POSITIVE_INFINITY;
    for (const { account, period } of budgets) {
      const known = this.#known.get(`${tenant} ${account} ${period}`);
      if (known === undefined) return undefined;
      least = Math.min(least, known);
    }
    return nanoUsd(least);
  }

  async reserve(demand: Demand, accounts: readonly Account[]): Promise<boolean> {
    const shared = await this.#share(demand, accounts);
    if (!shared) return false;
    return this.#reserve({ ...demand, ...shared, limitsAlone: false });
  }

  /** Of a reservation that was made here, or of one in the counters that cannot be asked now: then the addition is reserved here. */
  async extend(extension: Extension, accounts: readonly Account[]): Promise<boolean> {
    const shared = await this.#share(extension, accounts);
    if (!shared) return false;
    const more = { ...extension, ...shared };
    const { kind } = await this.#store().extend(more);
    return kind === 'lost' ? this.#reserve({ ...more, limitsAlone: false }) : kind === 'granted';
  }

  settle(settlement: Settlement): void {
    if (!this.#held.delete(settlement.id)) return;
    // Settling here cannot fail: the store is memory.
    void this.#counters?.settle(settlement);
  }

  /** The counters know all that was spent here. */
  reset(): void {
    this.#counters = undefined;
    this.#held.clear();
  }

  async #reserve(demand: Demand): Promise<boolean> {
    const { kind } = await this.#store().reserve(demand);
    if (kind === 'granted') this.#held.add(demand.id);
    return kind === 'granted';
  }

  #store(): Counters {
    this.#counters ??= memoryCounters({ now: this.#parts.now });
    return this.#counters as Counters;
  }

  /** The demand's limits and budgets with this process's share as their size, and the accounts known to the store. */
  async #share(demand: Sized, accounts: readonly Account[]): Promise<Pick<Demand, 'limits' | 'budgets'> | undefined> {
    const { tenant, limits, budgets } = demand;
    if (this.remainder(demand) === undefined)
      await Promise.race([this.#ask(demand, accounts), pause(this.#parts.patience.unheard)]);
    const left = budgets.map(({ account, period }) => this.#known.get(`${tenant} ${account} ${period}`));
    if (left.includes(undefined)) return undefined;
    const pods = this.#parts.readyPods();
    await this.#store().rebuild(tenant, {
      accounts: budgets.map(({ account, period }) => ({ account, period, settled: nanoUsd(0) })),
      open: [],
      settledLately: [],
    });
    return {
      limits: limits.map(limit => ({ ...limit, max: limitShare(limit.max, pods) })),
      budgets: budgets.map((budget, index) => ({ ...budget, amount: shareOf(left[index]!, pods) })),
    };
  }

  /** The counters were never heard of these accounts: the ledger may know. */
  #ask(demand: Sized, accounts: readonly Account[]): Promise<void> {
    const key = `${demand.tenant} ${demand.budgets.map(({ account, period }) => `${account} ${period}`).join(' ')}`;
    let asking = this.#asking.get(key);
    if (!asking) {
      asking = this.#learnFromLedger(demand, accounts).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return asking;
  }

  async #learnFromLedger(demand: Sized, accounts: readonly Account[]): Promise<void> {
    const sums = await this.#parts.sums(demand.tenant, accounts);
    if (!sums) return;
    const reserved = (account: string) =>
      sums.open.filter(request => request.accounts.includes(account)).reduce((sum, { cost }) => sum + cost, 0);
    const levels = demand.budgets.map(({ account }) => {
      const settled = sums.accounts.find(known => known.account === account)?.settled;
      return settled === undefined ? undefined : { settled, reserved: nanoUsd(reserved(account)) };
    });
    this.learn(demand, levels);
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms).unref());

type Sized = Pick<Demand, 'tenant' | 'limits' | 'budgets'>;
