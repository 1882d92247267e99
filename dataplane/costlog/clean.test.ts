import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { costRecord, requestIdAt } from '#test/support/cost-records.ts';
import { cleaned } from './clean.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('\0', 'a\0b', '\uD800', '\\u0000', 'x'.repeat(513), `${'x'.repeat(511)}\u{1F600}`),
);
const anyNumber = fc.oneof(fc.double(), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300));

test('whatever is in a row, its text is bounded, well-formed and without NUL, its numbers are some, and the JSON is that of the rows', () => {
  fc.assert(
    fc.property(
      anyText,
      anyText,
      fc.dictionary(anyText, anyText, { noNullPrototype: true }),
      anyNumber,
      (userId, model, tags, number) => {
        const fields = { userId, model, tags, cost: number, duration: number, gpuSeconds: number, upstreamStatus: number };
        const { rows, json } = cleaned([costRecord(0, fields as never)]);
        const [row] = rows;
        for (const text of [row!.userId!, row!.model, ...Object.entries(row!.tags).flat()])
          assert.ok(text.length <= 512 && text.isWellFormed() && !text.includes('\0'));
        assert.ok(Number.isSafeInteger(row!.cost) && Number.isInteger(row!.upstreamStatus) && Number.isFinite(row!.duration));
        assert.ok(row!.gpuSeconds === undefined || Number.isFinite(row!.gpuSeconds));
        assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(rows)));
        assert.equal(cleaned(rows).json, json);
      },
    ),
  );
});

test('rows that are well already are not copied', () => {
  const rows = [costRecord(0, { requestId: requestIdAt(1), userId: 'é, "quoted" and 𝒳' })];
  assert.equal(cleaned(rows).rows, rows);
});

test('of many tags the first 64 stay', () => {
  const tags = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`t${i}`, 'x']));
  assert.deepEqual(Object.keys(cleaned([costRecord(0, { tags })]).rows[0]!.tags), Object.keys(tags).slice(0, 64));
});
