// The cache of this process: in Redis where there is one, else in memory. Opened when a route first has a cache, so that who has none pays
// for none.
import type { Log } from '#platform/log.ts';
import type { RedisLink } from '#platform/redis.ts';
import { memoryCache } from './memory.ts';
import { type Flights, singleFlight } from './single-flight.ts';
import type { CacheStore, CacheStoreOptions } from './store.ts';

export type CacheParts = CacheStoreOptions & {
  /** Absent: this process is the only one. */
  readonly redis?: { readonly url: string; readonly timeoutMs: number; readonly link: RedisLink };
  /** What the index takes at most in this process, about; without Redis it counts in `maxBytes`. */
  readonly maxIndexBytes: number;
  readonly log: Log;
};

export type Cache = { readonly store: CacheStore; readonly flights: Flights };

export async function openCache({ redis, log, ...options }: CacheParts): Promise<Cache> {
  if (!redis) return { store: memoryCache(options), flights: singleFlight() };
  const [{ connectRedis }, { redisCache }, { redisLocks }] = await Promise.all([
    import('#platform/redis.ts'),
    import('./redis.ts'),
    import('./locks.ts'),
  ]);
  const { link, url, timeoutMs } = redis;
  const flights = singleFlight(redisLocks(link));
  const reader = connectRedis({ url, commandTimeoutMs: timeoutMs, log });
  const store = redisCache({ ...options, link, reader, onAdded: entry => flights.stored(entry) });
  return { store, flights };
}
