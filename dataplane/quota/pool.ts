// The pool of a provider's quota, in Redis: one script a report, of its own for each provider.
import { readFileSync } from 'node:fs';
import { HUNGRY_MS, LEASE_MS, type Reply, type Report, SETTLE_MS, WINDOW_SECONDS } from '#core/quota/lease.ts';
import type { ObjectId } from '#core/snapshot/snapshot.ts';
import type { RedisLink } from '#platform/redis.ts';
import { runScript, scriptOf } from '#platform/redis-script.ts';

export type QuotaPool = {
  /** Rejects when the pool did not answer in time; what was reported may still happen. */
  sync(provider: ObjectId, report: Report): Promise<Reply>;
};

const TIMES = [LEASE_MS, SETTLE_MS, HUNGRY_MS, WINDOW_SECONDS].map(String);

/** @param now for tests: the pool's time in ms, instead of the server's */
export function redisPool(redis: RedisLink, now?: () => number): QuotaPool {
  const script = scriptOf(readFileSync(new URL('./scripts/lease-1.lua', import.meta.url), 'utf8'));
  return {
    async sync(provider, report) {
      const args = [JSON.stringify(report), ...TIMES, now ? String(now()) : ''];
      const reply = await redis.call(client => runScript(client, script, 1, [`tollgate:{provider:${provider}}:quota`, ...args]));
      return JSON.parse(String(reply)) as Reply;
    },
  };
}
