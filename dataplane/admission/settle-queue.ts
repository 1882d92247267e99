// Settlements on their way to the counters: each is sent at once, and again until the counters have taken it. Settling twice
// changes nothing, so an answer that got lost does no harm.
import type { Demand, Settled, Settlement } from '#core/admission/demand.ts';
import { nanoUsd, tokens, uuidTime } from '#core/units.ts';
import { type Counters, CountersAway, type RowCopy } from '../counters/counters.ts';
import type { Claimant } from './admission.ts';
import type { Rebuild } from './rebuild.ts';

/** Beyond this the oldest goes: its rows are in the ledger, from which its tenant's sums are rebuilt in any case. */
const MAX_WAITING = 100_000;
const RETRY_MS = 250;
/**
 * Counters remember a settlement for 120 s. One that they were asked longer ago may have been made then, and is not asked again: what
 * it held is settled from the ledger when its lease ends.
 */
const REPEAT_MS = 100_000;
/** Settlements of this time leave in one write, which is most of what each costs. Who is refused for what they hold waits for them. */
export const TOGETHER_MS = 5;
/** Sent together at a retry. */
const BATCH = 200;

type Waiting = {
  readonly settlement: Settlement;
  readonly key: Claimant;
  readonly rows: readonly RowCopy[];
  /** Copies of rows that never came to be. */
  readonly unsent: readonly RowCopy[];
  askedAt?: number;
};

export type SettleQueueParts = {
  readonly counters: Pick<Counters, 'settle' | 'forget'>;
  readonly rebuild: Rebuild;
  readonly onSettled: (settlement: Settlement, settled: Settled, key: Claimant) => void;
  readonly now: () => number;
  /** Nothing waits any more, after something did. */
  readonly onDrained: () => void;
};

export class SettleQueue {
  readonly #parts: SettleQueueParts;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  readonly #fresh: Waiting[] = [];
  #freshTimer: NodeJS.Timeout | undefined;
  readonly #sending = new Set<Promise<void>>();

  constructor(parts: SettleQueueParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size + this.#fresh.length;
  }

  add(settlement: Settlement, key: Claimant, rows: readonly RowCopy[]): void {
    this.#add({ settlement, key, rows, unsent: [] });
  }

  /** Ends a request that was not let pass, and that the counters may have made a reservation for all the same. */
  release({ tenant, id, limits, budgets }: Demand, key: Claimant, row: RowCopy): void {
    const settlement = { tenant, id, limits, budgets, cost: nanoUsd(0), tokens: tokens(0) };
    this.#add({ settlement, key, rows: [], unsent: [row] });
  }

  #add(waiting: Waiting): void {
    this.#fresh.push(waiting);
    this.#freshTimer ??= setTimeout(() => this.#sendFresh(), TOGETHER_MS);
  }

  /** Ids of those that wait now. */
  ids(): ReadonlySet<string> {
    return new Set(this.#waiting.keys());
  }

  forget(ids: ReadonlySet<string>): void {
    for (const id of ids) this.#waiting.delete(id);
    this.#rest();
  }

  /** What is fresh is sent now; resolves when that, and what is under way, has its answer. */
  async flush(): Promise<void> {
    clearTimeout(this.#freshTimer);
    this.#sendFresh();
    await Promise.all(this.#sending);
  }

  /** What waits is left to the ledger. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }

  #sendFresh(): void {
    this.#freshTimer = undefined;
    for (const waiting of this.#fresh.splice(0)) {
      const sending = this.#send(waiting).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
  }

  async #send(waiting: Waiting): Promise<void> {
    const { settlement, key, rows, unsent } = waiting;
    const { counters, rebuild, onSettled, now } = this.#parts;
    if (waiting.askedAt !== undefined && now() - waiting.askedAt > REPEAT_MS) return this.#drop(settlement.id);
    const settled = await counters.settle(settlement, rows).catch(error => {
      if (!(error instanceof CountersAway) || error.wasAsked) waiting.askedAt ??= now();
      return undefined;
    });
    if (settled && settled.kind !== 'unknown') {
      this.#drop(settlement.id);
      if (unsent.length === 0) onSettled(settlement, settled, key);
      else
        await counters
          .forget(
            settlement.tenant,
            unsent.map(({ attempt }) => ({ requestId: settlement.id, attempt })),
          )
          .catch(() => undefined);
      return;
    }
    if (settled) void rebuild(settlement.tenant, key.demands.accounts(uuidTime(settlement.id)), 0);
    this.#keep(waiting);
  }

  #keep(waiting: Waiting): void {
    const { id } = waiting.settlement;
    if (!this.#waiting.has(id) && this.#waiting.size >= MAX_WAITING) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#waiting.set(id, waiting);
    this.#timer ??= setTimeout(() => void this.#retry(), RETRY_MS).unref();
  }

  async #retry(): Promise<void> {
    const batch = [...this.#waiting.values().take(BATCH)];
    await Promise.all(batch.map(waiting => this.#send(waiting)));
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => void this.#retry(), RETRY_MS).unref();
  }

  #drop(id: string): void {
    if (this.#waiting.delete(id)) this.#rest();
  }

  #rest(): void {
    if (this.#waiting.size === 0) this.#parts.onDrained();
  }
}
