// The contract of the cache over both stores.
import { after, test } from 'node:test';
import type { EpochMillis } from '#core/units.ts';
import { connectRedis } from '#platform/redis.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { cacheContract, MAX_BYTES } from './contract.ts';
import { memoryCache } from './memory.ts';
import { redisCache } from './redis.ts';

/** Starts at the time of the machine: Redis counts lives by its own. */
function clock() {
  let ahead = 0;
  const started = Date.now();
  const now = () => (started + ahead) as EpochMillis;
  const pass = (ms: number) => {
    ahead += ms;
  };
  return { now, pass };
}

cacheContract('memory', async () => {
  const { now, pass } = clock();
  return { store: memoryCache({ maxBytes: MAX_BYTES, now }), now, pass };
});

if (withoutRedis) test('redis', { skip: withoutRedis });
else {
  const server = await startRedis();
  const log = { warn: () => undefined, info: () => undefined };
  const connect = () => connectRedis({ url: server.url, log, commandTimeoutMs: 2000 });
  const link = connect();
  await until('the connection is up', () => link.state().kind === 'up');
  after(async () => {
    await link.close();
    await server.stop();
  });
  cacheContract('redis', async () => {
    await server.client.flushall();
    const { now, pass } = clock();
    const store = redisCache({ link, reader: connect(), maxBytes: MAX_BYTES, maxIndexBytes: 64 * MAX_BYTES, now });
    await until('the log is read', () => !store.stats().isAway);
    return { store, now, pass };
  });
}
