import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Line } from './line.ts';
import { SlidingWindow } from './window.ts';

test('a window never forgets a use that is younger than 60 s, and always one that is older than 61', () => {
  const steps = fc.array(fc.record({ after: fc.integer({ min: 0, max: 9_000 }), amount: fc.integer({ min: 1, max: 9 }) }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 999 }), (uses, start) => {
      const window = new SlidingWindow();
      const made: { at: number; amount: number }[] = [];
      let now = start;
      for (const { after, amount } of uses) {
        now += after;
        window.add(now, amount);
        made.push({ at: now, amount });
        const within = (ms: number) => made.filter(use => use.at > now - ms).reduce((sum, use) => sum + use.amount, 0);
        assert.ok(window.sum(now) >= within(60_000));
        assert.ok(window.sum(now) <= within(61_000));
      }
    }),
  );
});

test('a window tells when it falls to a sum, and is there at that moment', () => {
  const window = new SlidingWindow();
  window.add(500, 3);
  window.add(2_500, 4);
  assert.equal(window.fallsTo(3_000, 7), 0);
  assert.equal(window.fallsTo(3_000, 4), 58_000);
  assert.equal(window.sum(60_999), 7);
  assert.equal(window.sum(61_000), 4);
});

test('a correction changes the second it belongs to, never below zero, and nothing once that has left', () => {
  const window = new SlidingWindow();
  window.add(1_000, 10);
  window.correct(5_000, 1_900, -4);
  assert.equal(window.sum(5_000), 6);
  window.correct(5_000, 1_000, -9);
  assert.equal(window.sum(5_000), 0);
  window.correct(90_000, 1_000, 5);
  assert.equal(window.sum(90_000), 0);
});

test('a line lets higher priorities in first and equals by their arrival, and turns away from its end', () => {
  const waiting = fc.array(fc.integer({ min: -2, max: 2 }), { maxLength: 30 });
  fc.assert(
    fc.property(waiting, fc.nat(40), (priorities, places) => {
      const line = new Line<{ priority: number; arrival: number }>();
      const items = priorities.map((priority, arrival) => ({ priority, arrival }));
      for (const item of items) line.join(item);
      const wanted = items.toSorted((a, b) => b.priority - a.priority || a.arrival - b.arrival);
      assert.deepEqual([...line], wanted);
      assert.deepEqual(line.beyond(places), wanted.slice(places).reverse());
      if (items[0]) line.leave(items[0]);
      assert.deepEqual(
        [...line],
        wanted.filter(item => item !== items[0]),
      );
    }),
  );
});
