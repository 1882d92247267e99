// The cache of answers with what it stands on: in Redis, where there is one, else in this process.
import type { Log } from '#platform/log.ts';
import type { RedisLink } from '#platform/redis.ts';
import type { Answers } from '../ports.ts';
import { AnswerCaches } from './answers.ts';
import type { Meaning } from './lookup.ts';
import { memoryCache } from './memory.ts';
import { singleFlight } from './single-flight.ts';
import type { CacheStore } from './store.ts';

export type CacheSettings = {
  readonly redisUrl?: string;
  /** What is kept at most, answers and entries together. */
  readonly cacheMaxBytes: number;
};

export type CacheParts = {
  /** The counters' connection; absent without Redis. */
  readonly redis: RedisLink | undefined;
  readonly meaning: Meaning;
  readonly log: Log;
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
  readonly now: () => number;
  readonly monotonic: () => number;
};

export type OpenCache = {
  readonly answers: Answers;
  readonly store: CacheStore;
  close(): Promise<void>;
};

/** The index of this process: about 400 bytes an entry with the built-in embedder. */
const MAX_INDEX_BYTES = 128 * 1024 * 1024;

export async function openCache({ redisUrl, cacheMaxBytes: maxBytes }: CacheSettings, parts: CacheParts): Promise<OpenCache> {
  const { redis: link, log, now } = parts;
  if (!link || redisUrl === undefined) {
    const flights = singleFlight();
    return opened(memoryCache({ maxBytes, now }), flights, parts);
  }
  // The client of Redis is 12 MiB: only who uses one loads it.
  const [{ connectRedis }, { redisCache }, { redisLocks }] = await Promise.all([
    import('#platform/redis.ts'),
    import('./redis.ts'),
    import('./locks.ts'),
  ]);
  const flights = singleFlight(redisLocks(link));
  const store = redisCache({
    link,
    reader: connectRedis({ url: redisUrl, log }),
    maxBytes,
    maxIndexBytes: MAX_INDEX_BYTES,
    now,
    onAdded: ({ partition, key }) => flights.stored(`${partition}:${key}`),
  });
  return opened(store, flights, parts);
}

function opened(store: CacheStore, flights: ReturnType<typeof singleFlight>, parts: CacheParts): OpenCache {
  return {
    store,
    answers: new AnswerCaches({ ...parts, store, flights }),
    async close() {
      flights.close();
      await store.close();
    },
  };
}
