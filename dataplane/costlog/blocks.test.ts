import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  answered,
  blocksOf,
  firstIdAt,
  intersection,
  joined,
  type Mark,
  QUARTER,
  staleBlocks,
  TIERS,
  without,
} from './blocks.ts';

const DAY = TIERS[2];
const quarter = fc.nat(40 * 96).map(n => n * QUARTER);
const marks: fc.Arbitrary<Mark[]> = fc.array(
  fc
    .record({ tier: fc.nat(2), admitted: quarter })
    .map(({ tier, admitted }) => ({ tier, admitted: admitted - (admitted % TIERS[tier]!) })),
  { maxLength: 120 },
);
const interval = fc.tuple(fc.nat(500), fc.nat(500)).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) + 1 }));
const isIn = (list: readonly { readonly from: number; readonly to: number }[], at: number) =>
  list.filter(({ from, to }) => at >= from && at < to).length;

test('for blocks of every size, each moment of admission is answered by exactly one tier, or by the rows', () => {
  fc.assert(
    fc.property(marks, quarter, fc.nat(2), (marked, admitted, wanted) => {
      const stale = staleBlocks(marked);
      const tiers = TIERS.flatMap((_, tier) => (tier > wanted ? [] : [isIn(answered(stale, tier, wanted), admitted)]));
      assert.equal(tiers.reduce((sum, n) => sum + n, 0) + isIn(stale[0]!, admitted), 1);
    }),
  );
});

test('no tier answers for a block with a mark of its own or of a smaller block within', () => {
  fc.assert(
    fc.property(marks, fc.nat(2), (marked, tier) => {
      const stale = staleBlocks(marked);
      for (const mark of marked) if (mark.tier <= tier) assert.equal(isIn(answered(stale, tier, tier), mark.admitted), 0);
    }),
  );
});

test('a statement never names more than a few stale stretches, however scattered the marks are', () => {
  const scattered = Array.from({ length: 5000 }, (_, i) => ({ tier: 0, admitted: i * 7 * QUARTER }));
  for (const stretches of staleBlocks(scattered)) assert.ok(stretches.length <= 48);
});

test('a range is cut into whole blocks, the largest that fit, and edges shorter than the smallest', () => {
  fc.assert(
    fc.property(fc.nat(9 * DAY), fc.nat(9 * DAY), (a, b) => {
      const range = { from: Math.min(a, b), to: Math.max(a, b) };
      const { slots, edges } = blocksOf(range);
      const all = [...slots, ...edges].toSorted((x, y) => x.from - y.from);
      assert.deepEqual(joined(all, 0), range.from < range.to ? [range] : []);
      for (const [i, part] of all.slice(1).entries()) assert.equal(part.from, all[i]!.to);
      for (const { tier, from, to } of slots) assert.deepEqual([from % TIERS[tier]!, to % TIERS[tier]!], [0, 0]);
      for (const { from, to } of edges) assert.ok(to - from < QUARTER * 2 && edges.length <= 2);
    }),
  );
});

test('without and intersection part a range', () => {
  fc.assert(
    fc.property(interval, fc.array(interval), fc.nat(500), (whole, list, at) => {
      const parts = joined(list, 0);
      assert.equal(isIn(without([whole], parts), at), isIn([whole], at) && 1 - isIn(parts, at));
      assert.equal(isIn(intersection([whole], parts), at), isIn([whole], at) && isIn(parts, at));
    }),
  );
});

test('the first request id of a moment sorts before all of it and after all before it', () => {
  assert.equal(firstIdAt(0x0190_0000_1234), '01900000-1234-0000-0000-000000000000');
  assert.equal(firstIdAt(-5), '00000000-0000-0000-0000-000000000000');
  assert.ok(firstIdAt(1000) > '00000000-03e7-7fff-bfff-ffffffffffff');
});
