// The log of all that happens to the entries of a cache, in one stream of Redis: who reads it from its beginning knows all entries, who
// reads on knows them as they change. It is read on a connection of its own, off every request's path.
import type { RedisClient, RedisLink } from '#platform/redis.ts';

/** One name, one slot: a process follows it with one blocking read. What is in the records is versioned with the name. */
const STREAM = 'tollgate:{cache}:log:1';
const JANITOR = 'tollgate:{cache}:janitor';
const BATCH = 1000;
/** An idle read is answered so often, which proves that changes would be heard. */
const BLOCK_MS = 500;
const READ_TIMEOUT_MS = 1500;
const WRITE_TIMEOUT_MS = 2000;
/** Silent for longer, a flush or an eviction may have been missed. */
const STALE_MS = 3000;
const PAUSE_MS = 250;

/** `add`: an entry; `key`: an alias of one; `limit`: its threshold; `gone`: entries; `flush`: a scope. */
export type ChangeKind = 'add' | 'key' | 'limit' | 'gone' | 'flush';
/** `id` is the stream's, `<ms>-<n>`. */
export type Change = { readonly id: string; readonly kind: ChangeKind; readonly bytes: Buffer };

export type ChangeLogParts = {
  readonly link: RedisLink;
  /** A connection of its own: it waits in Redis. */
  readonly reader: RedisLink;
  /** What was known is void: it is told again from the beginning. */
  readonly onReset: () => void;
  readonly onChange: (change: Change) => void;
};

type Batch = [stream: Buffer, records: [id: Buffer, fields: Buffer[]][]][];

export class ChangeLog {
  readonly #parts: ChangeLogParts;
  #lastId = '0-0';
  #heardAt = Number.NEGATIVE_INFINITY;
  #isCaughtUp = false;
  #isClosed = false;
  /** Counts the connections: a new one begins anew. */
  #connection = 0;
  #wake: (() => void)[] = [];

  constructor(parts: ChangeLogParts) {
    this.#parts = parts;
    parts.reader.onChange(() => this.#isAnother());
    void this.#follow();
  }

  /** All that happened until a moment ago is known. */
  isCurrent(): boolean {
    return this.#isCaughtUp && performance.now() - this.#heardAt < STALE_MS;
  }

  /** @returns its id. Rejects while Redis is away */
  append(kind: ChangeKind, bytes: Buffer | string): Promise<string> {
    return this.#parts.link.call(async client => (await client.xadd(STREAM, '*', kind, bytes))!, WRITE_TIMEOUT_MS);
  }

  /** Resolves when that change and all before it are known here, or the log is away. */
  async caughtUpWith(id: string): Promise<void> {
    while (this.isCurrent() && isBefore(this.#lastId, id)) await this.#nextBatch();
  }

  /** Who begins anew is not told of these. Rejects while Redis is away. */
  async forget(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += BATCH) {
      const some = ids.slice(at, at + BATCH);
      await this.#parts.link.call(client => client.xdel(STREAM, ...some), WRITE_TIMEOUT_MS);
    }
  }

  /** Forgets what is older, about. */
  async trim(oldest: string): Promise<void> {
    await this.#parts.link.call(client => client.xtrim(STREAM, 'MINID', '~', oldest), WRITE_TIMEOUT_MS);
  }

  /** Of all processes one cleans up, for this long. */
  async isJanitor(ms: number): Promise<boolean> {
    return (await this.#parts.link.call(client => client.set(JANITOR, '1', 'PX', ms, 'NX'), WRITE_TIMEOUT_MS)) === 'OK';
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isCaughtUp = false;
    await this.#parts.reader.close();
    this.#awake();
  }

  async #follow(): Promise<void> {
    while (!this.#isClosed) {
      if (this.#parts.reader.state().kind === 'down') {
        await this.#nextBatch();
        continue;
      }
      this.#parts.onReset();
      this.#lastId = '0-0';
      await this.#readOn(this.#connection);
      this.#isCaughtUp = false;
    }
  }

  /** Until the connection is another. Redis may have come back with less than it had. */
  async #readOn(connection: number): Promise<void> {
    while (!this.#isClosed && this.#connection === connection) {
      try {
        this.#heard(await this.#parts.reader.call(client => this.#next(client), READ_TIMEOUT_MS), connection);
      } catch {
        this.#isCaughtUp = false;
        await new Promise(resolve => setTimeout(resolve, PAUSE_MS).unref());
      }
    }
  }

  #next(client: RedisClient): Promise<Batch | null> {
    const from = ['STREAMS', STREAM, this.#lastId] as const;
    return this.#isCaughtUp
      ? client.xreadBuffer('COUNT', BATCH, 'BLOCK', BLOCK_MS, ...from)
      : client.xreadBuffer('COUNT', BATCH, ...from);
  }

  #heard(batch: Batch | null, connection: number): void {
    if (this.#connection !== connection) return;
    const records = batch?.[0]?.[1] ?? [];
    for (const [id, [kind, bytes]] of records) {
      this.#lastId = id.toString();
      // A record that was deleted while it was read has no fields.
      if (bytes) this.#parts.onChange({ id: this.#lastId, kind: kind!.toString() as ChangeKind, bytes });
    }
    this.#heardAt = performance.now();
    if (records.length < BATCH) this.#isCaughtUp = true;
    this.#awake();
  }

  #isAnother(): void {
    this.#connection += 1;
    this.#isCaughtUp = false;
    this.#awake();
  }

  #nextBatch(): Promise<void> {
    return new Promise(resolve => this.#wake.push(resolve));
  }

  #awake(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Of ids of the stream. */
export function isBefore(one: string, other: string): boolean {
  const [a, b] = [one.split('-').map(Number), other.split('-').map(Number)];
  return a[0]! < b[0]! || (a[0] === b[0] && a[1]! < b[1]!);
}
