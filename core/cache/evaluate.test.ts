import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Judged, missesByReason, pairsOf, scoresOf, wilson } from './evaluate.ts';

describe("Wilson's interval", () => {
  test('is that of the textbooks', () => {
    const [low, high] = wilson(10, 100);
    assert.ok(Math.abs(low - 0.0552) < 1e-3 && Math.abs(high - 0.1744) < 1e-3);
  });

  test('of no success still has an upper bound, and of no trial says nothing', () => {
    assert.equal(wilson(0, 714)[0], 0);
    assert.ok(Math.abs(wilson(0, 714)[1] - 0.00535) < 1e-4);
    assert.equal(wilson(5, 5)[1], 1);
    assert.deepEqual(wilson(0, 0), [0, 1]);
  });
});

test('pairs are read with or without a head, a source and a carriage return', () => {
  assert.deepEqual(pairsOf('label\ta\tb\tsource\r\n1\tx\ty\tz\r\n\n0\tp\tq').pairs, [
    { same: true, a: 'x', b: 'y', source: 'z' },
    { same: false, a: 'p', b: 'q', source: '' },
  ]);
  assert.deepEqual(pairsOf('yes\tx\ty').faults.length, 1);
});

test('scores count hits among positives and negatives, and reasons among missed positives', () => {
  const judged = (same: boolean, refusedBy?: string): Judged => ({
    same,
    a: '',
    b: '',
    source: '',
    similarity: 1,
    decision: refusedBy === undefined ? { hit: true } : { hit: false, refusedBy, detail: '' },
  });
  const all = [judged(true), judged(true, 'num'), judged(true, 'num'), judged(true, 'qt'), judged(false), judged(false, 'neg')];
  assert.deepEqual(scoresOf(all), { positives: 4, served: 1, negatives: 2, falseHits: 1 });
  assert.deepEqual(
    [...missesByReason(all)],
    [
      ['num', 2],
      ['qt', 1],
    ],
  );
});
