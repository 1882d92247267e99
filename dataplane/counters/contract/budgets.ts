// The contract of counters: budgets and their periods.
import assert from 'node:assert/strict';
import { nanoUsd } from '#core/units.ts';
import { budget, JULY, JUNE, rpm, type Says, slots } from './caller.ts';

export function budgets(says: Says): void {
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
