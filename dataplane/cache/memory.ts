// The cache of one process alone, in its memory.
import { decodeAnswer, encodeAnswer, newEntry } from './encode.ts';
import { EntryIndex, type Held } from './entry-index.ts';
import type { CachedAnswer, CacheEntry, CacheStore, CacheStoreOptions, FlushScope, NewEntry } from './store.ts';

export const SWEEP_EVERY_MS = 30_000;

export function memoryCache(options: CacheStoreOptions): CacheStore {
  return new MemoryCache(options);
}

class MemoryCache implements CacheStore {
  readonly #options: CacheStoreOptions;
  readonly #index: EntryIndex;
  readonly #answers = new WeakMap<Held, Buffer>();
  readonly #sweeping: NodeJS.Timeout;
  #evicted = 0;

  constructor(options: CacheStoreOptions) {
    this.#options = options;
    this.#index = new EntryIndex(options.now);
    this.#sweeping = setInterval(() => void this.#index.sweep(), SWEEP_EVERY_MS).unref();
  }

  exact(partition: string, key: string) {
    return this.#index.exact(partition, key);
  }

  nearest(partition: string, vector: Float32Array, k: number, floor: number) {
    return this.#index.nearest(partition, vector, k, floor);
  }

  async answer({ id }: CacheEntry): Promise<CachedAnswer | undefined> {
    const held = this.#index.get(id);
    if (!held) return undefined;
    this.#index.touch(held);
    return decodeAnswer(this.#answers.get(held)!);
  }

  async put(made: NewEntry, answer: CachedAnswer): Promise<CacheEntry | undefined> {
    if (this.isFlushed(made)) return undefined;
    const bytes = encodeAnswer(answer);
    const stored = newEntry(made, bytes.length, this.#options);
    if (!stored) return undefined;
    const { held } = this.#index.add(stored.entry, stored.vector, this.#index.next());
    this.#answers.set(held, bytes);
    // What an entry takes in the index is stored here as well.
    const isWithin = ({ bytes, memory }: EntryIndex) => bytes + memory <= this.#options.maxBytes;
    this.#evicted += this.#index.shrink(isWithin, held).length;
    return held;
  }

  async alias({ id }: CacheEntry, key: string): Promise<boolean> {
    const held = this.#index.get(id);
    return held !== undefined && this.#index.alias(held, key);
  }

  async setThreshold({ id }: CacheEntry, threshold: number): Promise<boolean> {
    const held = this.#index.get(id);
    if (held) held.threshold = threshold;
    return held !== undefined;
  }

  async flush(scope: FlushScope): Promise<boolean> {
    this.#index.flush(scope, this.#index.next());
    setImmediate(() => void this.#index.sweep());
    return true;
  }

  isFlushed(made: Pick<NewEntry, 'askedAt' | 'tenant' | 'route' | 'tags'>): boolean {
    return this.#index.wasFlushedSince(made.askedAt, made);
  }

  stats() {
    const { size: entries, bytes, memory } = this.#index;
    return { entries, bytes: bytes + memory, maxBytes: this.#options.maxBytes, evicted: this.#evicted, isAway: false };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    this.#index.clear();
  }
}
