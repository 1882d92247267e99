// The cache in a cluster of Redis.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '#core/units.ts';
import { keep, p, startProcess, textIn } from '#test/support/cache-processes.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { digest } from './testing.ts';

test('a cluster is as good as one node', { skip: withoutRedis }, async () => {
  const server = await startRedis({ cluster: true });
  const url = server.url.replace('redis://', 'redis+cluster://');
  const [one, other] = [await startProcess(url), await startProcess(url)];
  try {
    for (const tenant of ['acme', 'globex', 'initech']) await keep(one, `of ${tenant}`, { tenant, ttl: millis(60_000) });
    await until('they are heard', () => other.store.stats().entries === 3);
    assert.equal(await textIn(other, 'of globex'), 'to of globex');
    await other.store.flush({ tenant: 'globex' });
    await until('the flush is heard', () => !one.store.exact(p, digest('of globex')));
    assert.equal(await textIn(one, 'of acme'), 'to of acme');
  } finally {
    await one.stop();
    await other.stop();
    await server.stop();
  }
});
