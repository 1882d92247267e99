import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Limits, nothing, type Report } from './lease.ts';
import { PodQuota, type Taken } from './pod-quota.ts';
import { Pool } from './testing.ts';

const START = 1_000_000;
/** A pool that has settled. */
const OLD = START - 10_000;

type Running = { taken: Taken; endsAt: number; uses: number };
type Passed = { at: number; counted: number };

/** A pod with those who wait in it, as the gate has them. */
class Pod {
  readonly quota: PodQuota;
  readonly waiting: { tokens: number; uses: number; lasts: number }[] = [];
  running: Running[] = [];
  readonly passed: Passed[] = [];
  #records = new Map<Taken, Passed>();
  inFlight: { report: Report; sentAt: number } | undefined;
  repliedAt: number;

  constructor(name: string, limits: Limits, now: number, pods: () => number) {
    this.repliedAt = now;
    this.quota = new PodQuota(name, limits, now, pods);
  }

  serve(now: number): void {
    while (this.waiting[0]) {
      const { tokens, uses, lasts } = this.waiting[0];
      const taken = this.quota.take(tokens, now);
      if (!taken) return;
      this.waiting.shift();
      const record = { at: now, counted: taken.tokens };
      this.passed.push(record);
      this.#records.set(taken, record);
      this.running.push({ taken, uses: Math.min(uses, taken.tokens), endsAt: now + lasts });
    }
  }

  end(now: number): void {
    for (const { taken, uses } of this.running.filter(one => one.endsAt <= now)) {
      this.quota.leave(taken, uses, now);
      this.#records.get(taken)!.counted = uses;
    }
    this.running = this.running.filter(one => one.endsAt > now);
    this.serve(now);
  }

  send(now: number): void {
    const tokens = this.waiting.reduce((sum, one) => sum + one.tokens, 0);
    this.inFlight = { report: this.quota.report({ count: this.waiting.length, tokens }, now), sentAt: now };
  }

  receive(pool: Pool, now: number): void {
    const { report, sentAt } = this.inFlight!;
    this.inFlight = undefined;
    this.repliedAt = sentAt;
    this.quota.replied(pool.sync(report, now), sentAt, now);
    this.serve(now);
    this.quota.giveBack();
  }
}

function fleet(count: number, limits: Limits): { pods: Pod[]; pool: Pool } {
  const pool = new Pool();
  pool.born = OLD;
  return { pool, pods: Array.from({ length: count }, (_, i) => new Pod(`pod-${i}`, limits, START, () => count)) };
}

function assertWithin(limits: Limits, pods: readonly Pod[], now: number): void {
  const passed = pods.flatMap(pod => pod.passed).filter(({ at }) => at > now - 60_000);
  const busy = pods.reduce((sum, pod) => sum + pod.running.length, 0);
  const tokens = passed.reduce((sum, one) => sum + one.counted, 0);
  assert.ok(busy <= (limits.slots ?? Number.POSITIVE_INFINITY), `${busy} at the same time`);
  assert.ok(passed.length <= (limits.requests ?? Number.POSITIVE_INFINITY), `${passed.length} requests in 60 s`);
  assert.ok(tokens <= (limits.tokens ?? Number.POSITIVE_INFINITY), `${tokens} tokens in 60 s`);
}

describe('the pods of a fleet together', () => {
  const limit = (max: number) => fc.option(fc.integer({ min: 1, max }), { nil: undefined });
  const limitsArbitrary = fc.record({ slots: limit(12), requests: limit(40), tokens: limit(4_000) });
  const step = fc.record({
    after: fc.oneof(fc.integer({ min: 0, max: 120 }), fc.integer({ min: 0, max: 2_000 })),
    pod: fc.nat(2),
    what: fc.constantFrom('arrive', 'arrive', 'send', 'receive', 'receive', 'lose', 'lose after'),
    tokens: fc.integer({ min: 1, max: 900 }),
    uses: fc.integer({ min: 0, max: 900 }),
    lasts: fc.integer({ min: 0, max: 4_000 }),
  });

  test('never let more through than the limits, whatever arrives where, and whichever reports or replies are lost', () => {
    fc.assert(
      fc.property(limitsArbitrary, fc.array(step, { maxLength: 150 }), (given, steps) => {
        const limits = JSON.parse(JSON.stringify(given)) as Limits;
        const { pods, pool } = fleet(3, limits);
        let now = START;
        for (const { after, pod: index, what, tokens, uses, lasts } of steps) {
          // Nobody stays away for as long as a lease: what holds then is another test.
          const until = now + after;
          while (now < until) {
            now = Math.min(until, now + 500);
            for (const pod of pods) {
              pod.end(now);
              if (now - pod.repliedAt < 1_500) continue;
              if (!pod.inFlight) pod.send(now);
              pod.receive(pool, now);
            }
          }
          const pod = pods[index]!;
          pod.end(now);
          if (what === 'arrive') pod.waiting.push({ tokens, uses, lasts });
          if (what === 'arrive') pod.serve(now);
          if (what === 'send' && !pod.inFlight) pod.send(now);
          if (what === 'receive' && pod.inFlight) pod.receive(pool, now);
          if (what === 'lose after' && pod.inFlight) pool.sync(pod.inFlight.report, now);
          if (what.startsWith('lose')) pod.inFlight = undefined;
          assertWithin(limits, pods, now);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('serve all that the limits allow: what one pod holds idle comes to the pod that needs it', () => {
    const amount = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(amount, fc.array(fc.nat(2), { minLength: 1, maxLength: 80 }), fc.nat(200), (requests, arrivals, gap) => {
        const { pods, pool } = fleet(3, { requests });
        let now = START;
        for (const at of arrivals) {
          now += gap;
          pods[at]!.waiting.push({ tokens: 1, uses: 1, lasts: 1 });
          pods[at]!.serve(now);
          if (gap > 90) round(pods, pool, now);
        }
        for (let later = 100; later <= 600; later += 100) round(pods, pool, now + later);
        const served = pods.reduce((sum, pod) => sum + pod.passed.length, 0);
        assert.equal(served, Math.min(requests, arrivals.length));
      }),
      { numRuns: 200 },
    );
  });

  test('take turns on a single slot: none of them waits for ever', () => {
    const { pods, pool } = fleet(3, { slots: 1 });
    for (const pod of pods) pod.waiting.push(...Array.from({ length: 40 }, () => ({ tokens: 1, uses: 1, lasts: 50 })));
    for (let now = START; now < START + 20_000; now += 100) {
      for (const pod of pods) pod.end(now);
      round(pods, pool, now);
      assertWithin({ slots: 1 }, pods, now);
    }
    const served = pods.map(pod => pod.passed.length);
    assert.ok(Math.min(...served) > 0.8 * Math.max(...served), `${served}`);
    assert.ok(Math.min(...served) > 12, `${served}`);
  });

  test('cannot lock each other out, one with the slot and one with the tokens', () => {
    const { pods, pool } = fleet(2, { slots: 1, tokens: 1_000 });
    for (const pod of pods) pod.waiting.push(...Array.from({ length: 4 }, () => ({ tokens: 900, uses: 100, lasts: 50 })));
    for (let now = START; now < START + 10_000; now += 100) {
      for (const pod of pods) pod.end(now);
      round(pods, pool, now);
    }
    // 900 + 8 x 100 does not fit into 1,000; the third does: 2 x 100 used and 800 left is too little for 900.
    assert.equal(pods[0]!.passed.length + pods[1]!.passed.length, 2);
  });

  const round = (pods: readonly Pod[], pool: Pool, now: number) => {
    for (const pod of pods) {
      pod.end(now);
      pod.send(now);
      pod.receive(pool, now);
    }
  };
});

describe('a pod', () => {
  test('lets nothing wait for an answer once it holds a block for the demand it has seen', () => {
    const { pods, pool } = fleet(1, { requests: 6_000 });
    const pod = pods[0]!;
    let waited = 0;
    for (let now = START; now < START + 10_000; now += 10) {
      pod.waiting.push({ tokens: 1, uses: 1, lasts: 5 });
      pod.serve(now);
      if (pod.waiting.length > 0 && now > START + 1_000) waited++;
      if (now % 250 === 0) {
        pod.send(now);
        pod.receive(pool, now);
      }
    }
    assert.equal(waited, 0);
    assert.equal(pod.passed.length, 1_000);
  });

  test('gives back what its demand no longer asks for', () => {
    const { pods, pool } = fleet(2, { requests: 100 });
    const [busy, other] = pods as [Pod, Pod];
    busy.waiting.push(...Array.from({ length: 20 }, () => ({ tokens: 1, uses: 1, lasts: 1 })));
    for (let now = START; now < START + 4_000; now += 250) {
      for (const pod of pods) {
        pod.end(now);
        pod.send(now);
        pod.receive(pool, now);
      }
    }
    other.waiting.push(...Array.from({ length: 80 }, () => ({ tokens: 1, uses: 1, lasts: 1 })));
    other.send(START + 4_000);
    other.receive(pool, START + 4_000);
    assert.equal(other.passed.length, 80);
  });

  test('that dies leaves its slots after the lease, and what it held of the windows counts as used', () => {
    const { pods, pool } = fleet(2, { slots: 4, requests: 10 });
    const [dies, lives] = pods as [Pod, Pod];
    dies.waiting.push(...Array.from({ length: 4 }, () => ({ tokens: 1, uses: 1, lasts: 1e9 })));
    dies.send(START);
    dies.receive(pool, START);
    assert.equal(dies.passed.length, 4);
    lives.waiting.push(...Array.from({ length: 10 }, () => ({ tokens: 1, uses: 1, lasts: 0 })));
    const at = (now: number) => {
      lives.end(now);
      lives.send(now);
      lives.receive(pool, now);
      return lives.passed.length;
    };
    assert.equal(at(START + 2_900), 0);
    assert.equal(at(START + 3_000), 4);
    for (let now = START + 3_100; now < START + 5_000; now += 100) at(now);
    assert.equal(lives.passed.length, 6);
  });

  test('has an equal share of each limit while the pool is away, at least 1, and no more than the window leaves', () => {
    const quota = new PodQuota('a', { requests: 10 }, START, () => 3);
    quota.poolAway();
    const passes = [0, 0, 0, 0].map(() => quota.take(1, START) !== undefined);
    assert.deepEqual(passes, [true, true, true, false]);
    assert.equal(quota.isExhausted(START), true);
    assert.equal(quota.roomIn(1, START), 61_000);
    assert.ok(quota.take(1, START + 61_000));
    const small = new PodQuota('a', { slots: 1 }, START, () => 3);
    small.poolAway();
    assert.ok(small.take(1, START));
    assert.equal(small.take(1, START), undefined);
  });

  test('alone in the world has all of each limit, and gets back the tokens that a request did not use', () => {
    const quota = new PodQuota('a', { tokens: 1_000 }, START);
    const taken = quota.take(800, START)!;
    assert.equal(quota.take(300, START), undefined);
    quota.leave(taken, 100, START + 500);
    assert.ok(quota.take(900, START + 600));
    assert.equal(quota.take(1, START + 600), undefined);
  });

  test('lets a request that may be larger than the limit take all of it, and counts what it used beyond that', () => {
    const quota = new PodQuota('a', { tokens: 1_000 }, START);
    const taken = quota.take(50_000, START)!;
    assert.equal(quota.take(1, START), undefined);
    quota.leave(taken, 1_500, START + 10_000);
    assert.equal(quota.take(600, START + 61_000), undefined);
    assert.ok(quota.take(500, START + 61_000));
  });

  test('knows the larger share of the limits that is used: by itself alone, of its own share without the pool, by all with it', () => {
    const alone = new PodQuota('a', { requests: 10, tokens: 1_000, slots: 1 }, START);
    assert.equal(alone.usedShare(START), 0);
    alone.take(700, START);
    assert.equal(alone.usedShare(START), 0.7);
    assert.equal(alone.usedShare(START + 62_000), 0);
    assert.equal(new PodQuota('a', { slots: 1 }, START).usedShare(START), undefined);
    const away = new PodQuota('a', { requests: 10 }, START, () => 2);
    away.poolAway();
    away.take(1, START);
    assert.equal(away.usedShare(START), 0.2);
    const { pods, pool } = fleet(2, { requests: 100 });
    const [a, b] = [pods[0]!.quota, pods[1]!.quota];
    const sync = (quota: PodQuota, now: number) =>
      quota.replied(pool.sync(quota.report({ count: 20, tokens: 0 }, now), now), now, now);
    sync(a, START);
    for (let i = 0; i < 20; i++) assert.ok(a.take(0, START));
    assert.equal(a.usedShare(START), 0.2, 'what is not told yet counts');
    sync(a, START);
    sync(b, START);
    assert.deepEqual([a.usedShare(START), b.usedShare(START)], [0.2, 0.2]);
  });

  test('tells a pool that lost everything what it used in the last minute', () => {
    const { pods, pool } = fleet(1, { requests: 10 });
    const pod = pods[0]!;
    pod.waiting.push(...Array.from({ length: 7 }, () => ({ tokens: 1, uses: 1, lasts: 1 })));
    pod.send(START);
    pod.receive(pool, START);
    const emptied = new Pool();
    for (const now of [START + 250, START + 500, START + 900]) {
      pod.waiting.push(...Array.from({ length: 4 }, () => ({ tokens: 1, uses: 1, lasts: 1 })));
      pod.send(now);
      pod.receive(emptied, now);
    }
    assert.equal(pod.passed.length, 10);
  });

  test('that reports a limit it does not have holds nothing of it', () => {
    const quota = new PodQuota('a', { slots: 5 }, START, () => 1);
    const report = quota.report({ count: 2, tokens: 50 }, START);
    assert.deepEqual(report.need, { ...nothing, slots: 2 });
    assert.deepEqual(report.hold, nothing);
  });
});
