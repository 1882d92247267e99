import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { millis } from '../units.ts';
import { Sketch } from './sketch.ts';

const window = millis(10_000);
const latency = fc.oneof(
  fc.integer({ min: 1, max: 50 }),
  fc.integer({ min: 1, max: 3_600_000 }),
  fc.double({ min: 1, max: 2_000, noNaN: true }),
);

test('a percentile is within 2 % of the exact one, whatever the distribution', () => {
  fc.assert(
    fc.property(fc.array(latency, { minLength: 5, maxLength: 400 }), fc.integer({ min: 1, max: 99 }), (values, percentile) => {
      const sketch = new Sketch();
      sketch.percentile(percentile, window, 0);
      for (const value of values) sketch.add(value, 500);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil((values.length * percentile) / 100) - 1]!;
      const told = sketch.percentile(percentile, window, 600)!;
      assert.ok(Math.abs(told - exact) <= exact * 0.02 + 1e-6, `${told} for ${exact}`);
    }),
    { numRuns: 300 },
  );
});

test('what has left the window does not count, what is within nine tenths of it does', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ after: fc.nat(3_000), slow: fc.boolean() }), { minLength: 20, maxLength: 100 }), steps => {
      const sketch = new Sketch();
      let now = 1_000_000;
      sketch.percentile(99, window, now);
      const made: { at: number; slow: boolean }[] = [];
      for (const { after, slow } of steps) {
        now += after;
        sketch.add(slow ? 1_000 : 10, now);
        made.push({ at: now, slow });
      }
      now += 200;
      const told = sketch.percentile(99, window, now);
      const within = (ms: number) => made.filter(({ at }) => at > now - ms);
      if (within(9_000).length >= 5) assert.ok(told !== undefined);
      if (told === undefined) return assert.ok(within(9_000).length < 5);
      if (told > 500) assert.ok(within(10_000).some(({ slow }) => slow));
      else assert.ok(within(9_000).every(({ slow }) => !slow));
    }),
  );
});

test('too few tell nothing, an answer stands for 100 ms, and windows do not mix', () => {
  const sketch = new Sketch();
  const long = millis(300_000);
  const ask = (now: number) => [sketch.percentile(50, window, now), sketch.percentile(50, long, now)];
  assert.deepEqual(ask(0), [undefined, undefined]);
  for (let i = 0; i < 4; i++) sketch.add(100, 0);
  assert.deepEqual(ask(100), [undefined, undefined]);
  sketch.add(100, 100);
  assert.deepEqual(ask(199), [undefined, undefined], 'the answer of before');
  const [first, second] = ask(200);
  assert.ok(Math.abs(first! - 100) <= 2);
  assert.equal(first, second);
  assert.deepEqual(ask(20_000), [undefined, second]);
});

test('more than four windows: the one that was asked for longest ago makes room', () => {
  const sketch = new Sketch();
  const windows = [1, 2, 3, 4, 5].map(seconds => millis(seconds * 100_000));
  for (const [at, each] of windows.entries()) sketch.percentile(50, each, at * 1_000);
  for (let i = 0; i < 5; i++) sketch.add(40, 5_000);
  assert.ok(sketch.percentile(50, windows[4]!, 6_000) !== undefined);
  assert.ok(sketch.percentile(50, windows[1]!, 6_000) !== undefined);
  assert.equal(sketch.percentile(50, windows[0]!, 6_000), undefined);
});

test('what was given up counts where most are faster', () => {
  const sketch = new Sketch();
  sketch.percentile(95, window, 0);
  sketch.addAtLeast(500, 0);
  for (let i = 0; i < 10; i++) sketch.add(100, 0);
  for (let i = 0; i < 10; i++) sketch.addAtLeast(20, 200);
  assert.ok(Math.abs(sketch.percentile(1, window, 400)! - 100) <= 2);
  for (let i = 0; i < 5; i++) sketch.addAtLeast(900, 600);
  assert.ok(Math.abs(sketch.percentile(95, window, 800)! - 900) <= 18);
});
