// What one request holds, over counters in memory: how much is asked for, when a count is worth it, and what is given back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CostRecord, written } from '#core/accounting/cost-record.ts';
import type { BudgetDemand, Demand, LimitDemand } from '#core/admission/demand.ts';
import { noUsage } from '#core/chat/usage.ts';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import type { Admitter } from './admission/admission.ts';
import type { AttemptBounds, Basis } from './bounds.ts';
import { memoryCounters } from './counters/memory.ts';
import { Hold, type Intent } from './hold.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const ID = `${NOW.toString(16)
  .padStart(12, '0')
  .replace(/^(.{8})/, '$1-')}-7000-8000-000000000001`;
const budget = (amount: number, more: Partial<BudgetDemand> = {}): BudgetDemand => ({
  name: 'monthly',
  scope: 'Key',
  account: 'a',
  period: epochMillis(0),
  amount: nanoUsd(amount),
  onExhausted: 'Block',
  warnAt: [],
  ...more,
});

type Asked = Pick<Demand, 'cost' | 'tokens'>;

async function stage(
  budgets: readonly BudgetDemand[],
  limits: readonly LimitDemand[] = [],
  remainder: number | undefined = undefined,
) {
  const counters = memoryCounters({ now: () => NOW });
  await counters.rebuild('t', {
    accounts: budgets.map(({ account, period }) => ({ account, period, settled: nanoUsd(0) })),
    open: [],
    settledLately: [],
  });
  const asked: Asked[] = [];
  const settled: object[] = [];
  const forgotten: object[] = [];
  /** Requests that are over, and hold what they held until somebody waits for that. */
  const over: string[] = [];
  const admitter: Admitter = {
    async reserve(demand) {
      asked.push({ cost: demand.cost, tokens: demand.tokens });
      const answer = await counters.reserve(demand);
      assert.ok(answer.kind !== 'unknown');
      return { ...answer, failMode: undefined, copied: true };
    },
    async extend(extension) {
      asked.push({ cost: extension.cost, tokens: extension.tokens });
      const answer = await counters.extend(extension);
      if (answer.kind === 'lost') return { kind: 'unavailable', failMode: 'LocalShare' };
      return answer.kind === 'granted' ? { kind: 'granted', copied: true, failMode: undefined } : answer;
    },
    settle(settlement, _, rows) {
      settled.push({ cost: settlement.cost, tokens: settlement.tokens, rows: rows.map(({ attempt }) => attempt) });
    },
    forget: (_, rows) => void forgotten.push(...rows),
    remainder: () => (remainder === undefined ? undefined : nanoUsd(remainder)),
    async endingsSettled() {
      for (const id of over.splice(0))
        await counters.settle({ tenant: 't', id, limits, budgets, cost: nanoUsd(1), tokens: tokens(1) });
    },
    tellExhausted: () => {},
    waitingNow: () => new Set(),
    forgetWaiting: () => {},
    waiting: () => 0,
    close: async () => {},
  };
  const hold = new Hold(
    (bound, leaseUntil) => ({ tenant: 't', id: ID, limits, budgets, ...bound, leaseUntil, limitsAlone: false }),
    {
      entry: { namespace: 'n', name: 'k', onStoreFailure: 'LocalShare' },
      demands: { accounts: () => [] },
    },
    { admitter, now: () => NOW, budgetExceededStatus: 402 },
  );
  /** Another request of the key takes its place, and is over. */
  const another = async (cost: number) => {
    const id = ID.replace(/1$/, '2');
    const demand = { tenant: 't', id, limits, budgets, cost: nanoUsd(cost), tokens: tokens(1), limitsAlone: false };
    assert.equal((await counters.reserve({ ...demand, leaseUntil: epochMillis(NOW + 60_000) })).kind, 'granted');
    over.push(id);
  };
  return { hold, asked, settled, forgotten, another };
}

/** 100 by its bytes, 40 when counted; an answer may cost 1 a token, 10 by default. */
const bounds = {
  async bound(basis: Basis, outputLimit = 10) {
    const input = basis === 'bytes' ? 90 : 30;
    return { cost: nanoUsd(input + outputLimit), tokens: tokens(input + outputLimit) };
  },
  async outputThatFits(left: number) {
    return left - 30 >= 1 ? tokens(Math.min(left - 30, 9)) : undefined;
  },
} as unknown as AttemptBounds;

const rowOf = (attempt: number, more: Partial<CostRecord> = {}): CostRecord =>
  ({ requestId: ID, attempt, cost: nanoUsd(0), usage: noUsage, ...more }) as CostRecord;
const intent = (attempt: number, more: Partial<Intent> = {}): Intent => ({
  attempt,
  bounds,
  leaseUntil: epochMillis(NOW + 60_000),
  mayClamp: false,
  row: reserved => rowOf(attempt, { reserved }),
  ...more,
});
const costing = (attempt: number, cost: number) => Promise.resolve(written(rowOf(attempt, { cost: nanoUsd(cost) })));

describe('what a request that is over still holds', () => {
  const one: LimitDemand = { id: 'one', kind: 'concurrency', max: 1 };
  test('of a limit is no reason to refuse the next', async () => {
    const { hold, another } = await stage([], [one]);
    await another(1);
    assert.equal((await hold.cover(intent(0))).kind, 'covered');
  });
  test('of a budget is none either', async () => {
    const { hold, another } = await stage([budget(100)]);
    await another(90);
    assert.equal((await hold.cover(intent(0))).kind, 'covered');
  });
  test('is not waited for where the request would not fit without it, nor for requests by the minute', async () => {
    const [dear, often] = [await stage([budget(30)]), await stage([], [{ id: 'rpm', kind: 'requests', max: 1 }])];
    for (const { hold, another, asked } of [dear, often]) {
      await another(1);
      assert.equal((await hold.cover(intent(0))).kind, 'refused');
      assert.ok(asked.length <= 2);
    }
  });
});

describe('what is reserved for the first attempt', () => {
  test('goes by the bytes where that is a trifle of what is left, and is written into its row', async () => {
    const { hold, asked } = await stage([budget(1e9)], [], 1e9);
    const covered = await hold.cover(intent(0));
    assert.deepEqual(asked, [{ cost: 100, tokens: 100 }]);
    assert.equal(covered.kind === 'covered' && covered.row.record.reserved, 100);
  });
  test('is counted where that matters: for a small remainder, for one that is not known, for limits of tokens', async () => {
    const tpm: LimitDemand = { id: 'tpm', kind: 'tokens', max: 1e6 };
    for (const { hold, asked } of [
      await stage([budget(1000)], [], 1000),
      await stage([budget(1e9)]),
      await stage([budget(1e9)], [tpm], 1e9),
    ]) {
      await hold.cover(intent(0));
      assert.deepEqual(asked, [{ cost: 40, tokens: 40 }]);
    }
  });
  test('is counted and asked for again where the bytes were too many', async () => {
    const { hold, asked } = await stage([budget(50)], [], 1e9);
    assert.equal((await hold.cover(intent(0))).kind, 'covered');
    assert.deepEqual(
      asked.map(({ cost }) => cost),
      [100, 40],
    );
  });
  test('is refused in words where it does not fit, and nothing is settled', async () => {
    const { hold, settled } = await stage([budget(39)]);
    const covered = await hold.cover(intent(0));
    assert.equal(covered.kind === 'refused' && covered.failure.class, 'budget_exceeded');
    await hold.settle();
    assert.deepEqual(settled, []);
  });
  test('is made to fit by a shorter answer where the route says so', async () => {
    const { hold, asked } = await stage([budget(35)]);
    const covered = await hold.cover(intent(0, { mayClamp: true }));
    assert.equal(covered.kind === 'covered' && covered.outputLimit, 5);
    assert.deepEqual(
      asked.map(({ cost }) => cost),
      [40, 35],
    );
    const nothing = await stage([budget(30)]);
    assert.equal((await nothing.hold.cover(intent(0, { mayClamp: true }))).kind, 'refused');
  });
  test('tells what is left of each limit, also where one refuses', async () => {
    const rpm: LimitDemand = { id: 'rpm', kind: 'requests', max: 1 };
    const { hold } = await stage([], [rpm]);
    await hold.cover(intent(0));
    assert.deepEqual(hold.limits, [{ ...rpm, remaining: 0 }]);
  });
});

test('a spent budget that leaves smaller models says so once, and holds on', async () => {
  const { hold } = await stage([budget(10, { onExhausted: 'Downgrade' })]);
  assert.equal((await hold.cover(intent(0))).kind, 'downgrade');
  assert.equal((await hold.cover(intent(0))).kind, 'covered');
});

describe('a further attempt', () => {
  test('takes only what is missing: what the one before did not use counts for it', async () => {
    const { hold, asked } = await stage([budget(1000)]);
    await hold.cover(intent(0));
    hold.ended(costing(0, 25));
    await hold.cover(intent(1));
    assert.deepEqual(
      asked.map(({ cost }) => cost),
      [40, 25],
    );
  });
  test('beside one that is under way takes all of its own, and is not started where both do not fit', async () => {
    const [roomy, tight] = [await stage([budget(80)]), await stage([budget(79)])];
    for (const { hold } of [roomy, tight]) assert.equal((await hold.cover(intent(0))).kind, 'covered');
    assert.equal((await roomy.hold.cover(intent(1))).kind, 'covered');
    assert.equal((await tight.hold.cover(intent(1))).kind, 'refused');
    for (const attempt of [0, 1]) roomy.hold.ended(costing(attempt, 20 + attempt));
    await roomy.hold.settle();
    assert.deepEqual(roomy.settled, [{ cost: 41, tokens: 0, rows: [0, 1] }]);
  });
  test('beside one that ends while it is counted takes all of its own too', async () => {
    const { hold, asked } = await stage([budget(1000)]);
    await hold.cover(intent(0));
    const counting = Promise.withResolvers<void>();
    const slow = { bound: (basis: Basis) => counting.promise.then(() => bounds.bound(basis)) } as unknown as AttemptBounds;
    const covered = hold.cover(intent(1, { bounds: slow }));
    await new Promise(setImmediate);
    hold.ended(costing(0, 25));
    counting.resolve();
    await covered;
    assert.deepEqual(
      asked.map(({ cost }) => cost),
      [40, 40],
    );
  });
  test('is not started where it does not fit', async () => {
    const { hold } = await stage([budget(60)]);
    await hold.cover(intent(0));
    hold.ended(costing(0, 25));
    assert.equal((await hold.cover(intent(1))).kind, 'refused');
  });
});

describe('what was done beside an attempt', () => {
  test('is reserved for beside what that may cost, and settled with it', async () => {
    const { hold, asked, settled } = await stage([budget(60)]);
    await hold.cover(intent(0));
    assert.equal(await hold.besides(await costing(1, 15)), undefined);
    assert.deepEqual(
      asked.map(({ cost }) => cost),
      [40, 15],
    );
    hold.ended(costing(0, 25));
    await hold.settle();
    assert.deepEqual(settled, [{ cost: 40, tokens: 0, rows: [1, 0] }]);
  });
  test('counts where there is no room for it as well, and says so', async () => {
    const { hold, settled } = await stage([budget(50)]);
    await hold.cover(intent(0));
    assert.equal((await hold.besides(await costing(1, 15)))?.class, 'budget_exceeded');
    hold.ended(costing(0, 0));
    await hold.settle();
    assert.deepEqual(settled, [{ cost: 15, tokens: 0, rows: [1, 0] }]);
  });
});

test('the end settles the cost of all attempts together, and forgets the row of one that was never sent', async () => {
  const { hold, settled, forgotten } = await stage([budget(1000)]);
  await hold.cover(intent(0));
  hold.ended(costing(0, 25));
  await hold.cover(intent(1));
  await hold.settle();
  assert.deepEqual(settled, [{ cost: 25, tokens: 0, rows: [0] }]);
  assert.deepEqual(forgotten, [{ requestId: ID, attempt: 1 }]);
});
