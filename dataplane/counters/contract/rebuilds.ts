// The contract of counters: sums that are rebuilt and reservations whose process died.
import assert from 'node:assert/strict';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import { budget, JUNE, LEASE, MAY, rpm, type Says, slots, tpm } from './caller.ts';

export function rebuilds(says: Says): void {
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
    await caller.know([b], { settled: 70, open, settledLately: [{ id: 'a', settled: nanoUsd(5) }] });
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
    await caller.know([b], { settled: 40, settledLately: [{ id: 'a', settled: nanoUsd(40) }] });
    assert.deepEqual(await caller.settle({ id: 'a', cost: 40, budgets: [b] }), { kind: 'repeated' });
    assert.deepEqual(await caller.level(b), [40, 0]);
    assert.equal((await caller.settle({ id: 'b', cost: 1, budgets: [b] })).kind, 'settled');
  });

  says('a request with one attempt in the sums and one open or to come adds what goes beyond them', async caller => {
    const b = budget(100);
    const settledLately = ['a', 'b', 'c'].map(id => ({ id, settled: nanoUsd(5) }));
    const open = [{ id: 'a', cost: nanoUsd(30), leaseUntil: LEASE, accounts: [b.account] }];
    await caller.know([b], { settled: 15, open, settledLately });
    await caller.settle({ id: 'a', cost: 25, budgets: [b] });
    assert.deepEqual(await caller.level(b), [35, 0]);
    assert.equal((await caller.settle({ id: 'b', cost: 12, budgets: [b] })).kind, 'settled');
    assert.deepEqual(await caller.level(b), [42, 0]);
    await caller.settle({ id: 'c', cost: 2, budgets: [b] });
    assert.deepEqual(await caller.level(b), [39, 0], 'one that was recovered at its reservation, and cost less');
  });

  says('a request that one account was built with still counts in the others', async caller => {
    const [old, fresh] = [budget(100, { account: 'old' }), budget(100, { account: 'fresh' })];
    await caller.know([old]);
    await caller.reserve({ id: 'a', cost: 9, limits: [slots(1)], budgets: [old] });
    await caller.know([fresh], { settled: 7, settledLately: [{ id: 'a', settled: nanoUsd(7) }] });
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

export function leases(says: Says): void {
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
