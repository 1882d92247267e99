import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { Report } from '#core/quota/lease.ts';
import { Pool } from '#core/quota/testing.ts';
import type { ProviderEntry } from '#core/snapshot/snapshot.ts';
import { millis } from '#core/units.ts';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { ProviderGate } from './gate.ts';
import { redisPool } from './pool.ts';

describe('the pool in Redis', { skip: withoutRedis }, () => {
  let server: TestRedis;
  const links: RedisLink[] = [];
  const link = async () => {
    const made = connectRedis({ url: server.url, log: { warn() {}, info() {} } });
    links.push(made);
    await until('redis answers', async () => made.state().kind === 'up', 5_000);
    return made;
  };

  before(async () => {
    server = await startRedis();
    await link();
  });
  after(async () => {
    for (const made of links) await made.close();
    await server.stop();
  });

  test('grants what its specification grants, report by report', async () => {
    const redis = links[0]!;
    const amounts = fc.record({ slots: fc.nat(6), requests: fc.nat(20), tokens: fc.nat(900) });
    const limit = fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined });
    const reports = fc.array(
      fc.record({
        after: fc.oneof(fc.nat(400), fc.nat(70_000)),
        pod: fc.constantFrom('a', 'b', 'c'),
        repeats: fc.boolean(),
        stranger: fc.nat(12),
        hold: amounts,
        busy: fc.nat(3),
        used: amounts,
        refund: fc.nat(300),
        ago: fc.nat(3),
        passed: fc.nat(2),
        need: amounts,
        more: amounts,
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(fc.record({ slots: limit, requests: limit, tokens: limit }), reports, async (given, steps) => {
        const limits = JSON.parse(JSON.stringify(given));
        const id = `n/${randomUUID()}`;
        const specified = new Pool();
        let now = 1_000_000;
        const pool = redisPool(redis, () => now);
        const seqs = new Map<string, number>();
        for (const step of steps) {
          now += step.after;
          const seq = (seqs.get(step.pod) ?? 0) + (step.repeats ? 0 : 1);
          seqs.set(step.pod, seq);
          const report: Report = {
            pod: step.pod,
            seq,
            born: step.stranger === 0 ? 5 : step.stranger === 1 ? specified.born : 0,
            limits,
            hold: { ...step.hold, slots: step.hold.slots + step.busy },
            busy: step.busy,
            used: step.used,
            refunds: { [Math.floor(now / 1000) - step.ago]: step.refund },
            passed: step.passed,
            need: step.need,
            want: {
              slots: step.need.slots + step.more.slots,
              requests: step.need.requests + step.more.requests,
              tokens: step.need.tokens + step.more.tokens,
            },
          };
          assert.deepEqual(await pool.sync(id, report), specified.sync(report, now));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('shares rpm exactly among processes: 100 of 130 pass, with no queue', async () => {
    const limits = { rpm: 100, maxQueue: 0, queueTimeout: millis(5_000) };
    const provider = { id: `n/${randomUUID()}`, limits } as ProviderEntry;
    const gates = [];
    for (const pod of ['a', 'b'])
      gates.push(new ProviderGate({ pod, pods: () => 2, monotonic: () => performance.now(), pool: redisPool(await link()) }));
    const outcomes = [];
    for (let i = 0; i < 130; i++) {
      const client = { gone: false, listener: undefined };
      outcomes.push(
        gates[i % 3 === 0 ? 1 : 0]!.enter({ provider, tokens: 0, priority: 0, client, deadline: Number.POSITIVE_INFINITY }),
      );
      if (i % 13 === 0) await sleep(20);
    }
    const passed = (await Promise.all(outcomes)).filter(outcome => outcome.ok);
    for (const gate of gates) gate.close();
    assert.equal(passed.length, 100);
  });

  test('that loses its data hears of the last minute again before it grants', async () => {
    const passed = async () => {
      const limits = { rpm: 20, maxQueue: 50, queueTimeout: millis(1_500) };
      const provider = { id: `n/${randomUUID()}`, limits } as ProviderEntry;
      const gates = ['a', 'b'].map(
        pod => new ProviderGate({ pod, pods: () => 2, monotonic: () => performance.now(), pool: redisPool(links[0]!) }),
      );
      const enter = (i: number) => {
        const client = { gone: false, listener: undefined };
        return gates[i % 2]!.enter({ provider, tokens: 0, priority: 0, client, deadline: Number.POSITIVE_INFINITY });
      };
      const before = await Promise.all(Array.from({ length: 14 }, (_, i) => enter(i)));
      await links[0]!.call(client => client.flushall());
      const later = await Promise.all(Array.from({ length: 14 }, (_, i) => enter(i)));
      for (const gate of gates) gate.close();
      return [...before, ...later].filter(outcome => outcome.ok).length;
    };
    // A pod that stands still for longer than the pool listens is not heard: not the pool's fault, and not three times in a row.
    await until('20 of 28 pass', async () => (await passed()) === 20, 10_000);
  });

  test('that hangs costs nobody more than a moment: each gate goes on with its share', async () => {
    const limits = { rpm: 40, maxQueue: 0, queueTimeout: millis(5_000) };
    const provider = { id: `n/${randomUUID()}`, limits } as ProviderEntry;
    // A process that started a while ago.
    let ago = 5_000;
    const gate = new ProviderGate({
      pod: 'a',
      pods: () => 2,
      monotonic: () => performance.now() - ago,
      pool: redisPool(links[0]!),
    });
    ago = 0;
    const enter = () => {
      const client = { gone: false, listener: undefined };
      return gate.enter({ provider, tokens: 0, priority: 0, client, deadline: Number.POSITIVE_INFINITY });
    };
    assert.ok((await enter()).ok);
    server.pause();
    let [passed, longest] = [0, 0];
    for (let i = 0; i < 40; i++) {
      const startedAt = performance.now();
      if ((await enter()).ok) passed++;
      longest = Math.max(longest, performance.now() - startedAt);
    }
    server.resume();
    gate.close();
    assert.equal(passed, 19);
    assert.ok(longest < 200, `${longest} ms`);
  });
});
