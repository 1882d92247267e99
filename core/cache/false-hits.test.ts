import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FalseHits, learntThreshold } from './false-hits.ts';

const route = { match: 'Balanced', similarity: 0.8, falseHitBudget: 0.01 } as const;
const sampled = (hits: FalseHits, ...answers: readonly boolean[]) => answers.map(isRight => hits.sampled(isRight));

test('a few samples say little', () => {
  const hits = new FalseHits(route);
  assert.ok(sampled(hits, ...Array(9).fill(false)).every(tightened => !tightened));
  assert.deepEqual(hits.strictness, { match: 'Balanced', similarity: 0.8 });
  assert.deepEqual([hits.estimate.samples, hits.estimate.wrong], [9, 9]);
});

test('too many wrong ones tighten the mode step by step, then the threshold, to the same words alone', () => {
  const hits = new FalseHits(route);
  const seen: unknown[] = [];
  for (let i = 0; i < 80; i++) if (hits.sampled(false)) seen.push({ ...hits.strictness });
  assert.deepEqual(seen.slice(0, 3), [
    { match: 'Careful', similarity: 0.8 },
    { match: 'Strict', similarity: 0.8 },
    { match: 'Strict', similarity: 0.85 },
  ]);
  assert.ok(hits.strictness.similarity > 1);
});

test('a share within the budget, or one that may well be, tightens nothing', () => {
  const hits = new FalseHits({ ...route, falseHitBudget: 0.1 });
  for (let i = 0; i < 200; i++) assert.equal(hits.sampled(i % 20 !== 0), false);
  const { low, high, samples } = hits.estimate;
  assert.ok(samples === 200 && low < 0.05 && high > 0.05);
});

test('without a budget it is told and nothing follows', () => {
  const hits = new FalseHits({ match: 'Careful', similarity: 0.8 });
  assert.ok(sampled(hits, ...Array(50).fill(false)).every(tightened => !tightened));
});

test('what is learnt for an entry only rises', () => {
  assert.equal(learntThreshold(undefined, 0.9), 0.905);
  assert.equal(learntThreshold(0.95, 0.9), 0.95);
  assert.equal(learntThreshold(0.9, 1), 1);
});
