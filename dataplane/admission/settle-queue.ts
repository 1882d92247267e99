// Settlements on their way to the counters: each is sent at once, and again until the counters have taken it. Settling twice
// changes nothing, so an answer that got lost does no harm.
import type { Settled, Settlement } from '#core/admission/demand.ts';
import { uuidTime } from '#core/units.ts';
import type { Counters, RowCopy } from '../counters/counters.ts';
import type { Claimant } from './admission.ts';
import type { Rebuild } from './rebuild.ts';

/** Beyond this the oldest goes: its rows are in the ledger, from which its tenant's sums are rebuilt in any case. */
const MAX_WAITING = 100_000;
const RETRY_MS = 250;
/** Sent together at a retry. */
const BATCH = 200;

type Waiting = { readonly settlement: Settlement; readonly key: Claimant; readonly rows: readonly RowCopy[] };

export type SettleQueueParts = {
  readonly counters: Pick<Counters, 'settle'>;
  readonly rebuild: Rebuild;
  readonly onSettled: (settlement: Settlement, settled: Settled, key: Claimant) => void;
  /** Nothing waits any more, after something did. */
  readonly onDrained: () => void;
};

export class SettleQueue {
  readonly #parts: SettleQueueParts;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SettleQueueParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(settlement: Settlement, key: Claimant, rows: readonly RowCopy[]): void {
    void this.#send({ settlement, key, rows });
  }

  clear(): void {
    this.#waiting.clear();
    this.#rest();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #send(waiting: Waiting): Promise<void> {
    const { settlement, key, rows } = waiting;
    const { counters, rebuild, onSettled } = this.#parts;
    const settled = await counters.settle(settlement, rows).catch(() => undefined);
    if (settled && settled.kind !== 'unknown') {
      if (this.#waiting.delete(settlement.id)) this.#rest();
      onSettled(settlement, settled, key);
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

  #rest(): void {
    if (this.#waiting.size === 0) this.#parts.onDrained();
  }
}
