// Locks in Redis, each with the token of who holds it: taken for a few seconds, kept for as long as its process lives.
import { readFileSync } from 'node:fs';
import type { RedisLink } from '#platform/redis.ts';
import { runScript, scriptOf } from '#platform/redis-script.ts';
import { tenantPrefixes } from '../counters/tenant-keys.ts';

/** Who holds what is to be done once over all processes. Rejects while nobody can tell. */
export type Locks = {
  /** After that long the lock of a process that died is free. */
  readonly ttlMs: number;
  /** @returns whether nobody else has it */
  take(tenant: string, name: string, token: string): Promise<boolean>;
  keep(tenant: string, name: string, token: string): Promise<void>;
  giveBack(tenant: string, name: string, token: string): Promise<void>;
};

const TTL_MS = 3000;

export function redisLocks(link: RedisLink, ttlMs = TTL_MS): Locks {
  const prefixOf = tenantPrefixes();
  const script = scriptOf(readFileSync(new URL('./scripts/hold-1.lua', import.meta.url), 'utf8'));
  const keyOf = (tenant: string, name: string) => `${prefixOf(tenant)}cache:lock:${name}`;
  const hold = async (tenant: string, name: string, token: string, ms: number) => {
    await link.call(client => runScript(client, script, 1, [keyOf(tenant, name), token, String(ms)]));
  };
  return {
    ttlMs,
    async take(tenant, name, token) {
      return (await link.call(client => client.set(keyOf(tenant, name), token, 'PX', ttlMs, 'NX'))) === 'OK';
    },
    keep: (tenant, name, token) => hold(tenant, name, token, ttlMs),
    giveBack: (tenant, name, token) => hold(tenant, name, token, 0),
  };
}
