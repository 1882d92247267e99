import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { millis } from '#core/units.ts';
import { connectRedis } from '#platform/redis.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { firstInRedis } from './first.ts';

test('of all processes the first to claim an event tells of it, until it is news again', { skip: withoutRedis }, async t => {
  const server = await startRedis();
  const redis = connectRedis({ url: server.url, log: { warn() {}, info() {} } });
  t.after(async () => {
    await redis.close();
    await server.stop();
  });
  await until('redis answers', async () => redis.state().kind === 'up', 5_000);
  const [one, other] = [firstInRedis(redis), firstInRedis(redis)];
  assert.deepEqual([await one('a', millis(60_000)), await other('a', millis(60_000))], [true, false]);
  assert.equal(await one('b', millis(20)), true);
  await sleep(40);
  assert.equal(await other('b', millis(20)), true);
  await server.stop();
  await assert.rejects(one('c', millis(20)));
});
