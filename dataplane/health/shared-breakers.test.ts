// Processes that learn of each other's outages, by way of a real Redis.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { failure } from '#core/failure.ts';
import { aCandidate } from '#core/plan/testing.ts';
import type { ProviderEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import { millis } from '#core/units.ts';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { Observations } from './observations.ts';
import { SharedBreakers } from './shared-breakers.ts';

const COOLDOWN = 600;
let redis: TestRedis;
const pods: Pod[] = [];
before(async () => {
  if (!withoutRedis) redis = await startRedis();
});
after(async () => redis?.stop());
beforeEach(async () => {
  if (!withoutRedis) await redis.client.flushall();
});
afterEach(async () => {
  for (const pod of pods.splice(0)) await pod.close();
});

const circuitBreaker: ProviderEntry['circuitBreaker'] = { ...aProvider('a').circuitBreaker, cooldown: millis(COOLDOWN) };
const provider = aProvider('a', { models: [aModel('m'), aModel('n')], circuitBreaker });
const [m, n] = provider.models.map(model => aCandidate('a', { provider, model })) as [
  ReturnType<typeof aCandidate>,
  ReturnType<typeof aCandidate>,
];
const snapshot: Snapshot = { schemaVersion: 1, providers: { [provider.id]: provider }, routes: [], keys: [], tenants: {} };

/** A process whose clock may be wrong. */
class Pod {
  readonly seen = new Observations({ snapshot: () => snapshot });
  readonly #skew: number;
  readonly #link: RedisLink;
  readonly #shared: SharedBreakers;

  constructor(name: string, skew = 0) {
    this.#skew = skew;
    this.#link = connectRedis({ url: redis.url, log: { warn() {}, info() {} } });
    this.#shared = new SharedBreakers(this.#link, name, this.seen, () => this.now());
    pods.push(this);
  }

  static async started(name: string, skew?: number): Promise<Pod> {
    const pod = new Pod(name, skew);
    await until('redis answers', async () => pod.#link.state().kind === 'up');
    return pod;
  }

  now(): number {
    return Date.now() + this.#skew;
  }

  /** Milliseconds that the target is out; 0: closed, or half-open. */
  openFor(candidate = m): number {
    return Math.max(0, this.seen.of(candidate, this.now()).openUntil - this.now());
  }

  isClosed(candidate = m): boolean {
    return this.seen.of(candidate, this.now()).openUntil === 0;
  }

  attempt(candidate = m, cls?: 'upstream_error' | 'upstream_quota_exhausted'): boolean {
    if (!this.seen.tryEnter(candidate, this.now())) return false;
    this.seen.began(candidate, 1, this.now()).ended({ ms: 1, ...(cls && { failure: failure(cls) }) }, this.now() + 1);
    return true;
  }

  breaks(): void {
    for (let i = 0; i < 5; i++) this.attempt(m, 'upstream_error');
  }

  async close(): Promise<void> {
    this.#shared.close();
    await this.#link.close();
  }
}

/** Both are past their start: what comes now is news to them. */
async function hearing(a: Pod, b: Pod): Promise<void> {
  a.breaks();
  await until('b hears', async () => b.openFor() > 0);
}

describe('breakers of several processes', { skip: withoutRedis }, () => {
  test('an outage that one of them finds is known to all, whatever their clocks say, and so is its end', async () => {
    const [a, b, c] = [await Pod.started('a'), await Pod.started('b', 90_000), await Pod.started('c', -90_000)];
    a.breaks();
    await until('b and c know', async () => b.openFor() > 0 && c.openFor() > 0);
    for (const other of [b, c]) {
      assert.ok(Math.abs(other.openFor() - a.openFor()) < 200, `${other.openFor()} and ${a.openFor()}`);
      assert.ok(other.isClosed(n));
    }
    await until('somebody may probe, and it works', async () => [a, b, c].some(pod => pod.openFor() === 0 && pod.attempt()));
    await until('all know', async () => [a, b, c].every(pod => pod.isClosed()));
  });

  test('a closed account stops all models in all of them, but a process that has just started tries for itself', async () => {
    const [a, b] = [await Pod.started('a'), await Pod.started('b')];
    await hearing(a, b);
    a.attempt(n, 'upstream_quota_exhausted');
    await until('b knows', async () => b.openFor(n) > 100_000);
    const late = await Pod.started('late');
    await until('the late one heard', async () => !late.isClosed(n));
    assert.equal(late.openFor(n), 0);
    assert.ok(late.attempt(n), 'and may try');
    await until('all know that it works', async () => a.isClosed(n) && b.isClosed(n));
  });

  test('the places of probes are given to few of those that are asked', async () => {
    const all = await Promise.all(['a', 'b', 'c', 'd'].map(name => Pod.started(name)));
    all[0]!.breaks();
    await until('all know', async () => all.every(pod => pod.openFor() > 0));
    const probing = new Set<Pod>();
    const since = Date.now();
    while (Date.now() - since < COOLDOWN + 400) {
      for (const pod of all) {
        // Its outcome is long in coming.
        if (pod.openFor() > 0 || !pod.seen.tryEnter(m, pod.now())) continue;
        pod.seen.began(m, 1, pod.now());
        probing.add(pod);
      }
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.equal(probing.size, 1);
  });

  test('without Redis each goes on by itself at once, and tells what it learnt when Redis is back', async () => {
    const [a, b] = [await Pod.started('a'), await Pod.started('b')];
    redis.pause();
    try {
      a.breaks();
      assert.ok(a.openFor() > 0);
      assert.ok(b.isClosed());
      await until('the cooldown is over', async () => a.openFor() === 0);
      assert.ok(a.attempt(m, 'upstream_error'), 'nobody else is asked');
    } finally {
      redis.resume();
    }
    await until('b knows', async () => b.openFor() > 0);
  });

  test('a Redis that has lost everything is told again', async () => {
    const [a, b] = [await Pod.started('a'), await Pod.started('b')];
    await hearing(a, b);
    a.attempt(n, 'upstream_quota_exhausted');
    await until('b knows', async () => b.openFor(n) > 0);
    await redis.client.flushall();
    await until('it is there again', async () => (await redis.client.hexists('tollgate:{health}:breakers', provider.id)) === 1);
  });
});
