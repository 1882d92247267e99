import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TenantSpend } from '#core/admission/sums.ts';
import { rebuilder } from './rebuild.ts';

const nothing: TenantSpend = { sums: [], open: [], settledLately: [] };

/** @param epochs what is answered, in order; the last one from then on */
function stage(...epochs: readonly (string | undefined)[]) {
  const done: string[] = [];
  let asked = 0;
  const rebuild = rebuilder({
    counters: { rebuild: async () => void done.push('written') },
    ledger: {
      spend: async () => {
        done.push('read');
        return nothing;
      },
    },
    flushed: async () => void done.push('flushed'),
    epoch: async () => epochs[Math.min(asked++, epochs.length - 1)],
    now: () => 1_000_000,
    onRebuilt: () => {},
    onError: (_, error) => assert.fail(String(error)),
  });
  return { done, rebuild };
}

test('sums are written from the ledger once the rows of all processes are there, this one first', async () => {
  const { done, rebuild } = stage('a');
  assert.equal(await rebuild('t', [], 1000), true);
  assert.deepEqual(done, ['flushed', 'read', 'written']);
});

test('sums are not made before the others have brought in their rows', async () => {
  const { done, rebuild } = stage(undefined);
  assert.equal(await rebuild('t', [], 1000), false);
  assert.deepEqual(done, []);
});

test('sums that were read before a loss became known are not written: the others may have rows that they lack', async () => {
  for (const later of ['b', undefined]) {
    const { done, rebuild } = stage('a', later);
    assert.equal(await rebuild('t', [], 1000), false);
    assert.deepEqual(done, ['flushed', 'read']);
  }
});

test('a thousand requests that find sums missing make them once', async () => {
  const { done, rebuild } = stage('a');
  const all = await Promise.all(Array.from({ length: 1000 }, () => rebuild('t', [], 1000)));
  assert.ok(all.every(Boolean));
  assert.deepEqual(done, ['flushed', 'read', 'written']);
});
