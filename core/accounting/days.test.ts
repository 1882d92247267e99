import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DateTime } from 'luxon';
import { daysOf } from './days.ts';

const HOUR = 3_600_000;

test('days follow each other without gap or overlap and have the dates of another calendar, over a year of clock changes', () => {
  const [from, to] = [Date.UTC(2026, 0, 1, 7, 5), Date.UTC(2027, 0, 3, 1)];
  for (const zone of [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Pacific/Kiritimati',
  ]) {
    const days = daysOf(zone, from, to);
    assert.equal(days[0]!.from, from);
    assert.equal(days.at(-1)!.to, to);
    for (const [i, day] of days.entries()) {
      if (i > 0) assert.equal(day.from, days[i - 1]!.to);
      for (const at of [day.from, day.to - 1]) assert.equal(DateTime.fromMillis(at, { zone }).toISODate(), day.day);
    }
  }
});

test('the day on which clocks go back has 25 hours, the one on which they go forward 23', () => {
  const [autumn] = daysOf('Europe/Berlin', Date.UTC(2026, 9, 24, 22), Date.UTC(2026, 9, 27));
  assert.deepEqual([autumn!.day, (autumn!.to - autumn!.from) / HOUR], ['2026-10-25', 25]);
  const [spring] = daysOf('Europe/Berlin', Date.UTC(2026, 2, 28, 23), Date.UTC(2026, 2, 31));
  assert.deepEqual([spring!.day, (spring!.to - spring!.from) / HOUR], ['2026-03-29', 23]);
});

test('an empty range has no days', () => {
  assert.deepEqual(daysOf('UTC', 5, 5), []);
});
