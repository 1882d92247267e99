// Which stretch of time a report is about.
import { dateAt, startOfDay } from '#core/accounting/dates.ts';
import { periodOf, zoneName } from '#core/accounting/periods.ts';
import { ok, type Parsed } from '#core/failure.ts';
import { type EpochMillis, epochMillis } from '#core/units.ts';
import { type Call, type Query, wrong } from './call.ts';

/** `to` is not part of it. */
export type Window = { readonly from: EpochMillis; readonly to: EpochMillis };

const HOUR = 3_600_000;
const MAX_DAYS = 3660;
const FORM = '24h, 7d, month, or FROM..TO, each a date (2026-11-21) or a time (2026-11-21T10:00:00Z)';

export function timeZoneOf(query: Query): Parsed<string> {
  const text = query.get('tz') ?? 'UTC';
  const zone = zoneName(text);
  return zone === undefined ? wrong('tz', 'the IANA name of a time zone') : ok(zone);
}

/** `24h` and `7d` end now; `month` is the calendar month so far; a date as TO is part of it, a time as TO is not. */
export function windowOf(text: string, timeZone: string, now: number): Parsed<Window> {
  const named = windows[text]?.(timeZone, now);
  if (named) return ok({ from: epochMillis(named), to: epochMillis(now + 1) });
  const [first, last, ...more] = text.split('..');
  const from = momentOf(first, timeZone, 0);
  const to = momentOf(last, timeZone, 1);
  if (from === undefined || to === undefined || more.length > 0) return wrong('window', FORM);
  return bounded({ from, to }, 'window');
}

const windows: Readonly<Record<string, (timeZone: string, now: number) => number>> = {
  __proto__: null as never,
  '24h': (_, now) => now - 24 * HOUR,
  '7d': (_, now) => now - 7 * 24 * HOUR,
  month: (timeZone, now) => periodOf('Monthly', timeZone, epochMillis(now)).start,
};

/** LiteLLM's `start_date` and `end_date`, both part of it; the last 30 days where they are absent. Times are UTC, as LiteLLM's. */
export function datesOf({ query, ports }: Call, timeZone = 'UTC'): Parsed<Window> {
  const now = ports.now();
  const today = dateAt(epochMillis(now), timeZone);
  const from = momentOf(query.get('start_date') ?? dateAt(epochMillis(now - 30 * 24 * HOUR), timeZone), timeZone, 0);
  const to = momentOf(query.get('end_date') ?? today, timeZone, 1);
  if (from === undefined) return wrong('start_date', 'a date such as 2026-11-21');
  if (to === undefined) return wrong('end_date', 'a date such as 2026-11-21');
  return bounded({ from, to }, 'end_date');
}

function bounded(window: Window, param: string): Parsed<Window> {
  if (window.to <= window.from) return wrong(param, 'a stretch of time that ends after it begins');
  if (window.to - window.from > MAX_DAYS * 24 * HOUR) return wrong(param, `at most ${MAX_DAYS} days long`);
  return ok(window);
}

const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/;

function momentOf(text: string | undefined, timeZone: string, plusDays: number): EpochMillis | undefined {
  if (text === undefined) return undefined;
  const day = startOfDay(text, timeZone, plusDays);
  if (day !== undefined || !TIME.test(text)) return day;
  const at = Date.parse(/(Z|[+-]\d{2}:\d{2})$/.test(text) ? text : `${text.replace(' ', 'T')}Z`);
  return Number.isNaN(at) ? undefined : epochMillis(at);
}
