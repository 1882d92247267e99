// The counters of tenants in Redis, shared by all processes: one script, one round trip, for each step of a request. What is kept, and
// under which names, is in scripts/; what is lost is rebuilt from the ledger (docs/decisions/2026-11-21-counters-and-their-loss.md).
import type { Admission, BudgetLevel, Demand, Extended, Extension, Settled, Settlement } from '#core/admission/demand.ts';
import { type EpochMillis, millis, nanoUsd } from '#core/units.ts';
import { RedisAway, type RedisClient, type RedisLink } from '#platform/redis.ts';
import { runScript, type Script } from '#platform/redis-script.ts';
import {
  type AccountLevel,
  type AccountPeriod,
  type Counters,
  CountersAway,
  type Expired,
  type RowCopy,
  type RowKey,
  type TenantSums,
} from './counters.ts';
import { type Encoded, memoOf, readMemo, requestArgs } from './encode.ts';
import { type Generation, highWater, type Seen } from './high-water.ts';
import { holdsOf } from './periods.ts';
import { readScript } from './scripts.ts';
import { tenantPrefixes } from './tenant-keys.ts';

/** `fallen`: the sum was lower than before, and the tenant's are unknown now; `gone`: somebody else lost the account. */
export type OnStale = (tenant: string, account: string, how: 'fallen' | 'gone') => void;

export type RedisCountersOptions = {
  readonly link: RedisLink;
  /** Redis has less of this account than this process has seen: it lost something. The tenant's accounts are unknown by then. */
  readonly onStale?: OnStale;
};

/** Off the path of requests: long lists, and nobody waits. */
const SLOW_TIMEOUT_MS = 2000;
const LATE_CHUNK = 1000;
const LATE_SECONDS = 600;

/** The first number of a script's answer; 1 is yes. */
const EXHAUSTED = 2;
const LIMITED = 3;
const UNKNOWN = 4;
const LOST = 5;
const REPEATED = 6;

type Reply = readonly (number | string)[];

export function redisCounters(options: RedisCountersOptions): Counters {
  return new RedisCounters(options);
}

class RedisCounters implements Counters {
  readonly #link: RedisLink;
  readonly #onStale: OnStale;
  readonly #prefixOf = tenantPrefixes();
  readonly #seen = highWater();
  readonly #scripts = {
    reserve: readScript('reserve-7+'),
    extend: readScript('extend-7+'),
    settle: readScript('settle-7+'),
    rebuild: readScript('rebuild-4'),
    doubt: readScript('doubt-2'),
    expired: readScript('expired-2'),
    copies: readScript('copies-2'),
    forget: readScript('forget-2'),
  };
  #rebuilds = 0;

  constructor({ link, onStale }: RedisCountersOptions) {
    this.#link = link;
    this.#onStale = onStale ?? (() => undefined);
    if (link.state().kind === 'up') this.#load();
    link.onChange(state => {
      if (state.kind === 'up') this.#load();
    });
  }

  async reserve(demand: Demand, row?: RowCopy): Promise<Admission> {
    const memo = memoOf(demand.limits, demand.budgets);
    const encoded = requestArgs(this.#prefixOf(demand.tenant), demand, row === undefined ? [] : [row], demand, memo);
    const reply = await this.#ask(this.#scripts.reserve, encoded);
    if (reply[0] === UNKNOWN) return this.#unknown(demand, reply);
    const remaining = demand.limits.map((_, i) => Number(reply[3 + i]));
    if (reply[0] === LIMITED) {
      return { kind: 'limited', limit: Number(reply[1]), retryAfter: millis(Number(reply[2])), remaining };
    }
    const levels = this.#levels(demand, reply, 3 + remaining.length);
    if (reply[0] === EXHAUSTED) return { kind: 'exhausted', budget: Number(reply[1]), levels, remaining };
    return { kind: 'granted', levels, remaining };
  }

  async extend(extension: Extension, rows: readonly RowCopy[] = []): Promise<Extended> {
    const encoded = requestArgs(this.#prefixOf(extension.tenant), extension, rows, extension, '');
    const [code, place] = await this.#ask(this.#scripts.extend, encoded);
    if (code === EXHAUSTED) return { kind: 'exhausted', budget: Number(place) };
    if (code === LIMITED) return { kind: 'limited', limit: Number(place) };
    return { kind: code === LOST ? 'lost' : 'granted' };
  }

  async settle(settlement: Settlement, rows: readonly RowCopy[] = []): Promise<Settled> {
    const reply = await this.#ask(this.#scripts.settle, requestArgs(this.#prefixOf(settlement.tenant), settlement, rows));
    if (reply[0] === UNKNOWN) return this.#unknown(settlement, reply);
    if (reply[0] === REPEATED) return { kind: 'repeated' };
    const crossings = Number(reply[2]);
    const crossed = Array.from({ length: crossings }, (_, i) => ({
      budget: Number(reply[3 + 2 * i]),
      at: nanoUsd(Number(reply[4 + 2 * i])),
    }));
    const levels = this.#levels(settlement, reply, 3 + 2 * crossings);
    return { kind: 'settled', levels, crossed, exceeded: reply[1] === 1 };
  }

  async levels(tenant: string, accounts: readonly AccountPeriod[]): Promise<readonly (AccountLevel | undefined)[]> {
    if (accounts.length === 0) return [];
    const fields = accounts.flatMap(({ account, period }) => [
      `m:${account}`,
      `s:${period}:${account}`,
      `r:${period}:${account}`,
    ]);
    const values = await this.#call(client => client.hmget(`${this.#prefixOf(tenant)}spend`, ...fields));
    return accounts.map((_, i) => {
      if (values[3 * i] === null) return undefined;
      return { settled: nanoUsd(Number(values[3 * i + 1] ?? 0)), reserved: nanoUsd(Number(values[3 * i + 2] ?? 0)) };
    });
  }

  /** What the sums have of each request goes first, in pieces; nothing looks at it before the one atomic step that makes the accounts known. */
  async rebuild(tenant: string, sums: TenantSums): Promise<void> {
    const prefix = this.#prefixOf(tenant);
    const late = `${prefix}found:${process.pid}:${process.hrtime.bigint()}:${this.#rebuilds++}`;
    for (let i = 0; i < sums.settledLately.length; i += LATE_CHUNK) {
      const words = sums.settledLately.slice(i, i + LATE_CHUNK).flatMap(({ id, settled }) => [id, String(settled)]);
      await this.#call(client => client.hset(late, ...words), SLOW_TIMEOUT_MS);
      await this.#call(client => client.expire(late, LATE_SECONDS), SLOW_TIMEOUT_MS);
    }
    const open = holdsOf(sums);
    const args = [`${prefix}done:`, String(sums.accounts.length), String(open.length)];
    for (const { account, period, settled } of sums.accounts) args.push(account, String(period), String(settled));
    for (const { id, cost, leaseUntil, holds } of open) {
      args.push(id, String(cost), String(leaseUntil), String(holds.length));
      for (const { account, period } of holds) args.push(account, String(period));
    }
    const keys = [`${prefix}spend`, `${prefix}open`, `${prefix}leases`, late];
    await this.#call(client => runScript(client, this.#scripts.rebuild, keys.length, [...keys, ...args]), SLOW_TIMEOUT_MS);
  }

  async expired(tenant: string, now: EpochMillis, max: number): Promise<readonly Expired[]> {
    const reply = await this.#run(this.#scripts.expired, tenant, ['open', 'leases'], [String(now), String(max)]);
    const found: Expired[] = [];
    for (let i = 0; i + 3 < reply.length; i += 4) {
      const [id, cost, memo, held] = reply.slice(i, i + 4) as [string, string, string, string[]];
      found.push({ tenant, id, cost: nanoUsd(Number(cost)), ...readMemo(memo, held) });
    }
    return found;
  }

  async forget(tenant: string, rows: readonly RowKey[]): Promise<void> {
    for (let i = 0; i < rows.length; i += LATE_CHUNK) {
      const names = rows.slice(i, i + LATE_CHUNK).map(row => `${row.requestId}:${row.attempt}`);
      await this.#run(this.#scripts.forget, tenant, ['copies', 'copied'], names);
    }
  }

  async copies(tenant: string, before: EpochMillis, max: number): Promise<readonly string[]> {
    return (await this.#run(this.#scripts.copies, tenant, ['copies', 'copied'], [String(before), String(max)])) as string[];
  }

  /** The link belongs to who made it. */
  async close(): Promise<void> {}

  async #run(script: Script, tenant: string, keys: readonly string[], args: readonly string[]): Promise<readonly unknown[]> {
    const prefix = this.#prefixOf(tenant);
    const words = [...keys.map(key => prefix + key), ...args];
    return (await this.#call(client => runScript(client, script, keys.length, words), SLOW_TIMEOUT_MS)) as readonly unknown[];
  }

  #ask(script: Script, { keys, words }: Encoded): Promise<Reply> {
    return this.#call(client => runScript(client, script, keys, words)) as Promise<Reply>;
  }

  async #call<T>(send: (client: RedisClient) => Promise<T>, timeoutMs?: number): Promise<T> {
    try {
      return await this.#link.call(send, timeoutMs);
    } catch (error) {
      if (error instanceof RedisAway) throw new CountersAway(error.message, error.wasSent, { cause: error });
      throw error;
    }
  }

  #levels({ tenant, budgets }: Settlement | Demand, reply: Reply, from: number): readonly BudgetLevel[] {
    return budgets.map(({ account, period }, i) => {
      const generation = Number(reply[from + 3 * i]);
      const settled = nanoUsd(Number(reply[from + 3 * i + 1]));
      const before = this.#seen.fallenFrom(tenant, account, { generation, period, settled });
      if (before !== undefined) this.#stale(tenant, account, generation, before);
      return { settled, reserved: nanoUsd(Number(reply[from + 3 * i + 2])) };
    });
  }

  #unknown({ tenant, budgets }: Settlement | Demand, reply: Reply): { kind: 'unknown'; accounts: readonly string[] } {
    const generation = Number(reply[1]);
    const accounts = [...new Set(reply.slice(2).map(place => budgets[Number(place)]!.account))];
    for (const account of accounts) {
      if (this.#seen.isLost(tenant, account, generation)) this.#onStale(tenant, account, 'gone');
    }
    return { kind: 'unknown', accounts };
  }

  /** Doubt first, then tell: who hears of it finds the accounts unknown. Where Redis is away by now, the next answer will be as stale. */
  #stale(tenant: string, account: string, generation: Generation, before: Seen): void {
    this.#call(client => runScript(client, this.#scripts.doubt, 2, this.#doubtOf(tenant, generation)), SLOW_TIMEOUT_MS).then(
      changed => {
        if (changed === 1) this.#onStale(tenant, account, 'fallen');
      },
      () => this.#seen.restore(tenant, account, before),
    );
  }

  #doubtOf(tenant: string, generation: Generation): readonly string[] {
    const prefix = this.#prefixOf(tenant);
    return [`${prefix}spend`, `${prefix}open`, String(generation)];
  }

  /** So that the first requests after a start of Redis do not all bring the scripts along. A cluster hears of them with the first request. */
  #load(): void {
    const { reserve, extend, settle } = this.#scripts;
    for (const { source } of [reserve, extend, settle]) {
      this.#call(client => client.script('LOAD', source), SLOW_TIMEOUT_MS).catch(() => undefined);
    }
  }
}
