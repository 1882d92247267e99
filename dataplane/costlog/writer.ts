// Brings rows from the spool to the ledger, in batches and in order. While the ledger keeps up, rows go there from memory; when it falls
// behind, what waits is left on the disk and read back, so that memory is bounded however long the ledger is away.
import type { CostRecord, Written } from '#core/accounting/cost-record.ts';
import { rowKey } from '#core/accounting/recovery.ts';
import { type Millis, millis } from '#core/units.ts';
import type { Log } from '#platform/log.ts';
import type { Ledger } from './ledger.ts';
import type { Spool } from './spool.ts';
import { type Delivery, delivery, type SetAside } from './writer-delivery.ts';

export type WriterOptions = {
  readonly spool: Spool;
  readonly ledger: Pick<Ledger, 'write'>;
  readonly setAside: SetAside;
  /** These rows need no copy elsewhere any more. A row that has a later state by now is not among them. */
  readonly onWritten: (rows: readonly CostRecord[]) => void;
  readonly log: Pick<Log, 'warn' | 'info' | 'error'>;
  readonly now: () => number;
};

export type LedgerWriter = {
  /**
   * Spools a row, for the ledger to have it soon.
   * @param json the row as JSON
   * @param durable see `Spool.append`
   * @returns whether there was room; otherwise nothing happened
   */
  record(row: CostRecord, json: string, durable: boolean): boolean;
  /** Whether the ledger has, within that time, all rows recorded so far. */
  flushed(timeout: Millis): Promise<boolean>;
  stats(): WriterStats;
  /** Brings in what it can within that time and closes the spool; what is left is adopted by the next process. */
  close(timeout: Millis): Promise<void>;
};

export type WriterStats = {
  readonly waitingRows: number;
  readonly waitingBytes: number;
  /** How long the oldest of them waits. */
  readonly oldestAge: Millis;
  readonly written: number;
  readonly rejected: number;
  /** The ledger took nothing the last time. */
  readonly isAway: boolean;
  readonly lastError: string | undefined;
};

const MAX_BATCH_ROWS = 1000;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Rows in memory, at most; those that come then are read back from the disk. */
const MAX_RECENT_ROWS = 4000;
const READ_BYTES = 512 * 1024;
const EVERY_MS = 50;
const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5000;

export const ledgerWriter = (options: WriterOptions): LedgerWriter => new Writer(options);

/** A row and where it ends in the spool. */
type Placed = Written & { readonly end: number };
/** Rows taken from the spool and not yet in the ledger, up to `end`; `spooled` counts them with those that were overtaken or are done. */
type Batch = { readonly rows: readonly Written[]; readonly spooled: number; readonly end: number };

class Writer implements LedgerWriter {
  readonly #options: WriterOptions;
  readonly #delivery: Delivery;
  /** The next rows in order, without a gap. */
  #recent: Placed[] = [];
  /** Where the rows begin that are on the disk alone; undefined: there are none. */
  #onDiskFrom: number | undefined;
  #batch: Batch = { rows: [], spooled: 0, end: 0 };
  /** Rows whose last state so far is `open`: an older open row of any other attempt has been overtaken, further on in the spool. */
  readonly #open = new Map<string, Placed>();
  #acknowledged = 0;
  #recorded = 0;
  #passed = 0;
  #written = 0;
  #rejected = 0;
  #failures = 0;
  #lastError: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  #isClosed = false;
  readonly #waiters = new Set<{ readonly point: number; readonly resolve: () => void }>();

  constructor(options: WriterOptions) {
    this.#options = options;
    const setAside: SetAside = async (row, reason) => {
      await options.setAside(row, reason);
      this.#rejected++;
      options.log.error({ request_id: row.requestId, attempt: row.attempt, reason }, 'the ledger refuses a row: set aside');
    };
    this.#delivery = delivery(options.ledger, setAside);
  }

  record(row: CostRecord, json: string, durable: boolean): boolean {
    return this.#append(row, json, durable, row.state !== 'open');
  }

  #append(row: CostRecord, json: string, durable: boolean, mayUseReserve: boolean): boolean {
    const { spool } = this.#options;
    const start = spool.end();
    if (!spool.append(json, durable, mayUseReserve)) return false;
    const placed = { record: row, json, end: spool.end() };
    this.#recorded++;
    if (row.state === 'open') this.#open.set(rowKey(row), placed);
    else this.#open.delete(rowKey(row));
    if (this.#onDiskFrom === undefined && this.#recent.length < MAX_RECENT_ROWS) {
      this.#recent.push(placed);
      if (this.#recent.length === MAX_BATCH_ROWS && this.#failures === 0) this.#runIn(0);
    } else this.#onDiskFrom ??= start;
    if (!this.#timer) this.#runIn(EVERY_MS);
    return true;
  }

  async flushed(timeout: Millis): Promise<boolean> {
    const point = this.#options.spool.end();
    if (this.#acknowledged >= point) return true;
    return new Promise(settle => {
      const end = (isFlushed: boolean) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        settle(isFlushed);
      };
      const timer = setTimeout(end, timeout, false);
      const waiter = { point, resolve: () => end(true) };
      this.#waiters.add(waiter);
      this.#runIn(0);
    });
  }

  stats(): WriterStats {
    const { spool, now } = this.#options;
    const waitingBytes = spool.end() - this.#acknowledged;
    const oldest = (this.#batch.rows[0] ?? this.#recent[0])?.record;
    return {
      waitingRows: waitingBytes === 0 ? 0 : this.#recorded - this.#passed,
      waitingBytes,
      // A settled row was appended when its attempt ended.
      oldestAge: millis(oldest ? Math.max(0, now() - oldest.at - oldest.duration) : 0),
      written: this.#written,
      rejected: this.#rejected,
      isAway: this.#failures > 0,
      lastError: this.#lastError,
    };
  }

  async close(timeout: Millis): Promise<void> {
    const isEmpty = await this.flushed(timeout);
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#options.spool.close(isEmpty && this.#open.size === 0);
  }

  #runIn(delay: number): void {
    if (this.#isRunning || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), delay).unref();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    const wait = await this.#round().then(
      () => this.#recovered(),
      error => this.#away(error),
    );
    this.#isRunning = false;
    this.#timer = undefined;
    if (this.#acknowledged < this.#options.spool.end()) this.#runIn(wait);
  }

  /** @returns when to go on */
  #recovered(): number {
    if (this.#failures > 0) this.#options.log.info({ waiting: this.stats().waitingRows }, 'the ledger takes rows again');
    this.#failures = 0;
    const isBehind = this.#onDiskFrom !== undefined || this.#recent.length >= MAX_BATCH_ROWS || this.#waiters.size > 0;
    return isBehind ? 0 : EVERY_MS;
  }

  #away(error: unknown): number {
    this.#lastError = String(error);
    if (this.#failures++ === 0)
      this.#options.log.warn({ reason: this.#lastError }, 'the ledger takes no rows: they wait on the disk');
    return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(this.#failures - 1, 10));
  }

  /** One batch, or what could not be delivered of the last one and as many new rows as fit beside it. */
  async #round(): Promise<void> {
    await this.#fillBatch();
    const batch = this.#batch;
    const latest = batch.rows.filter(({ record }) => this.#isLatest(record));
    const records = latest.map(({ record }) => record);
    const { done, left } =
      latest.length === 0
        ? { done: [], left: [] }
        : await this.#delivery.deliver(
            records,
            latest.map(({ json }) => json),
          );
    this.#batch = { ...batch, rows: left.length === 0 ? [] : latest.filter(({ record }) => left.includes(record)) };
    this.#written += done.length;
    this.#options.onWritten(done.filter(row => this.#isLatest(row)));
    if (left.length === 0) await this.#acknowledge(batch);
  }

  #isLatest(row: CostRecord): boolean {
    return row.state !== 'open' || this.#open.has(rowKey(row));
  }

  async #fillBatch(): Promise<void> {
    if (this.#recent.length === 0 && this.#onDiskFrom !== undefined) await this.#readBack(this.#onDiskFrom);
    const room = MAX_BATCH_ROWS - this.#batch.rows.length;
    const maxEnd = (this.#recent[0]?.end ?? 0) + MAX_BATCH_BYTES;
    let count = 0;
    while (count < room && count < this.#recent.length && this.#recent[count]!.end <= maxEnd) count++;
    if (count === 0) return;
    const more = this.#recent.splice(0, count);
    const { rows, spooled } = this.#batch;
    this.#batch = { rows: rows.concat(more), spooled: spooled + count, end: more.at(-1)!.end };
  }

  async #readBack(from: number): Promise<void> {
    const { spool } = this.#options;
    const { rows, next } = await spool.read(from, READ_BYTES);
    for (const { json, end } of rows) this.#recent.push({ record: JSON.parse(json), json, end });
    // Garbled lines behind the last row are passed together with it.
    const last = this.#recent.pop();
    if (last) this.#recent.push({ ...last, end: next });
    else this.#batch = { ...this.#batch, end: next };
    // Rows that came meanwhile lie beyond; without any, those to come can go by way of the memory again.
    this.#onDiskFrom = next < spool.end() ? next : undefined;
  }

  async #acknowledge({ spooled, end: point }: Batch): Promise<void> {
    const { spool } = this.#options;
    const dropped = spool.endsBefore(point).at(-1);
    if (dropped !== undefined) {
      if (this.#carryOver(dropped)) await spool.sync();
      await spool.acknowledge(dropped);
    }
    this.#acknowledged = point;
    this.#passed += spooled;
    this.#batch = { rows: [], spooled: 0, end: point };
    for (const waiter of this.#waiters) if (waiter.point <= point) waiter.resolve();
  }

  /**
   * A row that is open stays in the spool as long as this process lives, for whoever comes after it: it moves on before its segment goes.
   * It takes the room of completions, as room is what comes of it; where even that is full, the ledger has the row, and its lease ends.
   */
  #carryOver(point: number): boolean {
    const staying = [...this.#open.values()].filter(({ end }) => end <= point);
    for (const { record, json } of staying) this.#append(record, json, false, true);
    return staying.length > 0;
  }
}
