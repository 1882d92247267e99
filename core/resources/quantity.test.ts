import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { durationOf, scaled } from './quantity.ts';

test('decimal text becomes an exact integer, where a float would be off', () => {
  assert.equal(scaled('2.50', 6), 2_500_000);
  assert.equal(scaled('0.000001', 6), 1);
  assert.equal(scaled('9000000', 6), 9_000_000_000_000);
  assert.equal(scaled('4.35', 2), 435); // 4.35 * 100 is 434.99999999999994
  assert.equal(scaled('1.005', 3), 1005);
});

test('exponents, as JSON prices have them, move the point', () => {
  assert.equal(scaled('2.5e-06', 12), 2_500_000);
  assert.equal(scaled('1e-7', 12), 100_000);
  assert.equal(scaled('3E+2', 0), 300);
});

test('what is finer than the unit is rounded half up', () => {
  assert.deepEqual(
    ['0.4', '0.5', '1.49', '1.5'].map(text => scaled(text, 0)),
    [0, 1, 1, 2],
  );
});

test('what is no number from 0 to 2^53 is none', () => {
  for (const text of ['', '-1', 'NaN', '1,5', '0x10', ' 1', '1e999', '.5', '9007199254740993'])
    assert.equal(scaled(text, 0), undefined, text);
});

test('an integer and its decimals come back whatever they are', () => {
  fc.assert(
    fc.property(fc.nat(8_999_999), fc.nat(999_999), (whole, millionths) => {
      assert.equal(scaled(`${whole}.${String(millionths).padStart(6, '0')}`, 6), whole * 1_000_000 + millionths);
    }),
  );
});

test('durations are those of Go', () => {
  assert.deepEqual(
    ['250ms', '30s', '1.5s', '10m', '24h', '1h30m', '1m0.5s'].map(durationOf),
    [250, 30_000, 1500, 600_000, 86_400_000, 5_400_000, 60_500],
  );
});
