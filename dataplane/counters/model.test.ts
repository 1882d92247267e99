// Random histories of several clients against both stores and against a model so small that it is plainly right. Steps of one history
// are told apart by the client only: each step's answer must be the model's, so a refusal that is false shows, and so does a leak.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { epochMillis, nanoUsd } from '#core/units.ts';
import { connectRedis } from '#platform/redis.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';
import { budget, callerOf, slots } from './contract/caller.ts';
import type { Counters } from './counters.ts';
import { memoryCounters } from './memory.ts';
import { redisCounters } from './redis.ts';

const AMOUNT = 100;
const SLOTS = 3;
const accounts = [budget(AMOUNT, { account: 'key' }), budget(AMOUNT + 40, { account: 'tenant' })];
const limits = [slots(SLOTS)];

type Step =
  | { readonly do: 'reserve' | 'extend' | 'settle'; readonly client: number; readonly request: number; readonly cost: number }
  | { readonly do: 'know'; readonly client: number; readonly account: number };

/** Requests by what they hold. */
class Model {
  readonly open = new Map<number, number>();
  readonly over = new Set<number>();
  readonly known = new Set<number>();
  settled = 0;

  get reserved(): number {
    return [...this.open.values()].reduce((sum, cost) => sum + cost, 0);
  }

  get isKnown(): boolean {
    return this.known.size === accounts.length;
  }

  fits(more: number): boolean {
    return this.settled + this.reserved + more <= AMOUNT;
  }

  answer(step: Step): string {
    if (step.do === 'know') {
      this.known.add(step.account);
      return 'done';
    }
    return this[step.do](step.request, step.cost);
  }

  reserve(request: number, cost: number): string {
    const isCounted = this.open.has(request) || this.over.has(request);
    if (!isCounted && this.open.size >= SLOTS) return 'limited';
    if (!this.isKnown) return 'unknown';
    if (isCounted) return 'granted';
    if (!this.fits(cost)) return 'exhausted';
    this.open.set(request, cost);
    return 'granted';
  }

  extend(request: number, cost: number): string {
    const held = this.open.get(request);
    if (held === undefined) return 'lost';
    if (cost > 0 && !this.fits(cost)) return 'exhausted';
    this.open.set(request, held + cost);
    return 'granted';
  }

  /** Never more than is reserved: what exceeds it is another test's matter. */
  settle(request: number, cost: number): string {
    if (this.over.has(request)) return 'repeated';
    if (!this.isKnown) return 'unknown';
    this.settled += Math.min(cost, this.open.get(request) ?? 0);
    this.open.delete(request);
    this.over.add(request);
    return 'settled';
  }
}

const step = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constantFrom('reserve', 'extend', 'settle'),
      client: fc.nat(2),
      request: fc.nat(11),
      cost: fc.nat(45),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('know'), client: fc.nat(2), account: fc.nat(1) }) },
) as fc.Arbitrary<Step>;

async function replay(clients: readonly Counters[], tenant: string, steps: readonly Step[]): Promise<void> {
  const callers = clients.map(counters => callerOf(counters, tenant));
  const model = new Model();
  for (const step of steps) {
    const caller = callers[step.client % callers.length]!;
    const held = step.do === 'settle' ? Math.min(step.cost, model.open.get(step.request) ?? 0) : 0;
    const expected = model.answer(step);
    if (step.do === 'know') await caller.know([accounts[step.account]!]);
    else {
      const asked = { id: `r${step.request}`, cost: step.do === 'settle' ? held : step.cost, limits, budgets: accounts };
      assert.equal((await caller[step.do](asked)).kind, expected, JSON.stringify(step));
    }
    for (const [i, account] of accounts.entries()) {
      const level = await caller.level(account);
      assert.deepEqual(level, model.known.has(i) ? [model.settled, model.reserved] : undefined, JSON.stringify(step));
    }
    assert.ok(model.settled + model.reserved <= AMOUNT);
  }
}

const history = fc.array(step, { minLength: 10, maxLength: 60 });

async function check(clients: () => readonly Counters[], numRuns: number): Promise<void> {
  let run = 0;
  const result = await fc.check(
    fc.asyncProperty(history, steps => replay(clients(), `tenant-${run++}`, steps)),
    { numRuns, endOnFailure: false },
  );
  assert.ok(!result.failed, fc.defaultReportMessage(result) ?? `seed ${result.seed}`);
}

test('memory answers every history as the model does', () =>
  check(() => [memoryCounters({ now: () => epochMillis(1_777_600_000_000) })], 300));

test('redis answers every history of three clients as the model does', { skip: withoutRedis }, async t => {
  const server = await startRedis();
  const silent = { warn: () => undefined, info: () => undefined };
  const links = [0, 1, 2].map(() => connectRedis({ url: server.url, log: silent, commandTimeoutMs: 2000 }));
  t.after(async () => {
    for (const link of links) await link.close();
    await server.stop();
  });
  await until('the connections are up', () => links.every(link => link.state().kind === 'up'));
  const clients = links.map(link => redisCounters({ link }));
  await check(() => clients, 60);
});

test('what many ask for at once is granted up to the last nano-dollar and never beyond', { skip: withoutRedis }, async t => {
  const server = await startRedis();
  const link = connectRedis({ url: server.url, log: { warn: () => undefined, info: () => undefined }, commandTimeoutMs: 2000 });
  t.after(async () => {
    await link.close();
    await server.stop();
  });
  await until('the connection is up', () => link.state().kind === 'up');
  const b = budget(1000);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 5, maxLength: 60 }),
      fc.uuid(),
      async (costs, tenant) => {
        const caller = callerOf(redisCounters({ link }), tenant);
        await caller.know([b]);
        const answers = await Promise.all(
          costs.map((cost, i) => caller.reserve({ id: `r${i}`, cost: nanoUsd(cost), budgets: [b] })),
        );
        const granted = costs.filter((_, i) => answers[i]!.kind === 'granted').reduce((sum, cost) => sum + cost, 0);
        assert.ok(granted <= 1000);
        for (const [i, answer] of answers.entries()) if (answer.kind === 'exhausted') assert.ok(granted + costs[i]! > 1000);
        assert.deepEqual(await caller.level(b), [0, granted]);
      },
    ),
    { numRuns: 40 },
  );
});
