// Calendar days of a zone, as reports group by them.
import { type EpochMillis, epochMillis } from '../units.ts';
import { periodOf } from './periods.ts';

/** A calendar day, YYYY-MM-DD, and what of it lies in the range asked for. */
export type Day = { readonly day: string; readonly from: EpochMillis; readonly to: EpochMillis };

/** The days of a zone that a range touches, in order, without gap or overlap. */
export function daysOf(timeZone: string, from: number, to: number): Day[] {
  const days: Day[] = [];
  for (let at = from; at < to; ) {
    const span = periodOf('Daily', timeZone, epochMillis(at));
    const end = Math.min(to, span.end ?? to);
    days.push({ day: dateOf(timeZone, span.start), from: epochMillis(at), to: epochMillis(end) });
    at = end;
  }
  return days;
}

const dateOf = (timeZone: string, at: number): string =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone).toPlainDate().toString();
