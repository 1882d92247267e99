// When a budget starts anew: the period of a moment, on the calendar of an IANA zone.
import type { BudgetEntry } from '../snapshot/snapshot.ts';
import { type EpochMillis, epochMillis } from '../units.ts';

export type Period = BudgetEntry['period'];
/** From `start` up to, and without, `end`; Total has none. */
export type Span = { readonly start: EpochMillis; readonly end: EpochMillis | undefined };

/**
 * The period that `at` belongs to. Periods of one kind and zone follow each other without gap or overlap, and each is told by its start.
 *
 * Days, weeks and months begin when the zone's clock first shows their first date, so a day has 23 or 25 hours at a change of the
 * clock, begins at 01:00 where midnight is left out, and is none at all where the zone leaves the date out. A clock that goes
 * back over midnight starts no day again. Hours are those the clock shows, cut at its changes: an hour that is shown twice is two
 * periods, so that the budget of an hour never has to last for longer than one.
 */
export function periodOf(period: Period, timeZone: string, at: EpochMillis): Span {
  return spans[period](timeZone, at);
}

/** The zone's name in its proper case; undefined where it is none. Offsets and dates with a zone are no names. */
export function zoneName(text: string): string | undefined {
  if (!/^[A-Za-z][\w+\-/]*$/.test(text)) return undefined;
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(text).timeZoneId;
  } catch {
    return undefined;
  }
}

/** The spans last asked for, one for each kind and zone: requests come in the order of their time. */
export class Calendar {
  readonly #last: Record<Period, Map<string, Span>> = {
    Hourly: new Map(),
    Daily: new Map(),
    Weekly: new Map(),
    Monthly: new Map(),
    Total: new Map(),
  };

  periodOf(period: Period, timeZone: string, at: EpochMillis): Span {
    const known = this.#last[period].get(timeZone);
    return known && isWithin(known, at) ? known : this.#remembered(period, timeZone, periodOf(period, timeZone, at));
  }

  #remembered(period: Period, timeZone: string, span: Span): Span {
    const last = this.#last[period];
    if (last.size >= MAX_ZONES) last.clear();
    last.set(timeZone, span);
    return span;
  }
}

/** More than there are. */
const MAX_ZONES = 1000;

export const isWithin = ({ start, end }: Span, at: EpochMillis): boolean => at >= start && (end === undefined || at < end);

const HOUR = 3_600_000;

const spans: Readonly<Record<Period, (timeZone: string, at: EpochMillis) => Span>> = {
  Hourly: hourOf,
  Daily: (timeZone, at) => datedSpan(timeZone, at, day => day, { days: 1 }),
  Weekly: (timeZone, at) => datedSpan(timeZone, at, day => day.subtract({ days: day.dayOfWeek - 1 }), { days: 7 }),
  Monthly: (timeZone, at) => datedSpan(timeZone, at, day => day.with({ day: 1 }), { months: 1 }),
  Total: () => total,
};

const total: Span = Object.freeze({ start: epochMillis(0), end: undefined });

const zoned = (timeZone: string, at: number) => Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone);

function datedSpan(
  timeZone: string,
  at: EpochMillis,
  firstDay: (day: Temporal.PlainDate) => Temporal.PlainDate,
  length: Temporal.DurationLike,
): Span {
  const begin = (day: Temporal.PlainDate) => day.toZonedDateTime(timeZone).epochMilliseconds;
  let first = firstDay(zoned(timeZone, at).toPlainDate());
  let next = first.add(length);
  // The clock went back over midnight: it shows the old date again, in the period that has begun.
  while (begin(next) <= at) [first, next] = [next, next.add(length)];
  return { start: epochMillis(begin(first)), end: epochMillis(begin(next)) };
}

function hourOf(timeZone: string, at: EpochMillis): Span {
  const now = zoned(timeZone, at);
  const local = at + now.offsetNanoseconds / 1e6;
  const start = at - (local - Math.floor(local / HOUR) * HOUR);
  // A change at this very moment is the start of an hour, so it is looked for from the next one on.
  const changed = zoned(timeZone, at + 1).getTimeZoneTransition('previous')?.epochMilliseconds;
  const changes = now.getTimeZoneTransition('next')?.epochMilliseconds;
  return {
    start: epochMillis(Math.max(start, changed ?? start)),
    end: epochMillis(Math.min(start + HOUR, changes ?? start + HOUR)),
  };
}
