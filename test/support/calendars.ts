// What luxon, a second library, says of periods: the clock of a zone read every hour, and every quarter of an hour, which is as fine as
// clocks change, where its offset changes; a period begins wherever it shows something new.
import assert from 'node:assert/strict';
import { DateTime } from 'luxon';
import { type Period, periodOf } from '#core/accounting/periods.ts';
import { epochMillis } from '#core/units.ts';

/** All kinds of offsets, and of days on which clocks change: at midnight, over midnight, by half an hour, on southern dates. */
export const zones: readonly string[] = [
  'UTC', 'Africa/Cairo', 'Africa/Casablanca', 'Africa/Johannesburg', 'Africa/Lagos', 'America/Adak', 'America/Asuncion',
  'America/Caracas', 'America/Chicago', 'America/Halifax', 'America/Havana', 'America/Los_Angeles', 'America/New_York',
  'America/Nuuk', 'America/Santiago', 'America/Sao_Paulo', 'America/Scoresbysund', 'America/St_Johns', 'Antarctica/Troll',
  'Asia/Almaty', 'Asia/Beirut', 'Asia/Gaza', 'Asia/Jerusalem', 'Asia/Kathmandu', 'Asia/Kolkata', 'Asia/Shanghai', 'Asia/Tehran',
  'Asia/Tokyo', 'Asia/Yangon', 'Atlantic/Azores', 'Australia/Adelaide', 'Australia/Eucla', 'Australia/Lord_Howe', 'Europe/Berlin',
  'Europe/Chisinau', 'Europe/Dublin', 'Europe/London', 'Pacific/Apia', 'Pacific/Chatham', 'Pacific/Kiritimati',
]; // biome-ignore format: a list of words

type Dated = Exclude<Period, 'Hourly' | 'Total'>;
type Starts = Readonly<Record<Dated | 'Hourly', readonly number[]>>;

/** Every period that begins in this year of the zone: where it starts and ends, and that its first and last moment belong to it. */
export function checkZone(zone: string, year: number): void {
  const starts = startsOf(zone, year);
  for (const period of Object.keys(starts) as (keyof Starts)[]) checkSpans(period, zone, starts[period]);
  assert.equal(starts.Daily.length - 1, DateTime.utc(year).daysInYear, 'as many resets as the calendar has days');
  assert.equal(starts.Monthly.length - 1, 12);
}

function checkSpans(period: Period, zone: string, starts: readonly number[]): void {
  for (const [index, start] of starts.slice(0, -1).entries()) {
    const span = { start, end: starts[index + 1] };
    for (const at of [start, span.end! - 1]) {
      const found = periodOf(period, zone, epochMillis(at));
      if (found.start !== span.start || found.end !== span.end)
        assert.deepEqual(found, span, `${period} of ${zone} at ${new Date(at).toISOString()}`);
    }
  }
}

const QUARTER = 900_000;
const HOUR = 4 * QUARTER;

/** From the first start in the year to the first behind it. */
function startsOf(zone: string, year: number): Starts {
  const starts: Record<keyof Starts, number[]> = { Hourly: [], Daily: [], Weekly: [], Monthly: [] };
  const end = Date.UTC(year + 1, 0, 10);
  let last: Reading = DateTime.fromMillis(Date.UTC(year, 0, 1) - 86_400_000, { zone });
  let day = last.toISODate()!;
  while (last.toMillis() < end) {
    const clock = nextReading(last, zone);
    const at = clock.toMillis();
    if (clock.minute === 0 || clock.offset !== last.offset) starts.Hourly.push(at);
    const today = clock.day === last.day ? day : clock.toISODate()!;
    if (today > day) {
      if (clock.year === year || clock.ordinal === 1) starts.Daily.push(at);
      if (clock.weekday === 1) starts.Weekly.push(at);
      if (clock.day === 1 && (clock.year === year || clock.month === 1)) starts.Monthly.push(at);
      day = today;
    }
    last = clock;
  }
  return starts;
}

type Reading = DateTime<boolean>;

/** A whole hour on where that is the next one of this clock, else a quarter: nothing begins between two whole hours of the same offset. */
function nextReading(last: Reading, zone: string): Reading {
  const hourOn = last.minute === 0 ? DateTime.fromMillis(last.toMillis() + HOUR, { zone }) : undefined;
  return hourOn?.offset === last.offset ? hourOn : DateTime.fromMillis(last.toMillis() + QUARTER, { zone });
}
