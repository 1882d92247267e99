// What dead processes left undone: rows that stayed open are settled at their reservation, reservations end with what their request
// cost, copies of rows reach the ledger. Every process does this for all, a bounded amount at a time; every step may be repeated, by
// several processes at once. What a row is worth is decided in core/accounting/recovery.ts.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { costOfRequest, isHeld, recoveredRow, rowKey } from '#core/accounting/recovery.ts';
import type { Settlement } from '#core/admission/demand.ts';
import { epochMillis } from '#core/units.ts';
import type { Log } from '#platform/log.ts';
import type { Counters } from '../counters/counters.ts';
import type { Ledger } from './ledger.ts';
import { adoptSpool, otherSpools } from './recovery-adopt.ts';
import { type Delivery, deliverAll, delivery, type SetAside } from './writer-delivery.ts';

export type RecoveryOptions = {
  /** `<TOLLGATE_DATA>/spool`. */
  readonly root: string;
  /** Name of this process's own spool. */
  readonly ownName: string;
  readonly ledger: Pick<Ledger, 'write' | 'rowsOf' | 'overdue'>;
  readonly counters: Pick<Counters, 'expired' | 'copies' | 'forget'>;
  /** Where a store that is away is waited for: `Counters.settle`, behind a queue. */
  readonly settle: (settlement: Settlement) => Promise<unknown>;
  /** What the request of a row counts in, by the key it names; empty lists where the key is gone. */
  readonly countsIn: (row: CostRecord) => Pick<Settlement, 'limits' | 'budgets'>;
  readonly tenants: () => readonly string[];
  readonly setAside: SetAside;
  readonly log: Pick<Log, 'warn' | 'info'>;
  readonly now: () => number;
};

export type Recovery = {
  /** Takes over the spools of dead processes. At start, and again with every tick. */
  adopt(): Promise<void>;
  /** Leases and rows whose time is over, copies that nobody brought in. Never rejects; does nothing while the last one is under way. */
  tick(): Promise<void>;
  stats(): RecoveryStats;
};

export type RecoveryStats = {
  readonly adopted: number;
  /** Rows settled at their reservation. */
  readonly recovered: number;
  readonly garbled: number;
  readonly lastError: string | undefined;
};

const TENANTS_PER_TICK = 20;
const AT_ONCE = 100;
const MAX_COPIES = 500;
/** A copy should be gone after a second. */
const COPY_AGE_MS = 60_000;

export const recovery = (options: RecoveryOptions): Recovery => new Recoverer(options);

type Request = Pick<Settlement, 'tenant' | 'id' | 'limits' | 'budgets'>;

class Recoverer implements Recovery {
  readonly #options: RecoveryOptions;
  readonly #delivery: Delivery;
  #nextTenant = 0;
  #isTicking = false;
  #isAdopting = false;
  #adopted = 0;
  #recovered = 0;
  #garbled = 0;
  #lastError: string | undefined;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#delivery = delivery(options.ledger, options.setAside);
  }

  stats(): RecoveryStats {
    return { adopted: this.#adopted, recovered: this.#recovered, garbled: this.#garbled, lastError: this.#lastError };
  }

  async adopt(): Promise<void> {
    if (this.#isAdopting) return;
    this.#isAdopting = true;
    const { root, ownName } = this.#options;
    for (const folder of await otherSpools(root, ownName)) await this.#try(() => this.#adopt(folder));
    this.#isAdopting = false;
  }

  async tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    await this.adopt();
    for (const tenant of this.#tenantsInTurn()) {
      const isWell = await this.#try(async () => {
        // First what the requests are known to have cost, then their end.
        if (await this.#bringCopies(tenant)) await this.#endExpired(tenant);
      });
      if (!isWell) break;
    }
    await this.#try(() => this.#endOverdue());
    this.#isTicking = false;
  }

  /** A store that is away is nothing new to anybody: whoever else uses it says so. */
  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#lastError = String(error);
      return false;
    }
  }

  #tenantsInTurn(): readonly string[] {
    const tenants = this.#options.tenants();
    const count = Math.min(tenants.length, TENANTS_PER_TICK);
    const inTurn = Array.from({ length: count }, (_, i) => tenants[(this.#nextTenant + i) % tenants.length]!);
    this.#nextTenant += count;
    return inTurn;
  }

  async #adopt(folder: string): Promise<void> {
    const adopted = await adoptSpool(folder, {
      deliver: rows => deliverAll(this.#delivery, rows),
      recover: rows => this.#recoverLost(rows),
    });
    if (!adopted) return;
    this.#adopted++;
    this.#garbled += adopted.garbled;
    this.#options.log.info({ ...adopted }, 'took over the spool of a dead process');
  }

  /** Rows whose process is known to be dead, so nobody waits for their lease. Those that somebody has ended before have been counted then. */
  async #recoverLost(rows: readonly CostRecord[]): Promise<void> {
    for (const some of portions(rows)) {
      const ended = new Set((await this.#rowsOf(some)).filter(({ state }) => state !== 'open').map(rowKey));
      await this.#recover(some.filter(row => !ended.has(rowKey(row))));
    }
  }

  async #endOverdue(): Promise<void> {
    const { ledger, now } = this.#options;
    await this.#recover(await ledger.overdue(epochMillis(now()), AT_ONCE));
  }

  /** Settles these rows at their reservation, and with them their requests. */
  async #recover(rows: readonly CostRecord[]): Promise<void> {
    if (rows.length === 0) return;
    await this.#writeRecovered(rows);
    const byRequest = new Map(rows.map(row => [row.requestId, row]));
    const requests = [...byRequest.values()].map(row => ({
      tenant: row.tenant,
      id: row.requestId,
      ...this.#options.countsIn(row),
    }));
    await this.#settle(requests);
  }

  async #endExpired(tenant: string): Promise<void> {
    const { counters, ledger, now } = this.#options;
    const at = epochMillis(now());
    const requests = await counters.expired(tenant, at, AT_ONCE);
    if (requests.length === 0) return;
    const rows = await ledger.rowsOf(requests.map(({ id }) => id));
    const held = new Set(rows.filter(row => isHeld(row, at)).map(({ requestId }) => requestId));
    await this.#writeRecovered(rows.filter(row => row.state === 'open' && !held.has(row.requestId)));
    await this.#settle(requests.filter(({ id }) => !held.has(id)));
  }

  async #writeRecovered(open: readonly CostRecord[]): Promise<void> {
    if (open.length === 0) return;
    await deliverAll(this.#delivery, open.map(recoveredRow));
    this.#recovered += open.length;
    this.#options.log.warn({ rows: open.length }, 'attempts without an end: settled at their reservation');
  }

  /** Each with what its rows cost in the ledger, where its own process may have been faster. One with an open row left has its end later. */
  async #settle(requests: readonly Request[]): Promise<void> {
    const rows = Map.groupBy(await this.#options.ledger.rowsOf(requests.map(({ id }) => id)), row => row.requestId);
    for (const request of requests) {
      const ofRequest = rows.get(request.id) ?? [];
      if (ofRequest.some(({ state }) => state === 'open')) continue;
      const { tenant, id, limits, budgets } = request;
      await this.#options.settle({ tenant, id, limits, budgets, ...costOfRequest(ofRequest) });
    }
  }

  /** @returns whether there are no more */
  async #bringCopies(tenant: string): Promise<boolean> {
    const { counters, now } = this.#options;
    const copies = await counters.copies(tenant, epochMillis(now() - COPY_AGE_MS), MAX_COPIES);
    if (copies.length === 0) return true;
    const rows = copies.map(json => JSON.parse(json) as CostRecord);
    await deliverAll(this.#delivery, rows);
    await counters.forget(tenant, rows);
    return copies.length < MAX_COPIES;
  }

  #rowsOf(rows: readonly CostRecord[]): Promise<readonly CostRecord[]> {
    return this.#options.ledger.rowsOf([...new Set(rows.map(({ requestId }) => requestId))]);
  }
}

function* portions(rows: readonly CostRecord[]): Generator<readonly CostRecord[]> {
  for (let at = 0; at < rows.length; at += AT_ONCE) yield rows.slice(at, at + AT_ONCE);
}
