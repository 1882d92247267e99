// Dates as people write them in a report's query: `2026-11-21` of a zone's calendar to a moment, and back.
import { type EpochMillis, epochMillis } from '../units.ts';

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** When the day begins in the zone; undefined for what is no date. The zone is one that exists. */
export function startOfDay(date: string, timeZone: string, plusDays = 0): EpochMillis | undefined {
  if (!DATE.test(date)) return undefined;
  try {
    const day = Temporal.PlainDate.from(date, { overflow: 'reject' }).add({ days: plusDays });
    return epochMillis(day.toZonedDateTime(timeZone).epochMilliseconds);
  } catch {
    return undefined;
  }
}

/** The date that the zone's calendar shows. */
export const dateAt = (at: EpochMillis, timeZone: string): string =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone).toPlainDate().toString();
