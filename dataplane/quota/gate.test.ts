import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Failure, type Parsed, statusOf } from '#core/failure.ts';
import type { Report } from '#core/quota/lease.ts';
import { Pool } from '#core/quota/testing.ts';
import type { ProviderEntry } from '#core/snapshot/snapshot.ts';
import { millis } from '#core/units.ts';
import type { ClientListener } from '../http/client-response.ts';
import type { Entrance, Pass } from '../ports.ts';
import { ProviderGate } from './gate.ts';
import type { QuotaPool } from './pool.ts';

type Limits = Omit<NonNullable<ProviderEntry['limits']>, 'queueTimeout'> & { queueTimeout?: number };

const gates: ProviderGate[] = [];
afterEach(() => {
  for (const gate of gates.splice(0)) gate.close();
});

function gateOf(name = 'pod', pool?: QuotaPool, pods = () => 2): ProviderGate {
  const gate = new ProviderGate({ pod: name, pods, monotonic: () => performance.now(), ...(pool && { pool }) });
  gates.push(gate);
  return gate;
}

/** A pool of another process, as far as a gate sees. */
function sharedPool(): QuotaPool {
  const pool = new Pool();
  pool.born = Math.floor(performance.now()) - 10_000;
  return { sync: async (_: string, report: Report) => pool.sync(report, performance.now()) };
}

const provider = ({ queueTimeout = 5_000, ...limits }: Limits): ProviderEntry =>
  ({ id: 'n/p', limits: { ...limits, queueTimeout: millis(queueTimeout) } }) as ProviderEntry;

const client = () => ({ gone: false, listener: undefined as ClientListener | undefined });

const entrance = (entry: ProviderEntry, more: Partial<Entrance> = {}): Entrance => ({
  provider: entry,
  tokens: 1,
  priority: 0,
  client: client(),
  deadline: Number.POSITIVE_INFINITY,
  ...more,
});

const passed = (outcome: Parsed<Pass>): Pass => {
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome.value;
};
const refused = (outcome: Parsed<Pass>): Failure => {
  assert.ok(!outcome.ok);
  return outcome.failure;
};

describe('the gate of a provider', () => {
  test('without limits is open, and costs no promise', () => {
    const open = gateOf().enter(entrance({ id: 'n/p' } as ProviderEntry));
    assert.ok(!(open instanceof Promise) && open.ok);
  });

  test('lets in as many as may be there at the same time, lets maxQueue wait, and refuses the next at once', async () => {
    const gate = gateOf();
    const one = provider({ maxConcurrency: 1, maxQueue: 2 });
    const first = passed(await gate.enter(entrance(one)));
    const waiting = [gate.enter(entrance(one)), gate.enter(entrance(one))];
    const failure = refused(await gate.enter(entrance(one)));
    assert.deepEqual([failure.class, statusOf(failure), failure.retryAfter], ['provider_limit_reached', 503, 1_000]);
    assert.deepEqual([...gate.waiting()], [['n/p', 2]]);
    first.leave();
    first.leave();
    const second = passed(await waiting[0]!);
    assert.equal(await Promise.race([waiting[1], sleep(20, 'waits')]), 'waits');
    second.leave();
    passed(await waiting[1]!);
  });

  test('lets the key of higher priority in first, and has it take the place of a lower one in a full line', async () => {
    const gate = gateOf();
    const one = provider({ maxConcurrency: 1, maxQueue: 2 });
    let held = passed(await gate.enter(entrance(one)));
    const order: string[] = [];
    const join = (name: string, priority: number) =>
      Promise.resolve(gate.enter(entrance(one, { priority }))).then(outcome => {
        order.push(outcome.ok ? name : `${name} refused`);
        if (outcome.ok) held = outcome.value;
      });
    const all = [join('low', 0), join('low, later', 0), join('high', 5)];
    await all[1];
    held.leave();
    await all[2];
    held.leave();
    await all[0];
    assert.deepEqual(order, ['low, later refused', 'high', 'low']);
  });

  test('refuses who has waited for queueTimeout, and nobody waits beyond the deadline of the request', async () => {
    const gate = gateOf();
    const one = provider({ maxConcurrency: 1, maxQueue: 9, queueTimeout: 60 });
    passed(await gate.enter(entrance(one)));
    const startedAt = performance.now();
    refused(await gate.enter(entrance(one)));
    assert.ok(performance.now() - startedAt > 50);
    refused(await gate.enter(entrance(one, { deadline: performance.now() + 10 })));
    assert.ok(performance.now() - startedAt < 115);
    assert.deepEqual([...gate.waiting()], [['n/p', 0]]);
  });

  test('forgets a client that leaves the line', async () => {
    const gate = gateOf();
    const one = provider({ maxConcurrency: 1, maxQueue: 1 });
    passed(await gate.enter(entrance(one)));
    const leaves = client();
    const outcome = gate.enter(entrance(one, { client: leaves }));
    leaves.listener!.clientLeft();
    assert.equal(refused(await outcome).class, 'client_closed');
    assert.deepEqual([...gate.waiting()], [['n/p', 0]]);
  });

  test('counts requests and tokens of the last minute, tells when there is room, and gives back unused tokens', async () => {
    const gate = gateOf();
    const rpm = provider({ rpm: 2, maxQueue: 0 });
    const passes = [passed(await gate.enter(entrance(rpm))), passed(await gate.enter(entrance(rpm)))];
    for (const pass of passes) pass.leave();
    const { retryAfter } = refused(await gate.enter(entrance(rpm)));
    assert.ok(retryAfter! > 59_000 && retryAfter! <= 61_000, `${retryAfter}`);
    const tpm = { ...provider({ tpm: 1_000, maxQueue: 0 }), id: 'n/q' };
    passed(await gate.enter(entrance(tpm, { tokens: 900 }))).leave(100);
    passed(await gate.enter(entrance(tpm, { tokens: 900 })));
    refused(await gate.enter(entrance(tpm, { tokens: 1 })));
  });
});

test('a gate tells the used share of a provider with limits per minute, and waits for nobody to do so', async () => {
  const gate = gateOf();
  const rpm = provider({ rpm: 4, maxQueue: 0 });
  assert.equal(gate.used(rpm), 0);
  passed(await gate.enter(entrance(rpm)));
  assert.equal(gate.used(rpm), 0.25);
  assert.equal(gate.used({ ...rpm, limits: { ...rpm.limits!, rpm: 2 } }), 0.5);
  assert.equal(gate.used(provider({ maxConcurrency: 1, maxQueue: 0 })), undefined);
});

describe('the gates of a fleet', () => {
  test('share a limit exactly, without a queue: 100 of 120 pass, wherever they arrive', async () => {
    const pool = sharedPool();
    const gate = [gateOf('a', pool), gateOf('b', pool), gateOf('c', pool)];
    const rpm = provider({ rpm: 100, maxQueue: 0 });
    const outcomes = [];
    for (let i = 0; i < 120; i++) {
      outcomes.push(gate[i % 7 < 4 ? 0 : i % 3]!.enter(entrance(rpm)));
      if (i % 10 === 0) await sleep(3);
    }
    const results = await Promise.all(outcomes);
    assert.equal(results.filter(outcome => outcome.ok).length, 100);
    for (const outcome of results) if (!outcome.ok) assert.ok(outcome.failure.retryAfter! > 50_000);
  });

  test('never let more in at the same time than the limit', async () => {
    const pool = sharedPool();
    const gate = [gateOf('a', pool), gateOf('b', pool)];
    const three = provider({ maxConcurrency: 3, maxQueue: 100 });
    let [busy, peak] = [0, 0];
    const work = async (i: number) => {
      const pass = passed(await gate[i % 2]!.enter(entrance(three)));
      peak = Math.max(peak, ++busy);
      await sleep(5);
      busy--;
      pass.leave();
    };
    await Promise.all(Array.from({ length: 60 }, (_, i) => work(i)));
    assert.equal(peak, 3);
  });

  test('take an equal share each while the pool is away, and wait for it once', async () => {
    const away: QuotaPool = { sync: () => Promise.reject(new Error('away')) };
    let now = 0;
    const gate = new ProviderGate({ pod: 'a', pods: () => 2, monotonic: () => now, pool: away });
    gates.push(gate);
    // Past the time in which a process is only just starting.
    now = 5_000;
    const rpm = provider({ rpm: 10, maxQueue: 0 });
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => gate.enter(entrance(rpm))));
    assert.equal(outcomes.filter(outcome => outcome.ok).length, 5);
    const next = gate.enter(entrance(rpm));
    assert.ok(!(next instanceof Promise) && !next.ok);
  });
});
