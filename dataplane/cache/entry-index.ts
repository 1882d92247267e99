// What a process knows of the entries of a cache: found by key, or by the nearest vector of a partition, without waiting. Bounded by its
// owner, who is told which entry has been unused for longest.
import type { EpochMillis } from '#core/units.ts';
import type { CacheEntry, FlushScope, Neighbour } from './store.ts';

export type Held = Omit<CacheEntry, 'threshold'> & {
  threshold?: number;
  /** Of `key`, and aliases. */
  readonly keys: string[];
  /** Its place in the order of all that happened; Infinity: nobody but this process knows it yet. */
  order: number;
  /** Its row in its partition; undefined: it has no vector. */
  row: number | undefined;
};

/** A direction. */
export type Components = Float32Array | Int8Array;

type Flush = {
  readonly scope: FlushScope;
  /** What came before it in the order of all that happened is flushed. */
  readonly order: number;
  readonly at: EpochMillis;
  isSwept: boolean;
};

/** Keys by which one entry is found; the oldest alias goes. */
const MAX_KEYS = 65;
/** Longer than any request takes: an answer that was asked for before a flush is not stored after it. */
const FLUSHES_KEPT_MS = 900_000;
const SWEEP_CHUNK = 1000;
/** About what an entry takes in the process besides its prompt, and a partition besides its matrix: objects, digests, places in maps; measured. */
const ENTRY_MEMORY = 700;
const PARTITION_MEMORY = 700;

export class EntryIndex {
  /** The least recently used first. */
  readonly #entries = new Map<string, Held>();
  readonly #partitions = new Map<string, Partition>();
  readonly #now: () => number;
  /** By scope: of two of the same the later covers the earlier. */
  readonly #flushes = new Map<string, Flush>();
  #unswept = 0;
  #order = 0;
  /** Of `bytes` of all entries. */
  bytes = 0;
  /** About what all of it takes in this process. */
  memory = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Held | undefined {
    return this.#entries.get(id);
  }

  /** The next place in the order of all that happens. */
  next(): number {
    this.#order += 1;
    return this.#order;
  }

  exact(partition: string, key: string): Held | undefined {
    const found = this.#partitions.get(partition)?.keys.get(key);
    if (!found || this.#isGone(found, this.#now())) return undefined;
    this.touch(found);
    return found;
  }

  nearest(partition: string, vector: Float32Array, k: number, floor: number): Neighbour[] {
    const known = this.#partitions.get(partition);
    if (!known) return [];
    const now = this.#now();
    return known.nearest(vector, k, floor, entry => !this.#isGone(entry, now));
  }

  /** As holder of the key, whatever else is there. */
  holder(partition: string, key: string): Held | undefined {
    const found = this.#partitions.get(partition)?.keys.get(key);
    return found?.key === key ? found : undefined;
  }

  /**
   * @param vector of any length but 0
   * @returns the entry whose place it takes
   */
  add(entry: CacheEntry, vector: Components | undefined, order: number): { held: Held; replaced: Held | undefined } {
    const known = this.#partitions.get(entry.partition);
    const before = known?.keys.get(entry.key);
    const replaced = before?.key === entry.key ? before : undefined;
    if (replaced) this.remove(replaced.id);
    const partition = known ?? new Partition();
    // The last entry of a partition takes it along.
    if (!known || replaced) this.#partitions.set(entry.partition, partition);
    const held = heldOf(entry, partition.first() ?? entry, order);
    this.#entries.set(held.id, held);
    this.memory -= partition.memory;
    partition.add(held, vector);
    this.memory += partition.memory + memoryOf(held);
    this.bytes += held.bytes;
    return { held, replaced };
  }

  touch(entry: Held): void {
    if (!this.#entries.delete(entry.id)) return;
    this.#entries.set(entry.id, entry);
  }

  /** @returns false: an entry has that key */
  alias(entry: Held, key: string): boolean {
    const { keys } = this.#partitions.get(entry.partition)!;
    const other = keys.get(key);
    if (other) return other === entry;
    keys.set(key, entry);
    entry.keys.push(key);
    if (entry.keys.length > MAX_KEYS) for (const oldest of entry.keys.splice(1, 1)) keys.delete(oldest);
    return true;
  }

  unalias(entry: Held, key: string): void {
    const at = entry.keys.indexOf(key);
    if (at < 1) return;
    entry.keys.splice(at, 1);
    this.#partitions.get(entry.partition)?.keys.delete(key);
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.bytes -= entry.bytes;
    const partition = this.#partitions.get(entry.partition)!;
    this.memory -= partition.memory + memoryOf(entry);
    partition.remove(entry);
    this.memory += partition.memory;
    if (partition.keys.size === 0) this.#partitions.delete(entry.partition);
  }

  /** Takes out the least recently used until all that is left, and what it takes in this process, are within bounds; but not the newest. */
  shrink(isWithin: (index: EntryIndex) => boolean, newest: Held): Held[] {
    const victims: Held[] = [];
    for (const entry of this.#entries.values()) {
      if (isWithin(this)) break;
      if (entry === newest) continue;
      this.remove(entry.id);
      victims.push(entry);
    }
    return victims;
  }

  /** From now on nobody finds what is in the scope and came before; it is still here until it is swept. */
  flush(scope: FlushScope, order: number): void {
    const name = JSON.stringify([scope.tenant, scope.route, scope.tag]);
    if (this.#flushes.get(name)?.isSwept !== false) this.#unswept += 1;
    this.#flushes.set(name, { scope, order, at: this.#now() as EpochMillis, isSwept: false });
  }

  wasFlushedSince(asked: EpochMillis, of: Pick<CacheEntry, 'tenant' | 'route' | 'tags'>): boolean {
    return this.#flushes.values().some(({ at, scope }) => at >= asked && covers(scope, of));
  }

  /** Takes out what nobody finds any more, a part at a time, so that requests go on meanwhile. */
  async sweep(): Promise<Held[]> {
    const flushes = [...this.#flushes].filter(([, flush]) => !flush.isSwept);
    const gone: Held[] = [];
    let seen = 0;
    for (const entry of this.#entries.values()) {
      if (this.#isGone(entry, this.#now())) {
        this.remove(entry.id);
        gone.push(entry);
      }
      seen += 1;
      if (seen % SWEEP_CHUNK === 0) await new Promise(setImmediate);
    }
    for (const [, flush] of flushes) flush.isSwept = true;
    for (const [name, { isSwept, at }] of this.#flushes)
      if (isSwept && this.#now() - at > FLUSHES_KEPT_MS) this.#flushes.delete(name);
    this.#unswept = this.#flushes.values().reduce((sum, { isSwept }) => sum + (isSwept ? 0 : 1), 0);
    return gone;
  }

  clear(): void {
    this.#entries.clear();
    this.#partitions.clear();
    this.bytes = 0;
    this.memory = 0;
  }

  entries(): Iterable<Held> {
    return this.#entries.values();
  }

  #isGone(entry: Held, now: number): boolean {
    if (entry.goneAt <= now) return true;
    if (this.#unswept === 0) return false;
    return this.#flushes.values().some(({ isSwept, order, scope }) => !isSwept && entry.order < order && covers(scope, entry));
  }
}

const memoryOf = ({ prompt }: Held): number => ENTRY_MEMORY + 2 * prompt.length;

/** Entries of a partition are alike in most of their texts, which are kept once. */
function heldOf(entry: CacheEntry, like: CacheEntry, order: number): Held {
  const { id, key, prompt, tags, createdAt, freshUntil, goneAt, bytes } = entry;
  const shared = (field: 'partition' | 'tenant' | 'route' | 'model' | 'embedder' | 'guards'): string =>
    like[field] === entry[field] ? like[field] : entry[field];
  return {
    id,
    partition: shared('partition'),
    key,
    prompt,
    tenant: shared('tenant'),
    route: shared('route'),
    model: shared('model'),
    tags,
    createdAt,
    freshUntil,
    goneAt,
    bytes,
    embedder: shared('embedder'),
    guards: shared('guards'),
    ...(entry.threshold !== undefined && { threshold: entry.threshold }),
    keys: [key],
    order,
    row: undefined,
  };
}

function covers({ tenant, route, tag }: FlushScope, entry: Pick<CacheEntry, 'tenant' | 'route' | 'tags'>): boolean {
  if (tenant !== undefined && tenant !== entry.tenant) return false;
  if (route !== undefined && route !== entry.route) return false;
  return tag === undefined || entry.tags.includes(tag);
}

/** Entries that may be compared: by key, and as rows of one matrix. */
class Partition {
  readonly keys = new Map<string, Held>();
  readonly #rows: Held[] = [];
  #matrix = new Float32Array(0);
  #dimension = 0;

  get memory(): number {
    return this.keys.size === 0 ? 0 : PARTITION_MEMORY + this.#matrix.byteLength;
  }

  first(): Held | undefined {
    return this.keys.values().next().value;
  }

  add(entry: Held, vector: Components | undefined): void {
    const before = this.keys.get(entry.key);
    // An alias gives way to an entry of its own.
    if (before) before.keys.splice(before.keys.indexOf(entry.key), 1);
    this.keys.set(entry.key, entry);
    if (!vector || vector.length === 0) return;
    if (this.#rows.length === 0) {
      this.#dimension = vector.length;
      this.#resize(ABREAST);
    }
    if (vector.length !== this.#dimension) return;
    const start = this.#rows.length * this.#dimension;
    if (start === this.#matrix.length) this.#resize(this.#rows.length * 2);
    writeUnit(vector, this.#matrix, start);
    entry.row = this.#rows.length;
    this.#rows.push(entry);
  }

  remove(entry: Held): void {
    for (const key of entry.keys) if (this.keys.get(key) === entry) this.keys.delete(key);
    const { row } = entry;
    if (row === undefined) return;
    entry.row = undefined;
    const last = this.#rows.pop()!;
    const dimension = this.#dimension;
    if (last !== entry) {
      this.#rows[row] = last;
      last.row = row;
      this.#matrix.copyWithin(row * dimension, this.#rows.length * dimension, (this.#rows.length + 1) * dimension);
    }
    const room = this.#matrix.length / dimension;
    if (room > ABREAST && this.#rows.length * 4 <= room) this.#resize(this.#rows.length * 2);
  }

  /** @param isAlive asked only of those near enough to be among the first */
  nearest(vector: Float32Array, k: number, floor: number, isAlive: (entry: Held) => boolean): Neighbour[] {
    if (vector.length !== this.#dimension) return [];
    const best: Neighbour[] = [];
    const similarities = new Float64Array(ABREAST);
    let least = floor;
    for (let first = 0; first < this.#rows.length; first += ABREAST) {
      compare(vector, this.#matrix, first * this.#dimension, similarities);
      for (let i = 0; i < ABREAST; i++) {
        const similarity = similarities[i]!;
        if (!(similarity >= least) || (similarity === least && best.length === k)) continue;
        const entry = this.#rows[first + i];
        if (!entry || !isAlive(entry)) continue;
        insert(best, { entry, similarity }, k);
        if (best.length === k) least = best[k - 1]!.similarity;
      }
    }
    return best;
  }

  #resize(rows: number): void {
    const matrix = new Float32Array(Math.ceil(rows / ABREAST) * ABREAST * this.#dimension);
    matrix.set(this.#matrix.subarray(0, this.#rows.length * this.#dimension));
    this.#matrix = matrix;
  }
}

/** Of length 1. */
function writeUnit(vector: Components, matrix: Float32Array, start: number): void {
  let squares = 0;
  for (let i = 0; i < vector.length; i++) squares += vector[i]! * vector[i]!;
  const factor = 1 / Math.sqrt(squares || 1);
  for (let i = 0; i < vector.length; i++) matrix[start + i] = vector[i]! * factor;
}

function insert(best: Neighbour[], found: Neighbour, k: number): void {
  let at = best.length;
  while (at > 0 && best[at - 1]!.similarity < found.similarity) at -= 1;
  best.splice(at, 0, found);
  if (best.length > k) best.pop();
}

/** Rows that are compared at once: each component of the vector is read once for all of them. Takes 0.6 times as long as row by row. */
const ABREAST = 4;

/** Dot products of `a` with the rows that begin at `start`. */
function compare(a: Float32Array, rows: Float32Array, start: number, products: Float64Array): void {
  const { length } = a;
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let i = 0, at = start; i < length; i++, at++) {
    const component = a[i]!;
    s0 += component * rows[at]!;
    s1 += component * rows[at + length]!;
    s2 += component * rows[at + 2 * length]!;
    s3 += component * rows[at + 3 * length]!;
  }
  products[0] = s0;
  products[1] = s1;
  products[2] = s2;
  products[3] = s3;
}
