// Periods at the edges where calendars go wrong. periods.slow.test.ts compares them with a second library over 40 zones and 10 years.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkZone, zones } from '#test/support/calendars.ts';
import { epochMillis, uuidTime } from '../units.ts';
import { Calendar, isWithin, type Period, periodOf, type Span, zoneName } from './periods.ts';

const at = (text: string) => epochMillis(Date.parse(text));
const written = ({ start, end }: Span) =>
  [start, end].map(t => (t === undefined ? t : new Date(t).toISOString().replace(':00.000Z', 'Z')));

describe('the period of a moment', () => {
  type Row = [sentence: string, period: Period, zone: string, at: string, start: string, end: string];
  const rows: Row[] = [
    ['a day is a calendar day of its zone', 'Daily', 'Asia/Tokyo', '2026-11-21T15:00:00Z', '2026-11-21T15:00Z', '2026-11-22T15:00Z'],
    ['a day has 23 hours when the clock goes forward', 'Daily', 'Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
    ['a day has 25 hours when the clock goes back', 'Daily', 'Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
    ['a day begins at 01:00 where midnight is left out', 'Daily', 'Africa/Cairo', '2026-04-24T12:00:00Z', '2026-04-23T22:00Z', '2026-04-24T21:00Z'],
    ['a date that a zone leaves out is no day', 'Daily', 'Pacific/Apia', '2011-12-30T09:59:59Z', '2011-12-29T10:00Z', '2011-12-30T10:00Z'],
    ['the day behind a date left out begins at once', 'Daily', 'Pacific/Apia', '2011-12-30T10:00:00Z', '2011-12-30T10:00Z', '2011-12-31T10:00Z'],
    ['a clock that goes back over midnight starts no day again', 'Daily', 'America/St_Johns', '2010-11-07T02:45:00Z', '2010-11-07T02:30Z', '2010-11-08T03:30Z'],
    ['a week begins on Monday', 'Weekly', 'UTC', '2026-11-22T23:59:59Z', '2026-11-16T00:00Z', '2026-11-23T00:00Z'],
    ['a February has its leap day', 'Monthly', 'UTC', '2028-02-29T23:59:59Z', '2028-02-01T00:00Z', '2028-03-01T00:00Z'],
    ['a month is one of its zone', 'Monthly', 'Pacific/Kiritimati', '2026-12-31T10:00:00Z', '2026-12-31T10:00Z', '2027-01-31T10:00Z'],
    ['an hour is one of the clock of the zone', 'Hourly', 'Asia/Kathmandu', '2026-11-21T12:20:00Z', '2026-11-21T12:15Z', '2026-11-21T13:15Z'],
    ['an hour that is shown twice is two: the first', 'Hourly', 'America/New_York', '2026-11-01T05:30:00Z', '2026-11-01T05:00Z', '2026-11-01T06:00Z'],
    ['an hour that is shown twice is two: the second', 'Hourly', 'America/New_York', '2026-11-01T06:30:00Z', '2026-11-01T06:00Z', '2026-11-01T07:00Z'],
    ['a clock that goes back by half an hour cuts an hour', 'Hourly', 'Australia/Lord_Howe', '2026-04-04T15:10:00Z', '2026-04-04T15:00Z', '2026-04-04T15:30Z'],
    ['a change of the clock is the start of an hour', 'Hourly', 'Australia/Lord_Howe', '2026-04-04T15:00:00Z', '2026-04-04T15:00Z', '2026-04-04T15:30Z'],
  ]; // biome-ignore format: one case a line
  for (const [sentence, period, zone, moment, start, end] of rows)
    test(sentence, () => {
      assert.deepEqual(written(periodOf(period, zone, at(moment))), [start, end]);
    });

  test('Total begins with the epoch and never ends', () => {
    assert.deepEqual(periodOf('Total', 'Asia/Tokyo', at('2026-01-01T00:00:00Z')), { start: 0, end: undefined });
  });
});

describe('a zone', () => {
  test('has a name, in any case', () => {
    const names = ['UTC', 'europe/berlin', 'Etc/GMT+12', 'EST5EDT', 'America/Argentina/Buenos_Aires'];
    assert.deepEqual(names.map(zoneName), ['UTC', 'Europe/Berlin', 'Etc/GMT+12', 'EST5EDT', 'America/Argentina/Buenos_Aires']);
  });
  test('is nothing else', () => {
    const others = ['', 'Mars/Olympus', '+05:30', '2020-01-01T00:00[Asia/Tokyo]', 'Europe/Berlin ', '__proto__', 'GMT+1'];
    assert.deepEqual(
      others.map(zoneName),
      others.map(() => undefined),
    );
  });
});

describe('a calendar', () => {
  const anyPeriod = fc.constantFrom<Period>('Hourly', 'Daily', 'Weekly', 'Monthly', 'Total');
  const anyTime = fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2034, 0) }).map(epochMillis);

  test('answers as if it remembered nothing, whatever the order of the questions', () => {
    const question = fc.tuple(anyPeriod, fc.constantFrom(...zones), anyTime);
    fc.assert(
      fc.property(fc.array(question, { maxLength: 20 }), questions => {
        const calendar = new Calendar();
        for (const [period, zone, time] of questions) {
          const span = calendar.periodOf(period, zone, time);
          assert.deepEqual(span, periodOf(period, zone, time));
          assert.ok(isWithin(span, time));
        }
      }),
    );
  });
  test('gives the very same span as long as it lasts', () => {
    const calendar = new Calendar();
    const first = calendar.periodOf('Daily', 'Europe/Berlin', at('2026-11-21T00:00:00Z'));
    assert.equal(calendar.periodOf('Daily', 'Europe/Berlin', at('2026-11-21T22:59:59.999Z')), first);
    assert.notEqual(calendar.periodOf('Daily', 'Europe/Berlin', at('2026-11-21T23:00:00Z')), first);
  });
});

describe('periods agree with a second library', () => {
  for (const zone of ['UTC', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Cairo', 'Asia/Kathmandu', 'Pacific/Chatham'])
    test(`in ${zone}, in 2026 and in a leap year`, () => {
      for (const year of [2026, 2028]) checkZone(zone, year);
    });
});

test('the time of a request is in its id', () => {
  // RFC 9562, A.6.
  assert.equal(uuidTime('017F22E2-79B0-7CC3-98C4-DC0C0C07398F'), Date.parse('2022-02-22T19:22:22Z'));
});
