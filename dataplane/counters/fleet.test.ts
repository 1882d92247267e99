// Membership and loss of data, with several pods in one process and a real Redis.
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { type Fleet, joinFleet } from './fleet.ts';

const skip = withoutRedis;
const server = skip ? undefined : await startRedis();
const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing) await close();
  await server?.stop();
});
beforeEach(async () => {
  await server?.client.flushall();
});

const silent = { warn: () => undefined, info: () => undefined };

async function link(): Promise<RedisLink> {
  const made = connectRedis({ url: server!.url, log: silent, commandTimeoutMs: 500 });
  closing.unshift(() => made.close());
  await until('the connection is up', () => made.state().kind === 'up');
  return made;
}

type Pod = { fleet: Fleet; flushes: number; losses: string[]; blocked: Promise<void> | undefined };

async function pod(name: string, initialPods = 1): Promise<Pod> {
  const made: Pod = { fleet: undefined as never, flushes: 0, losses: [], blocked: undefined };
  made.fleet = joinFleet({
    link: await link(),
    pod: name,
    initialPods,
    beatEveryMs: 200,
    flushSpool: async () => {
      await made.blocked;
      made.flushes += 1;
    },
    onLoss: epoch => made.losses.push(epoch),
  });
  closing.unshift(() => made.fleet.close());
  return made;
}

test('pods count each other, and one that leaves is not counted', { skip }, async () => {
  const pods = await Promise.all(['a', 'b', 'c'].map(name => pod(name)));
  await until('all know of three', () => pods.every(p => p.fleet.readyPods() === 3));
  await pods[2]!.fleet.close();
  await until('both know of two', () => pods.slice(0, 2).every(p => p.fleet.readyPods() === 2));
  for (const { fleet } of pods) await fleet.close();
});

test('a fresh system that expects one pod may build its sums at once', { skip }, async () => {
  const started = performance.now();
  const { fleet, losses } = await pod('only');
  await until('it may', () => fleet.rebuildEpoch());
  assert.ok(performance.now() - started < 1000);
  assert.deepEqual(losses, [], 'nothing was lost');
  await fleet.close();
});

test('after FLUSHALL nothing is built before every pod has flushed its spool, and everything within 5 s', { skip }, async () => {
  const pods = await Promise.all(['a', 'b', 'c'].map(name => pod(name)));
  await until('all know of three', () => pods.every(p => p.fleet.readyPods() === 3));
  await until('steady', () => pods[0]!.fleet.rebuildEpoch());
  const before = pods.map(p => p.flushes);
  const { promise, resolve } = Promise.withResolvers<void>();
  pods[1]!.blocked = promise;
  await server!.client.flushall();
  const lost = performance.now();
  await until('the others have flushed', () => [0, 2].every(i => pods[i]!.flushes > before[i]!));
  await new Promise(done => setTimeout(done, 600));
  assert.equal(await pods[0]!.fleet.rebuildEpoch(), undefined, 'one pod still has rows in its spool');
  assert.equal(pods[0]!.fleet.readyPods(), 3, 'all are still there');
  resolve();
  await until('all may', async () => (await Promise.all(pods.map(p => p.fleet.rebuildEpoch()))).every(Boolean), 2000);
  assert.ok(performance.now() - lost < 5000);
  assert.deepEqual(
    pods.map(p => p.losses.length),
    [1, 1, 1],
  );
  for (const { fleet } of pods) await fleet.close();
});

test('sums that were made unknown just now are not rebuilt for an epoch that is older than that, however young it is', {
  skip,
}, async () => {
  const pods = await Promise.all(['a', 'b'].map(name => pod(name)));
  await until('steady', () => pods[0]!.fleet.rebuildEpoch());
  const epoch = await pods[0]!.fleet.rebuildEpoch();
  await pods[0]!.fleet.renew();
  assert.equal(await pods[1]!.fleet.rebuildEpoch(), epoch, 'others may have begun it for the same loss');
  await pods[0]!.fleet.renew('always');
  const later = await until('all have flushed again', async () => {
    const now = await pods[1]!.fleet.rebuildEpoch();
    return now !== epoch && now;
  });
  assert.notEqual(later, epoch);
  for (const { fleet } of pods) await fleet.close();
});

test('a loss that only one pod sees makes all of them flush, once', { skip }, async () => {
  const pods = await Promise.all(['a', 'b'].map(name => pod(name)));
  await until('steady', () => pods.every(p => p.fleet.readyPods() === 2));
  await until('the epoch is old enough to be renewed', async () => {
    await Promise.all(pods.map(p => p.fleet.renew()));
    return pods.every(p => p.losses.length > 0);
  });
  await until('steady again', () => pods[0]!.fleet.rebuildEpoch());
  assert.deepEqual(
    pods.map(p => p.losses.length),
    [1, 1],
  );
  for (const { fleet } of pods) await fleet.close();
});

test('a pod that dies without a word is waited for no longer than it takes to be dead', { skip }, async () => {
  const { fleet } = await pod('alive');
  await until('it may', () => fleet.rebuildEpoch());
  const now = Number((await server!.client.time())[0]) * 1000;
  await server!.client.zadd('tollgate:{fleet}:pods', now, 'dead');
  assert.equal(await fleet.rebuildEpoch(), undefined);
  await until('it may again', () => fleet.rebuildEpoch(), 3000);
  await fleet.close();
});
