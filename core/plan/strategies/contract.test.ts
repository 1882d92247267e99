// One contract for every strategy of the table.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Candidate } from '../candidate.ts';
import { aCandidate } from '../testing.ts';
import { strategies } from './index.ts';

const someCandidates = fc
  .array(fc.integer({ min: 0, max: 10 }), { maxLength: 8 })
  .map(weights => weights.map((weight, i) => aCandidate(`b${i}`, { weight })));
const someContext = fc.record({
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  turn: fc.nat(),
});
const names = (candidates: readonly Candidate[]) => candidates.map(c => c.backend);

for (const [name, strategy] of Object.entries(strategies))
  describe(name, () => {
    test('orders exactly the candidates it is given', () => {
      fc.assert(
        fc.property(someCandidates, someContext, (candidates, context) => {
          assert.deepEqual(names(strategy(candidates, context)).sort(), names(candidates).sort());
        }),
      );
    });
    test('gives the same order for the same random number and turn', () => {
      fc.assert(
        fc.property(someCandidates, someContext, (candidates, context) => {
          assert.deepEqual(strategy(candidates, context), strategy(candidates, context));
        }),
      );
    });
    test('begins with a candidate of weight 0 only when there is no other', () => {
      fc.assert(
        fc.property(someCandidates, someContext, (candidates, context) => {
          const first = strategy(candidates, context)[0];
          if (first && candidates.some(c => c.weight > 0)) assert.ok(first.weight > 0);
        }),
      );
    });
  });

const shares = (strategy: keyof typeof strategies, candidates: readonly Candidate[], requests: number) => {
  const counts = new Map<string, number>();
  for (let turn = 0; turn < requests; turn++) {
    const first = strategies[strategy](candidates, { random: (turn * 0.6180339887498949) % 1, turn })[0]!;
    counts.set(first.backend, (counts.get(first.backend) ?? 0) + 1);
  }
  return counts;
};

test('Weighted sends first choices in proportion to the weights', () => {
  const counts = shares('Weighted', [aCandidate('a', { weight: 3 }), aCandidate('b', { weight: 1 })], 4000);
  assert.ok(Math.abs(counts.get('a')! - 3000) < 40, `a got ${counts.get('a')} of 4000`);
});

test('Weighted orders the rest by the same rule', () => {
  const candidates = [aCandidate('a', { weight: 1 }), aCandidate('b', { weight: 3 }), aCandidate('c', { weight: 1 })];
  let second = 0;
  let total = 0;
  for (let i = 0; i < 5000; i++) {
    const [first, then] = strategies.Weighted(candidates, { random: (i + 0.5) / 5000, turn: 0 });
    if (first!.backend !== 'a') continue;
    total++;
    if (then!.backend === 'b') second++;
  }
  assert.ok(Math.abs(second / total - 0.75) < 0.02, `b follows a in ${second} of ${total}`);
});

test('RoundRobin takes turns', () => {
  const counts = shares('RoundRobin', [aCandidate('a', { weight: 5 }), aCandidate('b'), aCandidate('c')], 300);
  assert.deepEqual([...counts.values()], [100, 100, 100]);
});
