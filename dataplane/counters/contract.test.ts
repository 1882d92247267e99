// The contract of counters over both stores.
import { after, test } from 'node:test';
import type { Redis } from 'ioredis';
import { epochMillis } from '#core/units.ts';
import { connectRedis } from '#platform/redis.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { countersContract } from './contract.ts';
import { memoryCounters } from './memory.ts';
import { redisCounters } from './redis.ts';

countersContract('memory', async () => {
  let now = epochMillis(1_777_600_000_000);
  return {
    counters: memoryCounters({ now: () => now }),
    now: async () => now,
    wait: async ms => {
      now = epochMillis(now + ms);
    },
  };
});

if (withoutRedis) test('redis', { skip: withoutRedis });
else {
  const server = await startRedis();
  const silent = { warn: () => undefined, info: () => undefined };
  const link = connectRedis({ url: server.url, log: silent, commandTimeoutMs: 2000 });
  await until('the connection is up', () => link.state().kind === 'up');
  after(async () => {
    await link.close();
    await server.stop();
  });
  countersContract('redis', async () => {
    await server.client.flushall();
    return {
      counters: redisCounters({ link }),
      now: async () => Number((await server.client.time())[0]) * 1000,
      wait: ms => pass(server.client, ms),
    };
  });
}

/** Redis has a clock of its own: whole seconds pass by moving what is in the windows into the past, the rest by waiting. */
async function pass(client: Redis, ms: number): Promise<void> {
  const seconds = Math.floor(ms / 1000);
  for (const key of await client.keys('*:window:*')) {
    const fields = Object.entries(await client.hgetall(key));
    const moved = fields.map(([field, count]): [string, string] => {
      if (field === 'n') return [field, count];
      return field === 'f' ? [field, String(Number(count) - seconds)] : [String(Number(field) - seconds), count];
    });
    await client.del(key);
    await client.hset(key, Object.fromEntries(moved));
  }
  await new Promise(resolve => setTimeout(resolve, ms - 1000 * seconds));
}
