// What fallbacks cost in an hour: alone, and with others by way of a real Redis.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nanoUsd } from '#core/units.ts';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { HourlyFallbackSpend, redisSpendPool } from './fallback-spend.ts';

const HOUR = 3_600_000;
const budget = nanoUsd(1_000);
const route = 'ns/r';

describe('one process', () => {
  test('holds what a fallback is expected to cost, and corrects it by what it did cost', () => {
    const spend = new HourlyFallbackSpend(() => []);
    const held = spend.hold(route, budget, nanoUsd(700), 0);
    assert.ok(held);
    assert.equal(spend.hold(route, budget, nanoUsd(301), 0), undefined);
    held.settle(nanoUsd(100));
    held.settle(nanoUsd(100));
    assert.ok(spend.hold(route, budget, nanoUsd(900), 0));
    assert.equal(spend.hold(route, budget, nanoUsd(1), 0), undefined);
    assert.ok(spend.hold('ns/other', budget, nanoUsd(1_000), 0));
  });

  test('begins anew with the hour; what is settled later belongs to the hour it was held in', () => {
    const spend = new HourlyFallbackSpend(() => []);
    const held = spend.hold(route, budget, nanoUsd(1_000), HOUR - 1);
    assert.equal(spend.hold(route, budget, nanoUsd(1), HOUR - 1), undefined);
    assert.ok(spend.hold(route, budget, nanoUsd(999), HOUR));
    held!.settle(nanoUsd(5_000));
    assert.ok(spend.hold(route, budget, nanoUsd(1), HOUR));
  });

  test('forgets nothing where the clock is set back over the edge of an hour', () => {
    const spend = new HourlyFallbackSpend(() => []);
    assert.ok(spend.hold(route, budget, budget, HOUR + 1));
    assert.equal(spend.hold(route, budget, nanoUsd(1), HOUR - 1), undefined);
    assert.equal(spend.hold(route, budget, nanoUsd(1), HOUR + 2), undefined);
  });

  test('forgets routes that have no such budget any more', () => {
    const guarded = [route];
    const spend = new HourlyFallbackSpend(() => guarded);
    spend.hold(route, budget, budget, 0);
    spend.sweep();
    assert.equal(spend.hold(route, budget, budget, 0), undefined);
    guarded.pop();
    spend.sweep();
    assert.ok(spend.hold(route, budget, budget, 0));
  });
});

describe('several processes', { skip: withoutRedis }, () => {
  let redis: TestRedis;
  const links: RedisLink[] = [];
  const all: HourlyFallbackSpend[] = [];
  before(async () => {
    redis = await startRedis();
  });
  after(async () => {
    for (const spend of all) spend.close();
    for (const link of links) await link.close();
    await redis.stop();
  });

  /** In an hour that does not end while a test looks. */
  const now = () => 500_000 * HOUR + (performance.now() % HOUR);
  async function join(pod: string, routeId: string): Promise<HourlyFallbackSpend> {
    const link = connectRedis({ url: redis.url, log: { warn() {}, info() {} } });
    links.push(link);
    await until('redis answers', async () => link.state().kind === 'up');
    const spend = new HourlyFallbackSpend(() => [routeId], redisSpendPool(link, pod));
    all.push(spend);
    spend.share(now);
    return spend;
  }

  /** Looks, and takes nothing. */
  function fits(spend: HourlyFallbackSpend, routeId: string, amount: number): boolean {
    const held = spend.hold(routeId, budget, nanoUsd(amount), now());
    held?.settle(nanoUsd(0));
    return held !== undefined;
  }

  test('what one holds or spends is taken from all, and what it gives back is there for all', async () => {
    const [a, b] = [await join('a', 'ns/1'), await join('b', 'ns/1')];
    const held = a.hold('ns/1', budget, nanoUsd(800), now());
    await until('b knows', async () => !fits(b, 'ns/1', 300));
    assert.ok(b.hold('ns/1', budget, nanoUsd(200), now()));
    await until('a knows of the rest', async () => !fits(a, 'ns/1', 1));
    held!.settle(nanoUsd(300));
    await until('b has room', async () => b.hold('ns/1', budget, nanoUsd(400), now()) !== undefined);
  });

  test('a process that starts knows what was spent before it is asked; one that died still counts', async () => {
    const dead = await join('dead', 'ns/2');
    dead.hold('ns/2', budget, nanoUsd(900), now());
    await until('it was told', async () => (await redis.client.hget(`tollgate:{fallbacks:ns/2}:500000`, 'dead')) === '900');
    dead.close();
    const late = await join('late', 'ns/2');
    await until('it has heard', async () => !fits(late, 'ns/2', 101));
  });

  test('while Redis is away, what was last known of the others stands', async () => {
    const [a, b] = [await join('e', 'ns/3'), await join('f', 'ns/3')];
    a.hold('ns/3', budget, nanoUsd(800), now());
    await until('b knows', async () => !fits(b, 'ns/3', 201));
    redis.pause();
    try {
      assert.ok(!fits(b, 'ns/3', 201));
      assert.ok(b.hold('ns/3', budget, nanoUsd(200), now()));
    } finally {
      redis.resume();
    }
  });
});
