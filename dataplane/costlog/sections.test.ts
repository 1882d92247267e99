import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { daysOf } from '#core/accounting/days.ts';
import { epochMillis } from '#core/units.ts';
import { QUARTER } from './blocks.ts';
import { sectionsOf } from './sections.ts';

const HOUR = 3_600_000;
/** Clocks go back in Berlin on the 25th, and in New York on 1 November. */
const START = Date.UTC(2026, 9, 20);
const zones = ['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Kiritimati'];

test('a moment counts once in its own day and not at all in any other', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.nat(48 * HOUR),
      fc.integer({ min: 1, max: 20 * 24 * HOUR }),
      fc.array(fc.integer({ min: -30 * HOUR, max: 24 * 24 * HOUR }), { minLength: 20, maxLength: 20 }),
      (zone, offset, length, moments) => {
        const days = daysOf(zone, epochMillis(START + offset), epochMillis(START + offset + length));
        const sections = sectionsOf(days);
        for (const time of [...moments.map(moment => START + moment), ...days.map(({ from }) => from)]) {
          const around = sections.filter(({ from, to }) => from <= time && time < to).flatMap(({ parts }) => parts);
          for (const { day, from, to } of days) {
            const count = around.reduce((sum, part) => sum + (part.day === day ? part.sign : 0n), 0n);
            assert.equal(count, from <= time && time < to ? 1n : 0n);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a section lies within what is asked for, and begins and ends with it or on a quarter of an hour', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.nat(48 * HOUR),
      fc.integer({ min: 1, max: 20 * 24 * HOUR }),
      (zone, offset, length) => {
        const [start, end] = [START + offset, START + offset + length];
        for (const { from, to } of sectionsOf(daysOf(zone, epochMillis(start), epochMillis(end)))) {
          assert.ok(start <= from && from < to && to <= end);
          assert.ok(from === start || from % QUARTER === 0);
          assert.ok(to === end || to % QUARTER === 0);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a month of Berlin reads whole days of UTC, and each border once', () => {
  const days = daysOf('Europe/Berlin', epochMillis(Date.UTC(2026, 5, 30, 22)), epochMillis(Date.UTC(2026, 6, 31, 22)));
  const sections = sectionsOf(days);
  const lengths = Map.groupBy(sections, ({ from, to }) => (to - from) / HOUR);
  // The last day lies partly in a day of UTC that is not asked for, and is read by itself.
  assert.deepEqual(
    new Map([...lengths].map(([hours, some]) => [hours, some.length])),
    new Map([
      [24, 31],
      [2, 31],
    ]),
  );
});
