// What every store of counters promises, as tests over any of them: memory and Redis run the same list. Time is the store's own: it is
// told how to wait, so that memory need not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  Admission,
  BudgetDemand,
  Demand,
  Extended,
  Extension,
  LimitDemand,
  Settled,
  Settlement,
} from '#core/admission/demand.ts';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import type { Counters, TenantSums } from './counters.ts';

export type Stage = {
  readonly counters: Counters;
  /** Of the store's clock. */
  now(): Promise<number>;
  wait(ms: number): Promise<void>;
};

const MAY = epochMillis(1_777_593_600_000);
const JUNE = epochMillis(1_780_272_000_000);
const JULY = epochMillis(1_782_864_000_000);
const LEASE = epochMillis(4_000_000_000_000);

export const rpm = (max: number, id = 'k/rpm'): LimitDemand => ({ id, kind: 'requests', max });
export const tpm = (max: number, id = 'k/tpm'): LimitDemand => ({ id, kind: 'tokens', max });
export const slots = (max: number, id = 'k/slots'): LimitDemand => ({ id, kind: 'concurrency', max });
export const budget = (amount: number, more: Partial<BudgetDemand> = {}): BudgetDemand => ({
  name: 'monthly',
  scope: 'Key',
  account: 'k/month',
  period: MAY,
  amount: nanoUsd(amount),
  onExhausted: 'Block',
  warnAt: [],
  ...more,
});

type Asked = {
  id: string;
  cost?: number;
  tokens?: number;
  limits?: LimitDemand[];
  budgets?: BudgetDemand[];
  tenant?: string;
  lease?: number;
};
export type Caller = ReturnType<typeof callerOf>;

/** A tenant's requests in few words. */
export function callerOf(counters: Counters, tenant = 'team-a') {
  const settlement = (asked: Asked): Settlement => ({
    tenant: asked.tenant ?? tenant,
    id: asked.id,
    limits: asked.limits ?? [],
    budgets: asked.budgets ?? [],
    cost: nanoUsd(asked.cost ?? 0),
    tokens: tokens(asked.tokens ?? 0),
  });
  return {
    counters,
    reserve: (asked: Asked & { limitsAlone?: boolean }): Promise<Admission> => {
      const demand: Demand = {
        ...settlement(asked),
        leaseUntil: epochMillis(asked.lease ?? LEASE),
        limitsAlone: asked.limitsAlone ?? false,
      };
      return counters.reserve(demand);
    },
    extend: (asked: Asked): Promise<Extended> => {
      const extension: Extension = { ...settlement(asked), leaseUntil: epochMillis(asked.lease ?? LEASE) };
      return counters.extend(extension);
    },
    settle: (asked: Asked): Promise<Settled> => counters.settle(settlement(asked)),
    /** Makes accounts known. */
    know: (budgets: BudgetDemand[], more: Partial<TenantSums> & { settled?: number } = {}): Promise<void> =>
      counters.rebuild(tenant, {
        accounts: budgets.map(({ account, period }) => ({ account, period, settled: nanoUsd(more.settled ?? 0) })),
        open: more.open ?? [],
        settledLately: more.settledLately ?? [],
      }),
    level: async ({ account, period }: BudgetDemand): Promise<[settled: number, reserved: number] | undefined> => {
      const [level] = await counters.levels(tenant, [{ account, period }]);
      return level && [level.settled, level.reserved];
    },
  };
}

/** @param stage a store nobody has used, for each test */
export function countersContract(name: string, stage: () => Promise<Stage>): void {
  const says = (sentence: string, run: (caller: Caller, stage: Stage) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => {
      const made = await stage();
      await run(callerOf(made.counters), made);
    });
  limits(says);
  budgets(says);
  ends(says);
  extensions(says);
  rebuilds(says);
  leases(says);
}

type Says = (sentence: string, run: (caller: Caller, stage: Stage) => Promise<void>) => void;

function limits(says: Says): void {
  says('what does not fit one limit takes nothing from the others', async caller => {
    const limits = [rpm(10), slots(1)];
    assert.equal((await caller.reserve({ id: 'a', limits })).kind, 'granted');
    const refused = await caller.reserve({ id: 'b', limits });
    assert.deepEqual(refused, { kind: 'limited', limit: 1, retryAfter: 1000, remaining: [9, 0] });
    await caller.settle({ id: 'a', limits });
    assert.deepEqual((await caller.reserve({ id: 'c', limits })) as { remaining?: unknown }, {
      kind: 'granted',
      levels: [],
      remaining: [8, 0],
    });
  });

  says('of 100 requests per minute 100 pass and the 101st does not', async caller => {
    const answers = await Promise.all(Array.from({ length: 101 }, (_, i) => caller.reserve({ id: `r${i}`, limits: [rpm(100)] })));
    assert.equal(answers.filter(a => a.kind === 'granted').length, 100);
    assert.equal(answers[100]!.kind, 'limited');
  });

  says(
    'the window slides: what came leaves 60 s after its second, and retryAfter says when, to the bucket',
    async (caller, stage) => {
      const limits = [rpm(4)];
      const ask = async (id: string) => (await caller.reserve({ id, limits })).kind;
      assert.deepEqual([await ask('a'), await ask('b')], ['granted', 'granted']);
      await stage.wait(30_000);
      assert.deepEqual([await ask('c'), await ask('d')], ['granted', 'granted']);
      const refused = await caller.reserve({ id: 'e', limits });
      assert.ok(refused.kind === 'limited' && refused.retryAfter > 28_000 && refused.retryAfter <= 30_000);
      await stage.wait(refused.retryAfter - 150);
      assert.equal(await ask('e'), 'limited');
      await stage.wait(150);
      assert.deepEqual([await ask('e'), await ask('f'), await ask('g')], ['granted', 'granted', 'limited']);
      await stage.wait(61_000);
      const later = await caller.reserve({ id: 'h', limits });
      assert.deepEqual(later, { kind: 'granted', levels: [], remaining: [3] });
    },
  );

  says('retryAfter waits for all the room a request needs, and a whole window where it never fits', async (caller, stage) => {
    const limits = [tpm(100)];
    await caller.reserve({ id: 'a', limits, tokens: 50 });
    await stage.wait(20_000);
    await caller.reserve({ id: 'b', limits, tokens: 50 });
    const wait = async (tokens: number) => {
      const answer = await caller.reserve({ id: `w${tokens}`, limits, tokens });
      return answer.kind === 'limited' ? Math.ceil(answer.retryAfter / 1000) : 0;
    };
    const waits = [await wait(50), await wait(51), await wait(101)];
    assert.ok(waits[0]! >= 39 && waits[0]! <= 40 && waits[1]! >= 59 && waits[2] === 60, String(waits));
  });

  says('concurrency comes back with each end, and never more than was taken', async caller => {
    const limits = [slots(2)];
    for (let round = 0; round < 50; round++) {
      const ids = [`a${round}`, `b${round}`, `c${round}`];
      const kinds = [];
      for (const id of ids) kinds.push((await caller.reserve({ id, limits })).kind);
      assert.deepEqual(kinds, ['granted', 'granted', 'limited']);
      for (const id of ids) for (let i = 0; i < 2; i++) await caller.settle({ id, limits });
    }
  });

  says('a tokens limit counts the bound at first and the truth afterwards', async caller => {
    const limits = [tpm(100)];
    assert.equal((await caller.reserve({ id: 'a', limits, tokens: 80 })).kind, 'granted');
    assert.equal((await caller.reserve({ id: 'b', limits, tokens: 30 })).kind, 'limited');
    await caller.settle({ id: 'a', limits, tokens: 10 });
    const granted = await caller.reserve({ id: 'b', limits, tokens: 30 });
    assert.deepEqual(granted, { kind: 'granted', levels: [], remaining: [60] });
    await caller.settle({ id: 'b', limits, tokens: 70 });
    assert.equal((await caller.reserve({ id: 'c', limits, tokens: 21 })).kind, 'limited');
    assert.equal((await caller.reserve({ id: 'd', limits, tokens: 20 })).kind, 'granted');
  });

  says('a request has its own name: asking twice takes once', async caller => {
    const b = budget(100);
    const asked = { id: 'a', cost: 60, tokens: 5, limits: [rpm(10), tpm(100), slots(1)], budgets: [b] };
    await caller.know([b]);
    const first = await caller.reserve(asked);
    assert.deepEqual(await caller.reserve(asked), first);
    assert.deepEqual(await caller.level(b), [0, 60]);
  });

  says('limits are refused before budgets are looked at, and tenants do not see each other', async caller => {
    assert.equal((await caller.reserve({ id: 'a', limits: [rpm(0)], budgets: [budget(1)] })).kind, 'limited');
    const limits = [slots(1)];
    assert.equal((await caller.reserve({ id: 'a', limits })).kind, 'granted');
    assert.equal((await caller.reserve({ id: 'b', limits, tenant: 'team-b' })).kind, 'granted');
    assert.equal((await caller.reserve({ id: 'c', limits, tenant: 'team-a}:x{' })).kind, 'granted');
    assert.equal((await caller.reserve({ id: 'd', limits, tenant: 'ä/\u{1F600}'.repeat(60) })).kind, 'granted');
    assert.equal((await caller.reserve({ id: 'e', limits })).kind, 'limited');
  });
}

function budgets(says: Says): void {
  says('a budget is never reserved beyond its amount, and the last nano-dollar is of use', async caller => {
    const b = budget(100);
    await caller.know([b]);
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => caller.reserve({ id: `r${i}`, cost: 7, budgets: [b] })),
    );
    assert.equal(answers.filter(a => a.kind === 'granted').length, 14);
    assert.deepEqual(await caller.level(b), [0, 98]);
    assert.equal((await caller.reserve({ id: 'two', cost: 2, budgets: [b] })).kind, 'granted');
    const refused = await caller.reserve({ id: 'one', cost: 1, budgets: [b] });
    assert.deepEqual(refused, { kind: 'exhausted', budget: 0, levels: [{ settled: 0, reserved: 100 }], remaining: [] });
  });

  says('all budgets or none: the tenant has room, the key has not', async caller => {
    const key = budget(10);
    const tenant = budget(1000, { account: 't', scope: 'Tenant' });
    await caller.know([tenant, key]);
    const refused = await caller.reserve({ id: 'a', cost: 11, limits: [rpm(5)], budgets: [tenant, key] });
    assert.equal(refused.kind === 'exhausted' && refused.budget, 1);
    assert.deepEqual(await caller.level(tenant), [0, 0]);
    const next = await caller.reserve({ id: 'b', cost: 1, limits: [rpm(5)], budgets: [tenant, key] });
    assert.deepEqual('remaining' in next && next.remaining, [4]);
  });

  says('limits alone: an exhausted budget keeps its refusal, and the limits are taken all the same', async caller => {
    const b = budget(10);
    await caller.know([b], { settled: 10 });
    const asked = { id: 'a', cost: 5, limits: [rpm(2), slots(1)], budgets: [b], limitsAlone: true };
    const answer = await caller.reserve(asked);
    assert.deepEqual(answer, { kind: 'exhausted', budget: 0, levels: [{ settled: 10, reserved: 0 }], remaining: [1, 0] });
    assert.equal((await caller.reserve({ ...asked, id: 'b' })).kind, 'limited');
    assert.equal((await caller.settle({ ...asked, cost: 0 })).kind, 'settled');
    assert.deepEqual(await caller.level(b), [10, 0]);
    assert.equal((await caller.reserve({ ...asked, id: 'c' })).kind, 'exhausted');
  });

  says('limits alone: once the budget has room again, the same request gets it, and its limits once', async caller => {
    const b = budget(10);
    await caller.know([b], { settled: 10 });
    const asked = { id: 'a', cost: 5, limits: [rpm(2)], budgets: [b], limitsAlone: true };
    await caller.reserve(asked);
    const answer = await caller.reserve({ ...asked, budgets: [budget(20)] });
    assert.deepEqual(answer, { kind: 'granted', levels: [{ settled: 10, reserved: 5 }], remaining: [1] });
  });

  says('budgets that do not block are counted beyond their amount', async caller => {
    const b = budget(10, { onExhausted: 'Warn' });
    await caller.know([b]);
    assert.equal((await caller.reserve({ id: 'a', cost: 50, budgets: [b] })).kind, 'granted');
    assert.deepEqual(await caller.level(b), [0, 50]);
  });

  says('two budgets on one account count a cost once', async caller => {
    const both = [budget(10, { onExhausted: 'Warn', warnAt: [nanoUsd(5)] }), budget(20, { warnAt: [nanoUsd(5), nanoUsd(9)] })];
    await caller.know([both[0]!]);
    await caller.reserve({ id: 'a', cost: 8, budgets: both });
    assert.deepEqual(await caller.level(both[0]!), [0, 8]);
    const ended = await caller.settle({ id: 'a', cost: 7, budgets: both });
    assert.deepEqual(ended.kind === 'settled' && ended.crossed, [
      { budget: 0, at: 5 },
      { budget: 1, at: 5 },
    ]);
    assert.deepEqual(await caller.level(both[0]!), [7, 0]);
  });

  says('an amount lowered in flight stops the next request and no end', async caller => {
    await caller.know([budget(100)]);
    await caller.reserve({ id: 'a', cost: 60, budgets: [budget(100)] });
    assert.equal((await caller.reserve({ id: 'b', cost: 1, budgets: [budget(50)] })).kind, 'exhausted');
    assert.equal((await caller.extend({ id: 'a', cost: 1, budgets: [budget(50)] })).kind, 'exhausted');
    assert.equal((await caller.extend({ id: 'a', budgets: [budget(50)] })).kind, 'granted', 'its lease is renewed all the same');
    assert.equal((await caller.settle({ id: 'a', cost: 60, budgets: [budget(50)] })).kind, 'settled');
    assert.deepEqual(await caller.level(budget(50)), [60, 0]);
    assert.equal((await caller.reserve({ id: 'c', cost: 0, budgets: [budget(50)] })).kind, 'exhausted');
  });

  says('amounts near 9e15 are exact', async caller => {
    const b = budget(9_000_000_000_000_000);
    await caller.know([b], { settled: 8_999_999_999_999_990 });
    assert.equal((await caller.reserve({ id: 'a', cost: 11, budgets: [b] })).kind, 'exhausted');
    assert.equal((await caller.reserve({ id: 'b', cost: 9, budgets: [b] })).kind, 'granted');
    assert.equal((await caller.extend({ id: 'b', cost: 1, budgets: [b] })).kind, 'granted');
    assert.equal((await caller.extend({ id: 'b', cost: 1, budgets: [b] })).kind, 'exhausted');
    assert.deepEqual(await caller.level(b), [8_999_999_999_999_990, 10]);
    await caller.settle({ id: 'b', cost: 7, budgets: [b] });
    assert.deepEqual(await caller.level(b), [8_999_999_999_999_997, 0]);
    const whole = budget(9_000_000_000_000_000, { account: 'whole', warnAt: [nanoUsd(8_999_999_999_999_999)] });
    await caller.know([whole]);
    assert.equal((await caller.reserve({ id: 'c', cost: 9_000_000_000_000_000, budgets: [whole] })).kind, 'granted');
    assert.equal((await caller.reserve({ id: 'd', cost: 9_000_000_000_000_000, budgets: [whole] })).kind, 'exhausted');
    const ended = await caller.settle({ id: 'c', cost: 8_999_999_999_999_999, budgets: [whole] });
    assert.deepEqual(ended.kind === 'settled' && ended.crossed, [{ budget: 0, at: 8_999_999_999_999_999 }]);
    assert.deepEqual(await caller.level(whole), [8_999_999_999_999_999, 0]);
  });

  says('a period ends: the next begins at 0, the one before is remembered, the one before that is not', async caller => {
    const [may, june, july] = [budget(10), budget(10, { period: JUNE }), budget(10, { period: JULY })];
    await caller.know([may], { settled: 10 });
    await caller.reserve({ id: 'slow', cost: 0, budgets: [budget(20)] });
    assert.equal((await caller.reserve({ id: 'a', cost: 1, budgets: [may] })).kind, 'exhausted');
    assert.equal((await caller.reserve({ id: 'b', cost: 4, budgets: [june] })).kind, 'granted');
    await caller.settle({ id: 'slow', cost: 3, budgets: [may] });
    assert.deepEqual(
      [await caller.level(may), await caller.level(june)],
      [
        [13, 0],
        [0, 4],
      ],
    );
    await caller.settle({ id: 'b', cost: 4, budgets: [june] });
    assert.equal((await caller.reserve({ id: 'c', cost: 1, budgets: [july] })).kind, 'granted');
    assert.deepEqual(
      [await caller.level(may), await caller.level(june)],
      [
        [0, 0],
        [4, 0],
      ],
    );
    assert.equal((await caller.settle({ id: 'very slow', cost: 3, budgets: [may] })).kind, 'settled');
    assert.deepEqual(
      [await caller.level(may), await caller.level(june), await caller.level(july)],
      [
        [0, 0],
        [4, 0],
        [0, 1],
      ],
    );
  });
}

function ends(says: Says): void {
  says('settling frees what is reserved and keeps what it cost, once, however often it is asked', async caller => {
    const b = budget(100);
    const asked = { id: 'a', cost: 60, tokens: 4, limits: [tpm(100), slots(1)], budgets: [b] };
    await caller.know([b]);
    await caller.reserve(asked);
    const end = { ...asked, cost: 45 };
    assert.deepEqual(await caller.settle(end), {
      kind: 'settled',
      levels: [{ settled: 45, reserved: 0 }],
      crossed: [],
      exceeded: false,
    });
    for (let i = 0; i < 3; i++) assert.deepEqual(await caller.settle(end), { kind: 'repeated' });
    assert.deepEqual(await caller.level(b), [45, 0]);
  });

  says('what costs more than was reserved is settled in full, flagged, and stops the next request', async caller => {
    const b = budget(100);
    await caller.know([b]);
    await caller.reserve({ id: 'a', cost: 90, budgets: [b] });
    const ended = await caller.settle({ id: 'a', cost: 180, budgets: [b] });
    assert.equal(ended.kind === 'settled' && ended.exceeded, true);
    assert.deepEqual(await caller.level(b), [180, 0]);
    assert.equal((await caller.reserve({ id: 'b', cost: 0, budgets: [b] })).kind, 'exhausted');
  });

  says('a request that was admitted without the store counts when it ends', async caller => {
    const b = budget(100);
    await caller.know([b]);
    assert.equal((await caller.settle({ id: 'a', cost: 30, limits: [slots(1)], budgets: [b] })).kind, 'settled');
    assert.equal((await caller.settle({ id: 'a', cost: 30, limits: [slots(1)], budgets: [b] })).kind, 'repeated');
    assert.deepEqual(await caller.level(b), [30, 0]);
    assert.equal((await caller.reserve({ id: 'b', limits: [slots(1)] })).kind, 'granted', 'it held no slot');
  });

  says('a reservation that arrives after its own end takes nothing', async caller => {
    const b = budget(100);
    const asked = { id: 'a', cost: 30, tokens: 5, limits: [rpm(5), tpm(10), slots(1)], budgets: [b] };
    await caller.know([b]);
    await caller.settle(asked);
    assert.deepEqual(await caller.reserve(asked), {
      kind: 'granted',
      levels: [{ settled: 30, reserved: 0 }],
      remaining: [5, 10, 1],
    });
    assert.deepEqual(await caller.counters.expired('team-a', LEASE, 10), []);
    assert.equal((await caller.extend(asked)).kind, 'lost');
  });

  says('each threshold is crossed once, by one of many', async caller => {
    const b = budget(100, { onExhausted: 'Warn', warnAt: [nanoUsd(50), nanoUsd(80), nanoUsd(100)] });
    await caller.know([b]);
    const ended = await Promise.all(Array.from({ length: 60 }, (_, i) => caller.settle({ id: `r${i}`, cost: 2, budgets: [b] })));
    const crossed = ended.flatMap(e => (e.kind === 'settled' ? e.crossed : []));
    assert.deepEqual(
      crossed.map(c => c.at).sort((a, b) => a - b),
      [50, 80, 100],
    );
    const again = await caller.settle({ id: 'more', cost: 5, budgets: [b] });
    assert.deepEqual(again.kind === 'settled' && again.crossed, []);
  });

  says('one settlement may cross several thresholds', async caller => {
    const b = budget(100, { onExhausted: 'Warn', warnAt: [nanoUsd(50), nanoUsd(80)] });
    await caller.know([b]);
    const ended = await caller.settle({ id: 'a', cost: 80, budgets: [b] });
    assert.deepEqual(ended.kind === 'settled' && ended.crossed, [
      { budget: 0, at: 50 },
      { budget: 0, at: 80 },
    ]);
  });
}

function extensions(says: Says): void {
  says('a further attempt takes more, all of it or none', async caller => {
    const [key, tenant] = [budget(100), budget(70, { account: 't' })];
    const asked = { id: 'a', budgets: [key, tenant], limits: [tpm(10), slots(1)] };
    await caller.know([key, tenant]);
    await caller.reserve({ ...asked, cost: 40, tokens: 4 });
    assert.deepEqual(await caller.extend({ ...asked, cost: 31 }), { kind: 'exhausted', budget: 1 });
    assert.deepEqual(await caller.extend({ ...asked, cost: 1, tokens: 7 }), { kind: 'limited', limit: 0 });
    assert.deepEqual(
      [await caller.level(key), await caller.level(tenant)],
      [
        [0, 40],
        [0, 40],
      ],
    );
    assert.deepEqual(await caller.extend({ ...asked, cost: 30, tokens: 6 }), { kind: 'granted' });
    assert.deepEqual(
      [await caller.level(key), await caller.level(tenant)],
      [
        [0, 70],
        [0, 70],
      ],
    );
    const ended = await caller.settle({ ...asked, cost: 65, tokens: 3 });
    assert.equal(ended.kind === 'settled' && ended.exceeded, false);
    assert.deepEqual(
      [await caller.level(key), await caller.level(tenant)],
      [
        [65, 0],
        [65, 0],
      ],
    );
    const next = await caller.reserve({ ...asked, id: 'b', tokens: 7 });
    assert.deepEqual('remaining' in next && next.remaining, [0, 0]);
  });

  says('nothing can be added to what was never reserved, or is over', async caller => {
    const b = budget(100);
    await caller.know([b]);
    assert.equal((await caller.extend({ id: 'a', cost: 1, budgets: [b] })).kind, 'lost');
    await caller.reserve({ id: 'a', cost: 1, budgets: [b] });
    await caller.settle({ id: 'a', cost: 1, budgets: [b] });
    assert.equal((await caller.extend({ id: 'a', cost: 1, budgets: [b] })).kind, 'lost');
    assert.deepEqual(await caller.level(b), [1, 0]);
  });

  says('limits alone, then an attempt after all: it takes the budget with the first extension', async caller => {
    const b = budget(10);
    await caller.know([b], { settled: 10 });
    await caller.reserve({ id: 'a', cost: 5, budgets: [b], limitsAlone: true });
    assert.equal((await caller.extend({ id: 'a', cost: 5, budgets: [b] })).kind, 'exhausted');
    assert.equal((await caller.extend({ id: 'a', cost: 5, budgets: [budget(15)] })).kind, 'granted');
    assert.deepEqual(await caller.level(b), [10, 5]);
    await caller.settle({ id: 'a', cost: 4, budgets: [b] });
    assert.deepEqual(await caller.level(b), [14, 0]);
  });
}

function rebuilds(says: Says): void {
  says('an account nobody knows takes nothing, until its sums are built', async caller => {
    const [known, fresh] = [budget(100, { account: 'known' }), budget(100, { account: 'fresh' })];
    await caller.know([known]);
    const asked = { id: 'a', cost: 5, limits: [rpm(5), slots(1)], budgets: [known, fresh] };
    assert.deepEqual(await caller.reserve(asked), { kind: 'unknown', accounts: ['fresh'] });
    assert.deepEqual(await caller.settle(asked), { kind: 'unknown', accounts: ['fresh'] });
    assert.deepEqual([await caller.level(known), await caller.level(fresh)], [[0, 0], undefined]);
    await caller.know([known, fresh], { settled: 40 });
    assert.deepEqual(
      [await caller.level(known), await caller.level(fresh)],
      [
        [0, 0],
        [40, 0],
      ],
    );
    const granted = await caller.reserve(asked);
    assert.deepEqual('remaining' in granted && granted.remaining, [4, 0]);
  });

  says('building again changes nothing', async caller => {
    const b = budget(100);
    await caller.know([b], { settled: 40 });
    await caller.reserve({ id: 'a', cost: 5, budgets: [b] });
    const open = [{ id: 'a', cost: nanoUsd(5), leaseUntil: LEASE, accounts: [b.account] }];
    await caller.know([b], { settled: 70, open, settledLately: ['a'] });
    assert.deepEqual(await caller.level(b), [40, 5]);
    await caller.settle({ id: 'a', cost: 5, budgets: [b] });
    assert.deepEqual(await caller.level(b), [45, 0]);
  });

  says('a request that is open in the ledger holds its reservation, and ends as any other', async caller => {
    const b = budget(100);
    const open = [{ id: 'a', cost: nanoUsd(30), leaseUntil: LEASE, accounts: [b.account] }];
    await caller.know([b], { settled: 40, open });
    assert.deepEqual(await caller.level(b), [40, 30]);
    assert.equal((await caller.extend({ id: 'a', cost: 5, budgets: [b] })).kind, 'granted');
    await caller.settle({ id: 'a', cost: 20, budgets: [b] });
    assert.deepEqual(await caller.level(b), [60, 0]);
  });

  says('a request whose cost the ledger had when the sums were built does not count again', async caller => {
    const b = budget(100);
    await caller.know([b], { settled: 40, settledLately: ['a'] });
    assert.deepEqual(await caller.settle({ id: 'a', cost: 40, budgets: [b] }), { kind: 'repeated' });
    assert.deepEqual(await caller.level(b), [40, 0]);
    assert.equal((await caller.settle({ id: 'b', cost: 1, budgets: [b] })).kind, 'settled');
  });

  says('a request that one account was built with still counts in the others', async caller => {
    const [old, fresh] = [budget(100, { account: 'old' }), budget(100, { account: 'fresh' })];
    await caller.know([old]);
    await caller.reserve({ id: 'a', cost: 9, limits: [slots(1)], budgets: [old] });
    await caller.know([fresh], { settled: 7, settledLately: ['a'] });
    const ended = await caller.settle({ id: 'a', cost: 7, limits: [slots(1)], budgets: [old, fresh] });
    assert.equal(ended.kind, 'settled');
    assert.deepEqual(
      [await caller.level(old), await caller.level(fresh)],
      [
        [7, 0],
        [7, 0],
      ],
    );
  });

  says(
    'a budget that is new finds what is in flight, and gets its cost from an end that does not know the budget',
    async caller => {
      const [old, fresh] = [budget(100, { account: 'old' }), budget(100, { account: 'fresh' })];
      await caller.know([old]);
      await caller.reserve({ id: 'a', cost: 9, budgets: [old] });
      const open = [{ id: 'a', cost: nanoUsd(9), leaseUntil: LEASE, accounts: ['old', 'fresh'] }];
      await caller.know([old, fresh], { settled: 50, open });
      assert.deepEqual(
        [await caller.level(old), await caller.level(fresh)],
        [
          [0, 9],
          [50, 9],
        ],
      );
      await caller.settle({ id: 'a', cost: 8, budgets: [old] });
      assert.deepEqual(
        [await caller.level(old), await caller.level(fresh)],
        [
          [8, 0],
          [58, 0],
        ],
      );
    },
  );

  says('a request that is open in the ledger and over here counts what it cost', async caller => {
    const [old, fresh] = [budget(100, { account: 'old' }), budget(100, { account: 'fresh' })];
    await caller.know([old]);
    await caller.reserve({ id: 'a', cost: 9, budgets: [old] });
    await caller.settle({ id: 'a', cost: 6, budgets: [old] });
    await caller.know([fresh], { open: [{ id: 'a', cost: nanoUsd(9), leaseUntil: LEASE, accounts: ['fresh'] }] });
    assert.deepEqual(await caller.level(fresh), [6, 0]);
  });

  says('the time in a request id decides in which of two periods it is open', async caller => {
    const [may, june] = [budget(100), budget(100, { period: JUNE })];
    const idAt = (ms: number) =>
      `${ms
        .toString(16)
        .padStart(12, '0')
        .replace(/^(.{8})/, '$1-')}-7000-8000-000000000000`;
    const open = [JUNE - 1, JUNE].map((at, i) => ({
      id: idAt(at),
      cost: nanoUsd(10 + i),
      leaseUntil: LEASE,
      accounts: [may.account],
    }));
    await caller.know([may, june], { open });
    assert.deepEqual(
      [await caller.level(may), await caller.level(june)],
      [
        [0, 10],
        [0, 11],
      ],
    );
  });
}

function leases(says: Says): void {
  says('a reservation whose lease has ended is found with all that settling it needs', async (caller, stage) => {
    const now = await stage.now();
    const b = budget(100, { resetAt: JUNE, warnAt: [nanoUsd(5), nanoUsd(50)] });
    const limits = [rpm(5), tpm(100), slots(1)];
    await caller.know([b]);
    await caller.reserve({ id: 'dead', cost: 60, tokens: 9, limits, budgets: [b], lease: now + 1000 });
    await caller.reserve({ id: 'alive', cost: 1, budgets: [b], lease: now + 2000 });
    await caller.extend({ id: 'alive', budgets: [b], lease: now + 9000 });
    assert.deepEqual(await caller.counters.expired('team-a', epochMillis(now + 999), 10), []);
    const found = await caller.counters.expired('team-a', epochMillis(now + 5000), 10);
    assert.deepEqual(found, [{ tenant: 'team-a', id: 'dead', limits, budgets: [b], cost: 60 }]);
    const ended = await caller.counters.settle({ ...found[0]!, cost: nanoUsd(0), tokens: tokens(9) });
    assert.equal(ended.kind, 'settled');
    assert.deepEqual(await caller.level(b), [0, 1]);
    assert.deepEqual(await caller.counters.expired('team-a', epochMillis(now + 5000), 10), []);
    assert.equal((await caller.reserve({ id: 'next', limits: [slots(1)] })).kind, 'granted');
  });

  says('one that a rebuild found is found with its accounts', async caller => {
    const b = budget(100);
    await caller.know([b], { open: [{ id: 'dead', cost: nanoUsd(30), leaseUntil: MAY, accounts: [b.account] }] });
    const [found] = await caller.counters.expired('team-a', JUNE, 10);
    assert.equal(found?.cost, 30);
    await caller.counters.settle({ ...found!, cost: nanoUsd(30), tokens: tokens(0) });
    assert.deepEqual(await caller.level(b), [30, 0]);
  });
}
