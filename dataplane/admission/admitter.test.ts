// Admission when the counters answer, when they do not, and when they do not know: over the counters in memory, with a switch.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BudgetDemand, Demand } from '#core/admission/demand.ts';
import type { Account, TenantSums } from '#core/admission/sums.ts';
import { epochMillis, type NanoUsd, nanoUsd, tokens } from '#core/units.ts';
import { until } from '#test/support/until.ts';
import { type Counters, CountersAway } from '../counters/counters.ts';
import { memoryCounters } from '../counters/memory.ts';
import type { Claimant, FailMode } from './admission.ts';
import { type AdmitterParts, admitter } from './admitter.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const idAt = (n: number) =>
  `${NOW.toString(16)
    .padStart(12, '0')
    .replace(/^(.{8})/, '$1-')}-7000-8000-${String(n).padStart(12, '0')}`;
const row = { attempt: 0, json: '{}' };

const account: Account = {
  account: 'a',
  span: { start: epochMillis(0), end: undefined },
  counts: () => true,
};
const claimant = (onStoreFailure: FailMode): Claimant => ({
  entry: { namespace: 'n', name: 'k', onStoreFailure },
  demands: { accounts: () => [account] },
});
const budget = (amount: number): BudgetDemand => ({
  name: 'monthly',
  scope: 'Key',
  account: 'a',
  period: epochMillis(0),
  amount: nanoUsd(amount),
  onExhausted: 'Block',
  warnAt: [],
});
const demand = (n: number, cost: number, more: Partial<Demand> = {}): Demand => ({
  tenant: 't',
  id: idAt(n),
  limits: [],
  budgets: [budget(1000)],
  cost: nanoUsd(cost),
  tokens: tokens(0),
  leaseUntil: epochMillis(NOW + 60_000),
  limitsAlone: false,
  ...more,
});

/** Counters that can be taken away, and come back as they were. */
function switchable() {
  const real = memoryCounters({ now: () => NOW });
  const state = { away: false, settles: 0 };
  const guarded =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      state.away ? Promise.reject(new CountersAway('away', false)) : call(...args);
  const counters: Counters = {
    ...real,
    reserve: guarded(real.reserve.bind(real)),
    extend: guarded(real.extend.bind(real)),
    settle: guarded((...args: Parameters<Counters['settle']>) => {
      state.settles++;
      return real.settle(...args);
    }),
    rebuild: guarded(real.rebuild.bind(real)),
    levels: guarded(real.levels.bind(real)),
  };
  return { counters, state };
}

const sumsOf = (settled: number): TenantSums => ({
  accounts: [{ account: 'a', period: epochMillis(0), settled: nanoUsd(settled) }],
  open: [],
  settledLately: [],
});

function stage(more: Partial<AdmitterParts> = {}, ledger: TenantSums | undefined = sumsOf(0)) {
  const { counters, state } = switchable();
  const decided: string[] = [];
  const rebuilds: string[] = [];
  const parts: AdmitterParts = {
    counters,
    rebuild: async tenant => {
      rebuilds.push(tenant);
      if (!ledger || state.away) return false;
      await counters.rebuild(tenant, ledger);
      return true;
    },
    patience: { lost: 50, unheard: 50 },
    keepsCopies: true,
    readyPods: () => 2,
    now: () => NOW + performance.now(),
    sums: async () => ledger,
    onSettled: () => {},
    onExhausted: () => {},
    onFailMode: (mode, passed) => decided.push(`${mode} ${passed}`),
    ...more,
  };
  const level = async () => {
    const [found] = await counters.levels('t', [{ account: 'a', period: epochMillis(0) }]);
    return found && [found.settled, found.reserved];
  };
  return { admits: admitter(parts), state, decided, rebuilds, level };
}
const settlement = (n: number, cost: number) => ({ ...demand(n, 0), cost: nanoUsd(cost) as NanoUsd });

describe('with counters that answer', () => {
  test('sums that are not known are made from the ledger, and the request goes by them', async () => {
    const { admits, rebuilds } = stage({}, sumsOf(950));
    assert.equal((await admits.reserve(demand(1, 60), claimant('LocalShare'), row)).kind, 'exhausted');
    const granted = await admits.reserve(demand(2, 50), claimant('LocalShare'), row);
    assert.deepEqual([granted.kind, granted.kind === 'granted' && granted.copied], ['granted', true]);
    assert.deepEqual(rebuilds, ['t']);
    assert.equal(admits.remainder(demand(3, 1)), 0);
  });

  test('a settlement is made at once', async () => {
    const { admits, level } = stage();
    await admits.reserve(demand(1, 100), claimant('LocalShare'), row);
    admits.settle(settlement(1, 70), claimant('LocalShare'), []);
    await until('it is settled', async () => (await level())?.[0] === 70);
    assert.deepEqual(await level(), [70, 0]);
    assert.equal(admits.waiting(), 0);
  });
});

describe('with counters that are away', () => {
  test('Allow lets every request pass, Deny none', async () => {
    const { admits, state, decided } = stage();
    state.away = true;
    assert.equal((await admits.reserve(demand(1, 5000), claimant('Allow'), row)).kind, 'granted');
    assert.equal((await admits.reserve(demand(2, 1), claimant('Deny'), row)).kind, 'unavailable');
    assert.deepEqual(decided, ['Allow true', 'Deny false']);
  });

  test('LocalShare gives this process its part of what was left, and of each limit, and no more', async () => {
    const { admits, state } = stage();
    await admits.reserve(demand(1, 400), claimant('LocalShare'), row);
    state.away = true;
    const kinds: string[] = [];
    for (let n = 2; n < 6; n++) kinds.push((await admits.reserve(demand(n, 100), claimant('LocalShare'), row)).kind);
    // 600 are left, 2 pods: 300.
    assert.deepEqual(kinds, ['granted', 'granted', 'granted', 'unavailable']);
    const limited = { budgets: [], limits: [{ id: 'rpm', kind: 'requests' as const, max: 5 }] };
    const requests: string[] = [];
    for (let n = 6; n < 9; n++) requests.push((await admits.reserve(demand(n, 0, limited), claimant('LocalShare'), row)).kind);
    assert.deepEqual(requests, ['granted', 'granted', 'unavailable']);
  });

  test('LocalShare of an account that was never heard of goes by the ledger, and by nothing where that is away too', async () => {
    const known = stage({}, sumsOf(800));
    known.state.away = true;
    assert.equal((await known.admits.reserve(demand(1, 100), claimant('LocalShare'), row)).kind, 'granted');
    assert.equal((await known.admits.reserve(demand(2, 1), claimant('LocalShare'), row)).kind, 'unavailable');
    const unknown = stage({ sums: async () => undefined });
    unknown.state.away = true;
    assert.equal((await unknown.admits.reserve(demand(1, 1), claimant('LocalShare'), row)).kind, 'unavailable');
  });

  test('a request without limits and budgets passes under LocalShare', async () => {
    const { admits, state } = stage({ sums: async () => undefined });
    state.away = true;
    assert.equal((await admits.reserve(demand(1, 100, { budgets: [] }), claimant('LocalShare'), row)).kind, 'granted');
  });

  test('what was spent meanwhile reaches the counters when they are back, once, and the next outage starts from there', async () => {
    const { admits, state, level } = stage();
    await admits.reserve(demand(1, 100), claimant('LocalShare'), row);
    state.away = true;
    await admits.reserve(demand(2, 200), claimant('LocalShare'), row);
    admits.settle(settlement(1, 90), claimant('LocalShare'), []);
    admits.settle(settlement(2, 150), claimant('LocalShare'), []);
    await until('both wait', async () => admits.waiting() === 2);
    state.away = false;
    await until('nothing waits', async () => admits.waiting() === 0);
    assert.deepEqual(await level(), [240, 0]);
    assert.equal(state.settles, 2);
    admits.close();
  });

  test('what passed meanwhile is held in the counters as soon as they answer, beyond the budget too, and once', async () => {
    const { admits, state, level } = stage();
    await admits.reserve(demand(1, 100), claimant('Deny'), row);
    state.away = true;
    await admits.reserve(demand(2, 300), claimant('LocalShare'), row);
    await admits.reserve(demand(3, 900), claimant('Allow'), row);
    await admits.reserve(demand(4, 50), claimant('Allow'), row);
    admits.settle(settlement(4, 40), claimant('Allow'), []);
    state.away = false;
    await until('what ended is settled', async () => admits.waiting() === 0);
    assert.equal((await admits.reserve(demand(5, 10), claimant('Deny'), row)).kind, 'granted');
    await until('both are held', async () => (await level())?.[1] === 100 + 300 + 900 + 10);
    assert.equal((await admits.reserve(demand(6, 10), claimant('Deny'), row)).kind, 'exhausted');
    for (const [n, cost] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [5, 4],
    ] as const)
      admits.settle(settlement(n, cost), claimant('Deny'), []);
    await until('all is settled', async () => (await level())?.[1] === 0);
    assert.deepEqual(await level(), [50, 0]);
    admits.close();
  });

  test('an extension follows the mode of its key', async () => {
    const { admits, state } = stage();
    await admits.reserve(demand(1, 100), claimant('LocalShare'), row);
    state.away = true;
    const more = (cost: number) => ({ ...demand(1, cost), limits: [] });
    assert.equal((await admits.extend(more(5000), claimant('Allow'), [])).kind, 'granted');
    assert.equal((await admits.extend(more(1), claimant('Deny'), [])).kind, 'unavailable');
    assert.equal((await admits.extend(more(400), claimant('LocalShare'), [])).kind, 'granted');
    assert.equal((await admits.extend(more(400), claimant('LocalShare'), [])).kind, 'unavailable');
  });
});

test('a request without limits and budgets of which no copy is kept is no business of the counters, however often it is sent', async () => {
  const { admits, state, decided } = stage({ keepsCopies: false });
  const [asked, key] = [demand(1, 5, { budgets: [] }), claimant('Deny')];
  const granted = { kind: 'granted', copied: false, failMode: undefined };
  assert.partialDeepStrictEqual(await admits.reserve(asked, key, row), granted);
  assert.deepEqual(await admits.extend(asked, key, [row]), granted);
  admits.settle(asked, key, [row]);
  assert.deepEqual([decided, state.settles], [[], 0]);
});

test('what the counters hold of a request that got no answer, and was refused then, is given back', async () => {
  const { counters } = switchable();
  const forgotten: object[] = [];
  const late: Counters = {
    ...counters,
    async reserve(request, copy) {
      await counters.reserve(request, copy);
      throw new CountersAway('no answer', true);
    },
    forget: async (_, rows) => void forgotten.push(...rows),
  };
  await counters.rebuild('t', sumsOf(0));
  const { admits } = stage({ counters: late });
  assert.equal((await admits.reserve(demand(1, 100), claimant('Deny'), row)).kind, 'unavailable');
  await admits.close();
  const [level] = await counters.levels('t', [{ account: 'a', period: epochMillis(0) }]);
  assert.equal(level?.reserved, 0);
  assert.deepEqual(forgotten, [{ requestId: demand(1, 100).id, attempt: row.attempt }]);
});

test('requests that know nothing of what is left wait for one answer of the ledger; one that comes too late serves whoever comes then', async () => {
  let asked = 0;
  let answer = (_: TenantSums) => {};
  const sums = () => {
    asked++;
    return new Promise<TenantSums>(resolve => {
      answer = resolve;
    });
  };
  const { admits, state } = stage({ sums, patience: { lost: 20, unheard: 20 } });
  state.away = true;
  const first = await Promise.all([1, 2, 3].map(i => admits.reserve(demand(i, 100), claimant('LocalShare'), row)));
  assert.deepEqual(
    first.map(({ kind }) => kind),
    ['unavailable', 'unavailable', 'unavailable'],
  );
  assert.equal(asked, 1);
  answer(sumsOf(0));
  await new Promise(setImmediate);
  assert.equal((await admits.reserve(demand(4, 100), claimant('LocalShare'), row)).kind, 'granted');
  admits.close();
});

test('sums that take too long to make leave the request to the mode of its key', async () => {
  const { admits, decided } = stage({ rebuild: (_, __, patienceMs) => sleep(patienceMs, false) });
  assert.equal((await admits.reserve(demand(1, 1), claimant('Deny'), row)).kind, 'unavailable');
  assert.deepEqual(decided, ['Deny false']);
});

test('a request waits for sums that this process never heard of; sums that got lost leave it to the mode of its key at once', async () => {
  const real = memoryCounters({ now: () => NOW });
  let [lost, asked] = [false, 0];
  const counters: Counters = {
    ...real,
    reserve: async (...args) => (lost ? { kind: 'unknown', accounts: ['a'] } : real.reserve(...args)),
    settle: real.settle.bind(real),
  };
  const { admits, decided } = stage({
    counters,
    patience: { lost: 1, unheard: 5_000 },
    // Other processes have to bring their rows to the ledger first.
    rebuild: async tenant => {
      if (lost || ++asked < 3) return false;
      await real.rebuild(tenant, sumsOf(0));
      return true;
    },
  });
  assert.equal((await admits.reserve(demand(1, 100), claimant('Deny'), row)).kind, 'granted');
  assert.deepEqual([asked, decided], [3, []]);
  lost = true;
  const startedAt = performance.now();
  assert.equal((await admits.reserve(demand(2, 100), claimant('LocalShare'), row)).kind, 'granted');
  assert.ok(performance.now() - startedAt < 1_000);
  assert.deepEqual(decided, ['LocalShare true']);
});
