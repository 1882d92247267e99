// The contract of counters: ends of requests and what is added on the way.
import assert from 'node:assert/strict';
import { nanoUsd } from '#core/units.ts';
import { budget, LEASE, rpm, type Says, slots, tpm } from './caller.ts';

export function ends(says: Says): void {
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

export function extensions(says: Says): void {
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
