import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nanoUsd } from '../units.ts';
import { limitShare, shareOf } from './share.ts';

describe('the share of one process', () => {
  const amount = fc.maxSafeNat();
  const pods = fc.integer({ min: 1, max: 10_000 });

  test('times the processes is never more than there is, and less by fewer units than there are processes', () => {
    fc.assert(
      fc.property(amount, pods, (remaining, count) => {
        const together = BigInt(shareOf(nanoUsd(remaining), count)) * BigInt(count);
        assert.ok(together <= BigInt(remaining) && BigInt(remaining) - together < BigInt(count));
        assert.equal(limitShare(remaining, count), shareOf(nanoUsd(remaining), count));
      }),
    );
  });
  test('of nothing, or of less, is nothing', () => {
    assert.deepEqual([shareOf(nanoUsd(0), 3), shareOf(nanoUsd(-5), 3), limitShare(2, 3)], [0, 0, 0]);
  });
  test('is the whole where it counts no other process, and where it counts not even itself', () => {
    assert.deepEqual([limitShare(7, 1), limitShare(7, 0)], [7, 7]);
  });
});
