// Two processes on one replica, by way of a real Redis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { Replicas } from './replicas.ts';
import { sharedReplicas } from './shared-replicas.ts';

let redis: TestRedis;
const links: RedisLink[] = [];
before(async () => {
  if (!withoutRedis) redis = await startRedis();
});
after(async () => {
  for (const link of links) await link.close();
  await redis?.stop();
});

function join(pod: string) {
  const link = connectRedis({ url: redis.url, log: { warn() {}, info() {} } });
  links.push(link);
  const shared = sharedReplicas(link, pod);
  const replicas = new Replicas(
    () => performance.now(),
    endpoint => shared.others(endpoint),
  );
  shared.share(replicas);
  return { shared, replicas };
}

test('each hears what the other has in flight, until it has nothing any more', { skip: withoutRedis }, async () => {
  const [a, b] = [join('a'), join('b')];
  const engine = 'http://10.0.0.5:8000';
  const own = a.replicas.enter(engine);
  const theirs = [b.replicas.enter(engine), b.replicas.enter(engine)];
  await until('a hears of two', async () => a.shared.others(engine) === 2);
  await until('b hears of one', async () => b.shared.others(engine) === 1);
  assert.equal(a.shared.others('http://10.0.0.6:8000'), 0);
  for (const stay of theirs) stay.leave();
  await until('a hears that they left', async () => a.shared.others(engine) === 0);
  own.leave();
  for (const { shared } of [a, b]) shared.close();
});

test('what two processes use of a busy replica adds up to its time', { skip: withoutRedis }, async () => {
  const [a, b] = [join('c'), join('d')];
  const engine = 'http://10.0.0.7:8000';
  // Both are in flight and known to each other before the time that is measured.
  const first = [a.replicas.enter(engine), b.replicas.enter(engine)];
  await until('each knows the other', async () => a.shared.others(engine) === 1 && b.shared.others(engine) === 1);
  const from = performance.now();
  const measured = [a.replicas.enter(engine), b.replicas.enter(engine)];
  await until('each knows of both', async () => a.shared.others(engine) === 2 && b.shared.others(engine) === 2);
  await until('a second has passed', async () => performance.now() - from > 1_000);
  const seconds = measured.map(stay => stay.leave()).reduce((sum, n) => sum + n, 0);
  const time = (performance.now() - from) / 1000;
  // Four in flight: half of the time is theirs. News takes a moment.
  assert.ok(seconds > time * 0.35 && seconds < time * 0.75, `${seconds} of ${time}`);
  for (const stay of first) stay.leave();
  for (const { shared } of [a, b]) shared.close();
});
