// Settlements that the counters do not take at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settled, Settlement } from '#core/admission/demand.ts';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import { until } from '#test/support/until.ts';
import { CountersAway } from '../counters/counters.ts';
import type { Claimant } from './admission.ts';
import { SettleQueue } from './settle-queue.ts';

const key: Claimant = {
  entry: { namespace: 'n', name: 'k', onStoreFailure: 'LocalShare' },
  demands: { accounts: () => [{ account: 'a', span: { start: epochMillis(0), end: undefined }, counts: () => true }] },
};
const settlement = (id: string): Settlement => ({
  tenant: 't',
  id,
  limits: [],
  budgets: [],
  cost: nanoUsd(1),
  tokens: tokens(0),
});
const settled: Settled = { kind: 'settled', levels: [], crossed: [], exceeded: false };

function stage(answers: (id: string, time: number) => Settled | Error) {
  const time = { now: 0 };
  const [asked, taken, rebuilt]: string[][] = [[], [], []];
  let drained = 0;
  const queue = new SettleQueue({
    counters: {
      async settle({ id }) {
        asked!.push(id);
        const answer = answers(id, time.now);
        if (answer instanceof Error) throw answer;
        return answer;
      },
      forget: async () => {},
    },
    rebuild: async tenant => {
      rebuilt!.push(tenant);
      return true;
    },
    onSettled: ({ id }) => taken!.push(id),
    onDrained: () => drained++,
    now: () => time.now,
  });
  return { queue, time, asked: asked!, taken: taken!, rebuilt: rebuilt!, drained: () => drained };
}

test('what is refused is sent again until it is taken', async () => {
  let tries = 0;
  const { queue, taken, drained } = stage(() => (++tries < 3 ? new CountersAway('away', false) : settled));
  queue.add(settlement('r'), key, []);
  await until('it is taken', async () => taken.length === 1);
  assert.deepEqual([tries, queue.size, drained()], [3, 0, 1]);
});

test('unknown accounts are rebuilt, and the settlement waits for that', async () => {
  let tries = 0;
  const { queue, taken, rebuilt } = stage(() => (++tries < 2 ? { kind: 'unknown', accounts: ['a'] } : settled));
  queue.add(settlement('r'), key, []);
  await until('it is taken', async () => taken.length === 1);
  assert.deepEqual(rebuilt, ['t']);
});

test('what the counters may have done and forgotten is not asked for again', async () => {
  const { queue, time, asked } = stage(() => new CountersAway('no answer', true));
  queue.add(settlement('r'), key, []);
  await until('it was asked for', async () => asked.length === 1);
  time.now = 200_000;
  await until('it is given up', async () => queue.size === 0);
  assert.ok(asked.length < 3);
});

test('what was never asked waits for as long as it takes', async () => {
  const { queue, time, asked } = stage(() => new CountersAway('away', false));
  queue.add(settlement('r'), key, []);
  await until('it was asked for', async () => asked.length === 1);
  time.now = 200_000;
  const before = asked.length;
  await until('it is tried again', async () => asked.length > before + 1);
  assert.equal(queue.size, 1);
  queue.forget(queue.ids());
  assert.equal(queue.size, 0);
});

test('closing sends what is fresh and waits for its answer', async () => {
  const { queue, taken } = stage(() => settled);
  queue.add(settlement('r'), key, []);
  await queue.close();
  assert.equal(taken.length, 1);
});
