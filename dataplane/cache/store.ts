// What the cache of answers keeps, and what every store of it promises. Looking up is a call, not a promise: the index is in the process;
// only answers are fetched. Nothing here ever rejects: a store that is away has nothing.
import type { ChatReply } from '#core/chat/reply.ts';
import type { EpochMillis, Millis, NanoUsd } from '#core/units.ts';

/** An answer that may be given again; itself apart (`answer`). */
export type CacheEntry = {
  readonly id: string;
  /** Digest of all that must be equal (`core/cache/partition.ts`): SHA-256, hex. */
  readonly partition: string;
  /** Digest of the last user turn: SHA-256, hex. Within a partition one entry has it. */
  readonly key: string;
  /** The last user turn, as guards read it. Empty: it is found by its key only. */
  readonly prompt: string;
  readonly tenant: string;
  /** Id of the route. */
  readonly route: string;
  /** As it was asked for. */
  readonly model: string;
  readonly tags: readonly string[];
  readonly createdAt: EpochMillis;
  /** Until then it serves; after it only as a stale one. */
  readonly freshUntil: EpochMillis;
  /** From then on nobody gets it. */
  readonly goneAt: EpochMillis;
  /** All that is stored of it, the answer included. */
  readonly bytes: number;
  readonly embedder: string;
  readonly guards: string;
  /** The similarity learnt for this entry, from which another prompt counts as the same. Absent: nothing is learnt yet. */
  readonly threshold?: number;
};

export type NewEntry = Pick<
  CacheEntry,
  'partition' | 'key' | 'prompt' | 'tenant' | 'route' | 'model' | 'tags' | 'embedder' | 'guards'
> & {
  /** Of `prompt`, of length 1; a partition has one dimension. Absent: it is found by its key only. */
  readonly vector?: Float32Array;
  /** When its request came: what is flushed after that is not stored. */
  readonly askedAt: EpochMillis;
  readonly ttl: Millis;
  /** How long after `ttl` it stays, as a stale one. */
  readonly staleFor: Millis;
};

/** What is served again: whole, and ended normally. */
export type CachedAnswer = {
  readonly reply: ChatReply;
  /** Who made it: id of the provider, public name of the model. */
  readonly provider: string;
  readonly model: string;
  /** What it cost; absent: its price is unknown. */
  readonly cost?: NanoUsd;
};

export type Neighbour = {
  readonly entry: CacheEntry;
  /** Cosine, off by less than 0.0015 in 99 of 100 pairs of prompts: vectors are kept in 8 bits. */
  readonly similarity: number;
};

/** Everything set must hold; `{}` is all there is. */
export type FlushScope = { readonly tenant?: string; readonly route?: string; readonly tag?: string };

export type CacheStore = {
  /** Fresh or stale. Being found, here or by `nearest` with `answer` asked for, keeps an entry from being the least recently used. */
  exact(partition: string, key: string): CacheEntry | undefined;
  /**
   * The nearest first; fresh or stale.
   *
   * @param floor least similarity
   */
  nearest(partition: string, vector: Float32Array, k: number, floor: number): readonly Neighbour[];
  /** undefined: it has just gone, or the store is away. */
  answer(entry: CacheEntry): Promise<CachedAnswer | undefined>;
  /** Takes the place of an entry with the same key. Found in this process at once. undefined: the store did not take it, it is too large, or has been flushed meanwhile. */
  put(entry: NewEntry, answer: CachedAnswer): Promise<CacheEntry | undefined>;
  /** From now on the entry is found by this key as well, unless another has it. @returns false: it has, the entry is gone, or the store is away */
  alias(entry: CacheEntry, key: string): Promise<boolean>;
  setThreshold(entry: CacheEntry, threshold: number): Promise<boolean>;
  /** Costs the same however much it is; what is stored goes in the background. @returns false: the store is away, and it did not happen */
  flush(scope: FlushScope): Promise<boolean>;
  /** It was asked for before a flush that covers it: whoever came after that must not get it. */
  isFlushed(made: Pick<NewEntry, 'askedAt' | 'tenant' | 'route' | 'tags'>): boolean;
  stats(): CacheStats;
  close(): Promise<void>;
};

export type CacheStoreOptions = {
  /** What is stored at most, answers and entries together; the least recently used goes. */
  readonly maxBytes: number;
  readonly now: () => number;
};

export type CacheStats = {
  readonly entries: number;
  /** Stored, of all entries together. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** Entries that went to make room, by this process. */
  readonly evicted: number;
  /** It has nothing until it is back. */
  readonly isAway: boolean;
};

/** One of many that ask the same goes upstream, over all processes; the others wait for what it stores. */
export type SingleFlight = {
  /**
   * @param flight what is the same: partition and key
   * @param patience how long to wait for another at most
   */
  enter(tenant: string, flight: string, patience: Millis): Promise<Turn>;
  /** Without waiting, to make a stale entry anew. undefined: somebody does it already. */
  tryLead(tenant: string, flight: string): Promise<Lead | undefined>;
  close(): void;
};

export type Turn =
  | { readonly kind: 'lead'; readonly lead: Lead }
  /** Another has stored an answer: look again. */
  | { readonly kind: 'stored' }
  /** Go upstream by yourself: the other has nothing that can be stored, or takes too long. */
  | { readonly kind: 'alone' };

/** To be ended or passed on however it goes; twice is once. A leader that dies is followed by another within seconds. */
export type Lead = {
  end(stored: boolean): void;
  /** Its client left before there was an answer: of those who wait one leads in its place. */
  passOn(): void;
};
