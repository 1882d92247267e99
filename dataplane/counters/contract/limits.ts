// The contract of counters: limits and slots.
import assert from 'node:assert/strict';
import { budget, rpm, type Says, slots, tpm } from './caller.ts';

export function limits(says: Says): void {
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
