import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lent, type Loan } from './lent.ts';

const MINUTE = 60_000;

/** A lender who is told what to answer, and a clock that is set. */
function lending(patience = MINUTE) {
  const asked: PromiseWithResolvers<Loan<string>>[] = [];
  let now = 0;
  const ask = () => {
    const answer = Promise.withResolvers<Loan<string>>();
    asked.push(answer);
    return answer.promise;
  };
  const lent = new Lent<string>({ ask, patience, now: () => now });
  return {
    lent,
    asked,
    at: (time: number) => {
      now = time;
    },
  };
}

/** Lets what was answered reach who waits for it. */
const settled = () => new Promise(resolve => setImmediate(resolve));

describe('what is lent', () => {
  test('is asked for once by all who want it at the same time', async () => {
    const { lent, asked } = lending();
    const all = Promise.all([lent.get(), lent.get(), lent.get()]);
    asked[0]!.resolve({ value: 'a', endsAt: 60 * MINUTE });
    assert.deepEqual([await all, await lent.get(), asked.length], [['a', 'a', 'a'], 'a', 1]);
  });

  test('serves while a new one is asked for, and until its end where none can be had', async () => {
    const { lent, asked, at } = lending();
    const first = lent.get();
    asked[0]!.resolve({ value: 'a', endsAt: 60 * MINUTE });
    await first;
    at(57 * MINUTE);
    assert.deepEqual([await lent.get(), await lent.get(), asked.length], ['a', 'a', 2]);
    asked[1]!.reject(new Error('down'));
    await settled();
    assert.deepEqual([await lent.get(), asked.length], ['a', 2]);
    at(58 * MINUTE);
    assert.deepEqual([await lent.get(), asked.length], ['a', 3]);
    asked[2]!.resolve({ value: 'b', endsAt: 118 * MINUTE });
    await settled();
    assert.deepEqual([await lent.get(), asked.length], ['b', 3]);
  });

  test('is not given once it has ended', async () => {
    const { lent, asked, at } = lending();
    const first = lent.get();
    asked[0]!.resolve({ value: 'a', endsAt: MINUTE });
    await first;
    at(MINUTE);
    const next = lent.get();
    asked[1]!.reject(new Error('down'));
    await assert.rejects(next, /down/);
    const again = lent.get();
    asked[2]!.resolve({ value: 'b' });
    assert.equal(await again, 'b');
    at(10_000 * MINUTE);
    assert.deepEqual([await lent.get(), asked.length], ['b', 3]);
  });

  test('is not waited for longer than a lender may take, and the next one asks anew', async () => {
    const { lent, asked } = lending(1);
    await assert.rejects(lent.get(), /no answer within/);
    const next = lent.get();
    assert.equal(asked.length, 2);
    asked[1]!.resolve({ value: 'b' });
    assert.equal(await next, 'b');
  });
});
