// The counters of tenants for one process without Redis: the same contract as redis.ts, each call one synchronous step. What a process
// loses with its memory it rebuilds from the ledger, as Redis does; copies of rows are not kept, as there is nothing they would outlive.
import type {
  Admission,
  BudgetDemand,
  Demand,
  Extended,
  Extension,
  LimitDemand,
  Settled,
  Settlement,
} from '#core/admission/demand.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd } from '#core/units.ts';
import { Accounts } from './accounts.ts';
import type { AccountLevel, AccountPeriod, Counters, Expired, TenantSums } from './counters.ts';
import { countingOnly } from './encode.ts';
import { holdsOf } from './periods.ts';
import {
  addCost,
  crossed,
  distinct,
  findOpen,
  forgetAccounts,
  hold,
  isIn,
  needOf,
  type Reservation,
  type Tenant,
} from './tenant.ts';
import { SlidingWindow, WINDOW_SECONDS } from './window.ts';

const DONE_MS = 10_000;
const LATE_MS = 3_600_000;
/** When a slot may come free is anybody's guess. */
const SLOT_RETRY_MS = 1000;
const MAX_ACCOUNTS = 10_000;
const SWEEP_EVERY_MS = 60_000;

export function memoryCounters(options: { readonly now: () => number }): Counters {
  return new MemoryCounters(options.now);
}

class MemoryCounters implements Counters {
  readonly #now: () => EpochMillis;
  readonly #tenants = new Map<string, Tenant>();
  #swept = 0;

  constructor(now: () => number) {
    this.#now = () => epochMillis(now());
  }

  async reserve(demand: Demand): Promise<Admission> {
    this.#sweep();
    const tenant = this.#tenant(demand.tenant);
    const { accounts } = tenant;
    const open = tenant.open.get(demand.id);
    const isOver = tenant.done.has(demand.id);
    const isCounted = open !== undefined || isOver;
    const left = demand.limits.map(limit => limit.max - this.#used(tenant, limit));
    const remaining = () => left.map(n => Math.max(0, n));
    if (!isCounted) {
      const full = this.#full(tenant, demand, left);
      if (full !== undefined) return { ...full, remaining: remaining() };
    }
    const unknown = accounts.unknown(demand.budgets);
    if (unknown.length > 0) return { kind: 'unknown', accounts: unknown };
    const isHeld = isOver || (open !== undefined && open.held.length > 0);
    const exhausted = isHeld ? -1 : demand.budgets.findIndex(b => b.onExhausted === 'Block' && !accounts.fits(b, demand.cost));
    if (exhausted >= 0 && !demand.limitsAlone) {
      return { kind: 'exhausted', budget: exhausted, levels: demand.budgets.map(b => accounts.level(b)), remaining: remaining() };
    }
    if (!isOver) {
      const reservation = open ?? this.#count(tenant, demand);
      if (open === undefined) for (const [i, limit] of demand.limits.entries()) left[i]! -= needOf(limit, demand);
      reservation.leaseUntil = demand.leaseUntil;
      if (exhausted < 0 && !isHeld) hold(accounts, reservation, demand.budgets, demand.cost);
    }
    const levels = demand.budgets.map(b => accounts.level(b));
    if (exhausted >= 0) return { kind: 'exhausted', budget: exhausted, levels, remaining: remaining() };
    return { kind: 'granted', levels, remaining: remaining() };
  }

  async extend(extension: Extension): Promise<Extended> {
    const tenant = this.#tenant(extension.tenant);
    const { accounts } = tenant;
    const reservation = tenant.open.get(extension.id);
    if (reservation === undefined || accounts.unknown(extension.budgets).length > 0) return { kind: 'lost' };
    const isTokens = (limit: LimitDemand) => limit.kind === 'tokens';
    const isFull = (limit: LimitDemand) => this.#used(tenant, limit) + extension.tokens > limit.max;
    const limit = extension.tokens === 0 ? -1 : extension.limits.findIndex(l => isTokens(l) && isFull(l));
    if (limit >= 0) return { kind: 'limited', limit };
    // What the request does not hold yet (limits alone; sums rebuilt without it) gets all of it now.
    const more = (account: AccountPeriod) =>
      isIn(reservation.held, account) ? extension.cost : reservation.cost + extension.cost;
    const isShort = (b: BudgetDemand) => b.onExhausted === 'Block' && more(b) > 0 && !accounts.fits(b, more(b));
    const budget = extension.budgets.findIndex(isShort);
    if (budget >= 0) return { kind: 'exhausted', budget };
    for (const account of distinct([...extension.budgets, ...reservation.held])) {
      const sums = accounts.enter(account);
      if (sums === undefined) continue;
      sums.reserved += more(account);
      if (!isIn(reservation.held, account)) reservation.held = [...reservation.held, account];
    }
    reservation.cost += extension.cost;
    reservation.leaseUntil = extension.leaseUntil;
    this.#moreTokens(tenant, reservation, extension);
    return { kind: 'granted' };
  }

  async settle(settlement: Settlement): Promise<Settled> {
    this.#sweep();
    const tenant = this.#tenant(settlement.tenant);
    const { accounts } = tenant;
    if (tenant.done.has(settlement.id)) return { kind: 'repeated' };
    const unknown = accounts.unknown(settlement.budgets);
    if (unknown.length > 0) return { kind: 'unknown', accounts: unknown };
    const reservation = tenant.open.get(settlement.id);
    const wasCounted = addCost(accounts, reservation, settlement, this.#now());
    if (reservation !== undefined) this.#release(tenant, reservation, settlement);
    tenant.done.set(settlement.id, { until: epochMillis(this.#now() + DONE_MS), cost: settlement.cost });
    if (reservation === undefined && !wasCounted && settlement.budgets.length > 0) return { kind: 'repeated' };
    return {
      kind: 'settled',
      levels: settlement.budgets.map(b => accounts.level(b)),
      crossed: crossed(accounts, settlement.budgets),
      exceeded: reservation !== undefined && settlement.cost > reservation.cost,
    };
  }

  async levels(tenantName: string, list: readonly AccountPeriod[]): Promise<readonly (AccountLevel | undefined)[]> {
    const accounts = this.#tenants.get(tenantName)?.accounts;
    return list.map(account => (accounts?.isKnown(account.account) ? accounts.level(account) : undefined));
  }

  async rebuild(tenantName: string, sums: TenantSums): Promise<void> {
    const tenant = this.#tenant(tenantName);
    if (tenant.accounts.size > MAX_ACCOUNTS) forgetAccounts(tenant);
    const missing = new Set(tenant.accounts.unknown(sums.accounts));
    const late = new Map(sums.settledLately.map(({ id, settled }) => [id, settled]));
    for (const account of missing) {
      const periods = sums.accounts.filter(a => a.account === account);
      tenant.accounts.build(account, periods, late, epochMillis(this.#now() + LATE_MS));
    }
    for (const { id, cost, leaseUntil, holds } of holdsOf(sums)) {
      const found = holds.filter(({ account }) => missing.has(account));
      if (found.length > 0) findOpen(tenant, id, { cost, leaseUntil, holds: found }, late.get(id) ?? 0);
    }
  }

  async expired(tenantName: string, now: EpochMillis, max: number): Promise<readonly Expired[]> {
    const found: Expired[] = [];
    for (const [id, { cost, leaseUntil, limits, budgets, held }] of this.#tenants.get(tenantName)?.open ?? []) {
      if (found.length >= max) break;
      if (leaseUntil > now) continue;
      const others = held.filter(account => !isIn(budgets, account)).map(({ account, period }) => countingOnly(account, period));
      found.push({ tenant: tenantName, id, cost: nanoUsd(cost), limits, budgets: [...budgets, ...others] });
    }
    return found;
  }

  async forget(): Promise<void> {}

  async copies(): Promise<readonly string[]> {
    return [];
  }

  async close(): Promise<void> {
    this.#tenants.clear();
  }

  #tenant(name: string): Tenant {
    let tenant = this.#tenants.get(name);
    if (tenant === undefined) {
      tenant = { accounts: new Accounts(), windows: new Map(), slots: new Map(), open: new Map(), done: new Map() };
      this.#tenants.set(name, tenant);
    }
    return tenant;
  }

  #second(): number {
    return Math.floor(this.#now() / 1000);
  }

  #used(tenant: Tenant, limit: LimitDemand): number {
    if (limit.kind === 'concurrency') return tenant.slots.get(limit.id) ?? 0;
    return tenant.windows.get(limit.id)?.sum(this.#second()) ?? 0;
  }

  /** The first limit that is full, and when all of them will have room. */
  #full(tenant: Tenant, demand: Demand, left: readonly number[]) {
    const places = demand.limits.keys().filter(i => left[i]! < needOf(demand.limits[i]!, demand));
    const waits = places.map(
      i => [i, this.#roomAfter(tenant, demand.limits[i]!, needOf(demand.limits[i]!, demand) - left[i]!)] as const,
    );
    const full = waits.toArray();
    if (full.length === 0) return undefined;
    return { kind: 'limited', limit: full[0]![0], retryAfter: millis(Math.max(...full.map(([, wait]) => wait))) } as const;
  }

  #roomAfter(tenant: Tenant, limit: LimitDemand, needed: number): number {
    if (limit.kind === 'concurrency') return SLOT_RETRY_MS;
    return tenant.windows.get(limit.id)?.roomAfter(needed, this.#now()) ?? WINDOW_SECONDS * 1000;
  }

  /** Takes the limits, and nothing of the budgets yet. */
  #count(tenant: Tenant, demand: Demand): Reservation {
    const { limits, budgets, tokens, leaseUntil } = demand;
    for (const limit of limits) {
      if (limit.kind === 'concurrency') tenant.slots.set(limit.id, (tenant.slots.get(limit.id) ?? 0) + 1);
      else this.#window(tenant, limit).add(this.#second(), needOf(limit, demand));
    }
    const reservation = { cost: 0, tokens, second: this.#second(), leaseUntil, limits, budgets, held: [] };
    tenant.open.set(demand.id, reservation);
    return reservation;
  }

  #window(tenant: Tenant, limit: LimitDemand): SlidingWindow {
    let window = tenant.windows.get(limit.id);
    if (window === undefined) {
      window = new SlidingWindow(this.#second());
      tenant.windows.set(limit.id, window);
    }
    return window;
  }

  #isInWindow(second: number): boolean {
    const now = this.#second();
    return second > now - WINDOW_SECONDS && second <= now;
  }

  /** Where the first ones are, so that the end of the request puts both right; when that bucket has left the window, nothing does. */
  #moreTokens(tenant: Tenant, reservation: Reservation, { limits, tokens }: Extension): void {
    const isIn = this.#isInWindow(reservation.second);
    for (const limit of limits) {
      if (limit.kind === 'tokens') this.#window(tenant, limit).add(isIn ? reservation.second : this.#second(), tokens);
    }
    if (isIn) reservation.tokens += tokens;
  }

  #release(tenant: Tenant, reservation: Reservation, { id, limits, tokens }: Settlement): void {
    tenant.open.delete(id);
    for (const limit of reservation.limits) {
      if (limit.kind !== 'concurrency') continue;
      const taken = (tenant.slots.get(limit.id) ?? 0) - 1;
      if (taken > 0) tenant.slots.set(limit.id, taken);
      else tenant.slots.delete(limit.id);
    }
    if (!this.#isInWindow(reservation.second)) return;
    for (const limit of limits) {
      if (limit.kind === 'tokens') tenant.windows.get(limit.id)?.add(reservation.second, tokens - reservation.tokens);
    }
  }

  /** Ends that need not be remembered any more, each call a few; windows that are idle, and tenants of whom nothing is left, now and then. */
  #sweep(): void {
    const now = this.#now();
    if (now - this.#swept < SWEEP_EVERY_MS) return;
    this.#swept = now;
    for (const [name, tenant] of this.#tenants) {
      for (const [id, window] of tenant.windows) if (window.isIdle(this.#second())) tenant.windows.delete(id);
      for (const [id, { until }] of tenant.done) {
        if (until > now) break;
        tenant.done.delete(id);
      }
      const isEmpty = tenant.accounts.size + tenant.windows.size + tenant.open.size + tenant.done.size === 0;
      if (isEmpty) this.#tenants.delete(name);
    }
  }
}
