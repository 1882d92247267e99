// The spool: rows of the cost log on the local disk, between the request loop and the ledger. Appending is synchronous and takes a few
// microseconds. A durable row is the kernel's before `append` returns, so that it outlives a kill -9; every row is on the disk within 100 ms.
// When there is no room the spool says so, and the request is refused: nothing is ever dropped. A reserve, on the disk and in memory,
// is kept for rows that complete what was accepted before.
import { rmSync } from 'node:fs';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { linesOf, maxLineBytes, putLine } from './spool-lines.ts';
import { tryLock } from './spool-lock.ts';
import { type Disk, realDisk, Segments } from './spool-segments.ts';

export type SpoolOptions = {
  /** `<TOLLGATE_DATA>/spool`: shared by all processes with this data folder. */
  readonly root: string;
  /** `<pod>-<boot>`: the folder of this process, never used before. */
  readonly name: string;
  /** Size at which the next file is begun (=8 MiB). */
  readonly segmentBytes?: number;
  /** Rows that wait for the ledger, at most (=6 GiB). */
  readonly maxBytes?: number;
  /** The part of `maxBytes` that only completions may use; as much is held on the disk, and as much again in memory (=8 MiB). */
  readonly reserveBytes?: number;
  /** Told once each time the spool becomes 80 % full. */
  readonly onPressure?: (fill: number) => void;
  readonly disk?: Disk;
};

export type SpooledRows = {
  /** `end` is where the row ends in the spool. */
  readonly rows: readonly { readonly json: string; readonly end: number }[];
  /** From where to read on. */
  readonly next: number;
};

export type Spool = {
  /** `<root>/<name>`. */
  readonly folder: string;
  /**
   * @param durable the kernel has the row before this returns; otherwise by the end of this turn of the event loop
   * @param mayUseReserve (=!durable) it completes what was accepted before
   * @returns whether there was room
   */
  append(json: string, durable: boolean, mayUseReserve?: boolean): boolean;
  /** Bytes appended so far: where the next row will begin. */
  end(): number;
  /** Rows from there on, about `maxBytes` of them, or those of one segment; none: nothing has been written beyond. */
  read(from: number, maxBytes: number): Promise<SpooledRows>;
  /** Ends of the segments that could go once all before this point is in the ledger. */
  endsBefore(point: number): readonly number[];
  /** Everything before this point is in the ledger. */
  acknowledge(point: number): Promise<void>;
  /** 0..1, by `maxBytes` or by what the disk has left, whichever is less. */
  fill(): number;
  stats(): SpoolStats;
  /** Everything appended so far is on the disk. */
  sync(): Promise<void>;
  /** @param isEmpty everything is in the ledger, so the folder goes too; otherwise it stays for the next process to adopt */
  close(isEmpty: boolean): Promise<void>;
};

export type SpoolStats = {
  /** Held on the disk: rows not acknowledged, and the rest of their segments. */
  readonly bytes: number;
  /** Lines read back that were not what had been written. */
  readonly garbled: number;
  readonly lastError: string | undefined;
};

const MIB = 1024 * 1024;
/** Half an hour without a ledger at 1,000 attempts a second is 4.3 GB: two lines of about 1.2 KB each. */
const DEFAULT_MAX_BYTES = 6144 * MIB;
/** Longer rows are refused; the longest that the loop makes has a few KB. */
const MAX_ROW_LENGTH = 128 * 1024;
/** A row waits this long before it is brought to the disk, which leaves as long again for the disk itself. */
const SYNC_AFTER_MS = 50;
const LOOK_AT_DISK_EVERY_MS = 1000;
const PRESSURE = 0.8;
const RELIEF = 0.7;
const RESERVE_FILE = 'reserve';

export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const folder = path.join(options.root, options.name);
  await mkdir(options.root, { recursive: true, mode: 0o700 });
  // The lock comes first: whoever sees the folder and gets its lock knows that its process is dead.
  const lock = tryLock(lockFileOf(folder));
  if (!lock) throw new Error(`another process writes the spool ${folder}`);
  try {
    await mkdir(folder, { mode: 0o700 });
    const spool = new FileSpool(folder, options, lock.release);
    await spool.lookAtDisk();
    return spool;
  } catch (error) {
    lock.release();
    throw error;
  }
}

export const lockFileOf = (folder: string): string => `${folder}.lock`;

class FileSpool implements Spool {
  readonly folder: string;
  readonly #segments: Segments;
  readonly #maxBytes: number;
  readonly #reserveBytes: number;
  readonly #onPressure: (fill: number) => void;
  readonly #unlock: () => void;
  /** Lines that the kernel does not have yet. */
  #pending = Buffer.allocUnsafeSlow(64 * 1024);
  #used = 0;
  #isFlushDue = false;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  #hasReserve = false;
  #diskBytesFree = Number.POSITIVE_INFINITY;
  #lookedAtDisk = 0;
  #isPressed = false;
  #isClosed = false;
  #garbled = 0;
  #lastError: string | undefined;

  constructor(folder: string, options: SpoolOptions, unlock: () => void) {
    this.folder = folder;
    this.#segments = new Segments(folder, options.segmentBytes ?? 8 * MIB, options.disk ?? realDisk);
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#reserveBytes = Math.min(options.reserveBytes ?? 8 * MIB, this.#maxBytes / 2);
    this.#onPressure = options.onPressure ?? (() => {});
    this.#unlock = unlock;
  }

  append(json: string, durable: boolean, mayUseReserve = !durable): boolean {
    if (this.#isFull(mayUseReserve) || !this.#makeRoom(json)) return false;
    const length = putLine(json, this.#pending, this.#used);
    this.#used += length;
    if (durable && !this.#flush()) {
      this.#used -= length;
      return false;
    }
    if (!durable) this.#flushSoon();
    this.#syncSoon();
    this.#watchPressure();
    return true;
  }

  end(): number {
    return this.#segments.end() + this.#used;
  }

  async read(from: number, maxBytes: number): Promise<SpooledRows> {
    const { block, next } =
      from < this.#segments.end()
        ? await this.#segments.read(from, Math.max(maxBytes, 4 * MAX_ROW_LENGTH))
        : this.#inMemory(from);
    const { rows, bytes, garbled } = linesOf(block);
    this.#garbled += garbled;
    // A segment that is shorter than what was written to it: somebody else cut it.
    if (bytes === 0 && next > from) this.#garbled++;
    return { rows: rows.map(row => ({ json: row.json, end: from + row.end })), next: bytes === 0 ? next : from + bytes };
  }

  endsBefore(point: number): readonly number[] {
    // Room for the reserve is made wherever there is some.
    if (!this.#hasReserve) this.#segments.seal();
    return this.#segments.endsBefore(point);
  }

  async acknowledge(point: number): Promise<void> {
    await this.#segments.dropUntil(point);
    this.#watchPressure();
  }

  fill(): number {
    if (!this.#hasReserve) return 1;
    const held = this.#held();
    return Math.min(1, held / Math.min(this.#maxBytes - this.#reserveBytes, held + this.#diskBytesFree));
  }

  stats(): SpoolStats {
    return { bytes: this.#held(), garbled: this.#garbled, lastError: this.#lastError };
  }

  async sync(): Promise<void> {
    // One that is under way may have begun before the last row came.
    while (this.#syncing) await this.#syncing;
    this.#flushCompletions();
    await this.#syncNow();
  }

  async close(isEmpty: boolean): Promise<void> {
    if (this.#isClosed) return;
    await this.sync();
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#segments.close();
    if (isEmpty) await rm(this.folder, { recursive: true, force: true });
    else await rm(path.join(this.folder, RESERVE_FILE), { force: true });
    this.#unlock();
    if (isEmpty) await rm(lockFileOf(this.folder), { force: true });
  }

  /** Takes the reserve again when it was given up, and finds out how much room there is beside it. */
  async lookAtDisk(): Promise<void> {
    this.#lookedAtDisk = performance.now();
    if (!this.#hasReserve) await this.#takeReserve();
    const { bavail, bsize } = await statfs(this.folder);
    this.#diskBytesFree = bavail * bsize;
    this.#watchPressure();
  }

  /** What a full disk does not take still finds its way to the ledger. */
  #inMemory(from: number): { block: Buffer; next: number } {
    const block = this.#pending.subarray(from - this.#segments.end(), this.#used);
    return { block, next: from + block.length };
  }

  #held(): number {
    return this.end() - this.#segments.start();
  }

  #isFull(mayUseReserve: boolean): boolean {
    if (this.#isClosed) return true;
    if (mayUseReserve) return this.#held() >= this.#maxBytes;
    return !this.#hasReserve || this.#held() >= this.#maxBytes - this.#reserveBytes;
  }

  /** Room in memory for one more line. */
  #makeRoom(json: string): boolean {
    const needed = maxLineBytes(json);
    if (this.#used + needed <= this.#pending.length) return true;
    if (json.length > MAX_ROW_LENGTH) return false;
    if (this.#used > 0) this.#flushCompletions();
    if (this.#used + needed > Math.max(this.#reserveBytes, 4 * MAX_ROW_LENGTH)) return false;
    if (this.#used + needed > this.#pending.length) this.#grow(this.#used + needed);
    return true;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#pending.length * 2));
    this.#pending.copy(larger, 0, 0, this.#used);
    this.#pending = larger;
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#flushCompletions();
    });
  }

  /** Completions may use the room of the reserve; what even then does not fit waits in memory. */
  #flushCompletions(): void {
    if (this.#isClosed || this.#flush() || !this.#hasReserve) return;
    this.#giveUpReserve();
    this.#flush();
  }

  #flush(): boolean {
    if (this.#used === 0) return true;
    try {
      this.#segments.write(this.#pending.subarray(0, this.#used));
      this.#used = 0;
      return true;
    } catch (error) {
      this.#lastError = String(error);
      return false;
    }
  }

  #syncSoon(): void {
    if (this.#timer || this.#syncing || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flushCompletions();
      void this.#syncNow();
    }, SYNC_AFTER_MS).unref();
  }

  /** Never more than one at a time. */
  async #syncNow(): Promise<void> {
    if (this.#syncing) return this.#syncing;
    this.#syncing = this.#bringToDisk();
    await this.#syncing;
    this.#syncing = undefined;
    if (this.#used > 0 || this.#segments.isDirty() || !this.#hasReserve) this.#syncSoon();
  }

  async #bringToDisk(): Promise<void> {
    try {
      await this.#segments.sync();
      if (performance.now() - this.#lookedAtDisk > LOOK_AT_DISK_EVERY_MS) await this.lookAtDisk();
    } catch (error) {
      this.#lastError = String(error);
    }
  }

  /** Zeros take real blocks on the file systems that data folders are on; those that compress them have no reserve but the one in memory. */
  async #takeReserve(): Promise<void> {
    const file = path.join(this.folder, RESERVE_FILE);
    try {
      await writeFile(file, Buffer.alloc(this.#reserveBytes), { mode: 0o600 });
      this.#hasReserve = true;
    } catch (error) {
      this.#lastError = String(error);
      await rm(file, { force: true });
    }
  }

  #giveUpReserve(): void {
    this.#hasReserve = false;
    try {
      rmSync(path.join(this.folder, RESERVE_FILE), { force: true });
    } catch (error) {
      this.#lastError = String(error);
    }
  }

  #watchPressure(): void {
    const fill = this.fill();
    if (!this.#isPressed && fill >= PRESSURE) {
      this.#isPressed = true;
      this.#onPressure(fill);
    } else if (fill < RELIEF) this.#isPressed = false;
  }
}
