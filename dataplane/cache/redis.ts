// The cache of all processes, in Redis without modules: an answer under a key of its tenant, with its time to live; entries as records of one
// log that every process follows into an index of its own. So a look-up asks nobody, and only answers are fetched. While Redis is away, or
// what happens there is not heard, there is nothing in the cache.
import type { EpochMillis } from '#core/units.ts';
import type { RedisLink } from '#platform/redis.ts';
import { tenantPrefixes } from '../counters/tenant-keys.ts';
import { decodeAnswer, decodeEntry, encodeAnswer, newEntry } from './encode.ts';
import { EntryIndex, type Held } from './entry-index.ts';
import { SWEEP_EVERY_MS } from './memory.ts';
import { type Change, ChangeLog, isBefore } from './redis-log.ts';
import type {
  CachedAnswer,
  CacheEntry,
  CacheStats,
  CacheStore,
  CacheStoreOptions,
  FlushScope,
  Neighbour,
  NewEntry,
} from './store.ts';

export type RedisCacheOptions = CacheStoreOptions & {
  readonly link: RedisLink;
  /** A connection of its own, closed with the cache. */
  readonly reader: RedisLink;
  /** What the index takes at most in this process, about. */
  readonly maxIndexBytes: number;
  /** An entry that others may wait for has come. */
  readonly onAdded?: (entry: CacheEntry) => void;
};

const WRITE_TIMEOUT_MS = 2000;
/** Who goes over a bound frees a little more, so that not every entry does. */
const ROOM = 0.98;
/** Who did not add the entry waits for the one who did to make room, up to so many times the bound. */
const PATIENCE = 1.1;
const NOT_TOLD_YET = Number.POSITIVE_INFINITY;
/** By then every process has read it. */
const GONE_KEPT_MS = 60_000;
/** Changes that can be forgotten, at most. */
const MAX_SPENT = 100_000;
const UNLINK_AT_ONCE = 200;

/** Ids in the log. */
type Changes = { readonly ids: string[]; threshold: string | undefined };

export function redisCache(options: RedisCacheOptions): CacheStore {
  return new RedisCache(options);
}

class RedisCache implements CacheStore {
  readonly #options: RedisCacheOptions;
  readonly #link: RedisLink;
  readonly #log: ChangeLog;
  readonly #index: EntryIndex;
  readonly #prefixOf = tenantPrefixes();
  /** Answers that Redis does not have yet, or that are not heard of from the log yet, by id. */
  readonly #unsent = new Map<string, { readonly bytes: Buffer; readonly askedAt: EpochMillis }>();
  /** Ids of the changes that make an entry what it is. */
  readonly #changes = new WeakMap<Held, Changes>();
  /** Changes that say nothing to who begins anew. */
  #spent: { readonly id: string; readonly at: number }[] = [];
  readonly #sweeping: NodeJS.Timeout;
  #evicted = 0;

  constructor(options: RedisCacheOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#index = new EntryIndex(options.now);
    this.#log = new ChangeLog({
      link: options.link,
      reader: options.reader,
      onReset: () => {
        this.#index.clear();
        this.#spent = [];
      },
      onChange: change => this.#apply(change),
    });
    this.#sweeping = setInterval(() => void this.#sweep(true), SWEEP_EVERY_MS).unref();
  }

  exact(partition: string, key: string): CacheEntry | undefined {
    return this.#isAway() ? undefined : this.#index.exact(partition, key);
  }

  nearest(partition: string, vector: Float32Array, k: number, floor: number): readonly Neighbour[] {
    return this.#isAway() ? [] : this.#index.nearest(partition, vector, k, floor);
  }

  async answer(entry: CacheEntry): Promise<CachedAnswer | undefined> {
    const held = this.#index.get(entry.id);
    if (!held || this.#isAway()) return undefined;
    this.#index.touch(held);
    const unsent = this.#unsent.get(held.id);
    if (unsent) return decodeAnswer(unsent.bytes);
    try {
      const bytes = await this.#link.call(client => client.getBuffer(this.#answerKey(held)));
      const answer = bytes ? decodeAnswer(bytes) : undefined;
      // Redis had to make room, or was emptied.
      if (!answer) this.#drop(held);
      return answer;
    } catch {
      return undefined;
    }
  }

  async put(made: NewEntry, answer: CachedAnswer): Promise<CacheEntry | undefined> {
    if (this.#isAway() || this.isFlushed(made)) return undefined;
    const bytes = encodeAnswer(answer);
    const stored = newEntry(made, bytes.length, this.#options);
    if (!stored) return undefined;
    const { held, replaced } = this.#index.add(stored.entry, stored.vector, NOT_TOLD_YET);
    this.#unsent.set(held.id, { bytes, askedAt: made.askedAt });
    try {
      const lives = Math.max(1, held.goneAt - held.createdAt);
      // The answer first: who hears of the entry finds it.
      await this.#link.call(client => client.set(this.#answerKey(held), bytes, 'PX', lives), WRITE_TIMEOUT_MS);
      await this.#log.caughtUpWith(await this.#log.append('add', stored.record));
    } catch {
      this.#index.remove(held.id);
      return undefined;
    } finally {
      this.#unsent.delete(held.id);
    }
    if (replaced) void this.#discard([replaced]);
    if (this.isFlushed(made)) return undefined;
    void this.#makeRoom(held);
    return held;
  }

  async alias({ id }: CacheEntry, key: string): Promise<boolean> {
    const held = this.#index.get(id);
    if (!held || this.#isAway() || !this.#index.alias(held, key)) return false;
    try {
      await this.#log.append('key', JSON.stringify([id, key]));
      return true;
    } catch {
      this.#index.unalias(held, key);
      return false;
    }
  }

  async setThreshold({ id }: CacheEntry, threshold: number): Promise<boolean> {
    const held = this.#index.get(id);
    if (!held || this.#isAway()) return false;
    try {
      // In the order of the log: the one that was set last stays.
      await this.#log.caughtUpWith(await this.#log.append('limit', JSON.stringify([id, threshold])));
      return true;
    } catch {
      return false;
    }
  }

  async flush(scope: FlushScope): Promise<boolean> {
    try {
      await this.#log.caughtUpWith(await this.#log.append('flush', JSON.stringify(scope)));
      void this.#sweep(false);
      return true;
    } catch {
      return false;
    }
  }

  isFlushed(made: Pick<NewEntry, 'askedAt' | 'tenant' | 'route' | 'tags'>): boolean {
    return this.#index.wasFlushedSince(made.askedAt, made);
  }

  stats(): CacheStats {
    const { size: entries, bytes } = this.#index;
    return { entries, bytes, maxBytes: this.#options.maxBytes, evicted: this.#evicted, isAway: this.#isAway() };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    await this.#log.close();
    this.#index.clear();
  }

  #isAway(): boolean {
    return this.#link.state().kind === 'down' || !this.#log.isCurrent();
  }

  #answerKey({ tenant, id }: CacheEntry): string {
    return `${this.#prefixOf(tenant)}cache:${id}`;
  }

  // ---------------------------------------------------------------- what is heard

  #apply(change: Change): void {
    switch (change.kind) {
      case 'add':
        this.#added(change);
        break;
      case 'key':
        this.#aliased(change);
        break;
      case 'limit':
        this.#limited(change);
        break;
      case 'gone':
        for (const id of this.#read<readonly string[]>(change) ?? []) this.#index.remove(id);
        this.#isSpent(change.id);
        break;
      case 'flush': {
        const scope = this.#read<FlushScope>(change);
        if (scope) this.#index.flush(scope, this.#index.next());
        break;
      }
    }
  }

  #added({ id, bytes }: Change): void {
    const record = decodeEntry(bytes);
    if (!record) return;
    const { entry, vector } = record;
    const own = this.#index.get(entry.id);
    if (own) {
      own.order = this.#index.next();
      this.#changes.set(own, { ids: [id], threshold: undefined });
      const unsent = this.#unsent.get(own.id);
      if (unsent && this.#index.wasFlushedSince(unsent.askedAt, own)) {
        // It stands behind the flush in the log, which it was asked for before.
        void this.#takeBack(own);
        return;
      }
    } else if (entry.goneAt <= this.#options.now()) {
      this.#isSpent(id);
    } else if (this.#index.holder(entry.partition, entry.key)?.order === NOT_TOLD_YET) {
      // This process's own stands behind it in the log, and so takes its place; for everybody.
      this.#isSpent(id);
      void this.#unlink([entry]);
    } else {
      const { held } = this.#index.add(entry, vector, this.#index.next());
      this.#changes.set(held, { ids: [id], threshold: undefined });
      this.#index.shrink(() => this.#isWithin(PATIENCE), held);
    }
    this.#options.onAdded?.(entry);
  }

  #aliased(change: Change): void {
    const [id, key] = this.#read<readonly [string, string]>(change) ?? [];
    const held = this.#index.get(id!);
    if (held && this.#index.alias(held, key!)) this.#changes.get(held)?.ids.push(change.id);
    else this.#isSpent(change.id);
  }

  #limited(change: Change): void {
    const [id, threshold] = this.#read<readonly [string, number]>(change) ?? [];
    const held = this.#index.get(id!);
    const changes = held && this.#changes.get(held);
    if (!changes) {
      this.#isSpent(change.id);
      return;
    }
    if (changes.threshold !== undefined) this.#isSpent(changes.threshold);
    changes.threshold = change.id;
    held.threshold = threshold!;
  }

  #read<T>({ bytes }: Change): T | undefined {
    try {
      return JSON.parse(bytes.toString());
    } catch {
      return undefined;
    }
  }

  // ---------------------------------------------------------------- what goes

  /** Its answer is not there any more; others find that out as well. */
  #drop(held: Held): void {
    this.#index.remove(held.id);
    for (const id of this.#changesOf(held)) this.#isSpent(id);
  }

  /** By the process that added last: two that do it at once free a little more than they must. */
  async #makeRoom(newest: Held): Promise<void> {
    if (this.#isWithin(1)) return;
    const victims = this.#index.shrink(() => this.#isWithin(ROOM), newest);
    this.#evicted += victims.length;
    await this.#tellGone(victims);
  }

  #isWithin(share: number): boolean {
    const { maxBytes, maxIndexBytes } = this.#options;
    return this.#index.bytes <= maxBytes * share && this.#index.memory <= maxIndexBytes * share;
  }

  async #takeBack(held: Held): Promise<void> {
    this.#index.remove(held.id);
    await this.#tellGone([held]);
  }

  async #tellGone(entries: readonly Held[]): Promise<void> {
    await this.#log.append('gone', JSON.stringify(entries.map(({ id }) => id))).catch(() => {});
    await this.#discard(entries);
  }

  /** What is stored of entries that are out of the index. What cannot be reached now goes with its time to live, and with the log's end. */
  async #discard(entries: readonly Held[]): Promise<void> {
    await this.#unlink(entries);
    await this.#log.forget(entries.flatMap(entry => this.#changesOf(entry))).catch(() => {});
  }

  async #unlink(entries: readonly CacheEntry[]): Promise<void> {
    for (let at = 0; at < entries.length; at += UNLINK_AT_ONCE) {
      const keys = entries.slice(at, at + UNLINK_AT_ONCE).map(entry => this.#answerKey(entry));
      // One by one: they are in as many slots as there are tenants.
      await this.#link.call(client => Promise.all(keys.map(key => client.unlink(key))), WRITE_TIMEOUT_MS).catch(() => {});
    }
  }

  #changesOf(held: Held): string[] {
    const { ids = [], threshold } = this.#changes.get(held) ?? {};
    return threshold === undefined ? ids : [...ids, threshold];
  }

  #isSpent(id: string): void {
    if (this.#spent.length < MAX_SPENT) this.#spent.push({ id, at: this.#options.now() });
  }

  /** Takes out what was flushed or is too old. What is left of it in Redis is for one process to clean up; after a flush for who did that. */
  async #sweep(isDueForAll: boolean): Promise<void> {
    const gone = await this.#index.sweep();
    try {
      if (this.#isAway() || (isDueForAll && !(await this.#log.isJanitor(SWEEP_EVERY_MS / 2)))) return;
      await this.#discard(gone);
      if (isDueForAll) await this.#cleanLog();
    } catch {
      // Redis has gone: another time.
    }
  }

  async #cleanLog(): Promise<void> {
    const before = this.#options.now() - GONE_KEPT_MS;
    const old = this.#spent.filter(({ at }) => at < before);
    this.#spent = this.#spent.filter(({ at }) => at >= before);
    await this.#log.forget(old.map(({ id }) => id));
    let oldest: string | undefined;
    for (const entry of this.#index.entries()) {
      const id = this.#changes.get(entry)?.ids[0];
      if (id !== undefined && (oldest === undefined || isBefore(id, oldest))) oldest = id;
    }
    if (oldest !== undefined) await this.#log.trim(oldest);
  }
}
