import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { costRecord, requestIdAt } from '#test/support/cost-records.ts';
import { cleaned } from './clean.ts';

const cleanRow = (row: CostRecord): CostRecord => JSON.parse(cleaned(row, JSON.stringify(row)));

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('\0', 'a\0b', '\uD800', '\\u0000', 'x'.repeat(513), `${'x'.repeat(511)}\u{1F600}`),
);
const anyNumber = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300));

test('whatever is in a row, its text is bounded, well-formed and without NUL, and its numbers are some', () => {
  fc.assert(
    fc.property(
      anyText,
      anyText,
      fc.dictionary(anyText, anyText, { noNullPrototype: true }),
      anyNumber,
      (userId, model, tags, number) => {
        const fields = { userId, model, tags, cost: number, duration: number, gpuSeconds: number, upstreamStatus: number };
        const row = cleanRow(costRecord(0, fields as never));
        for (const text of [row.userId!, row.model, ...Object.entries(row.tags).flat()])
          assert.ok(text.length <= 512 && text.isWellFormed() && !text.includes('\0'));
        assert.ok(Number.isSafeInteger(row.cost) && Number.isInteger(row.upstreamStatus) && Number.isFinite(row.duration));
        assert.ok(row.gpuSeconds === undefined || Number.isFinite(row.gpuSeconds));
        assert.deepEqual(cleanRow(row), row);
      },
    ),
  );
});

test('the JSON of a row that is well already is not made again', () => {
  const row = costRecord(0, { requestId: requestIdAt(1), userId: 'é, "quoted" and 𝒳' });
  assert.equal(cleaned(row, 'whatever it is'), 'whatever it is');
});

test('of many tags the first 64 stay', () => {
  const tags = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`t${i}`, 'x']));
  assert.deepEqual(Object.keys(cleanRow(costRecord(0, { tags })).tags), Object.keys(tags).slice(0, 64));
});
