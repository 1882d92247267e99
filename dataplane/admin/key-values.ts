// Values of LiteLLM's key fields: durations, calendar periods, and what counts as not said.
import type { BudgetEntry } from '#core/snapshot/snapshot.ts';

/** The month of `1mo` as a plain duration, as LiteLLM counts it for the life of a key. */
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, mo: 2_592_000 };
const MAX_SECONDS = 100 * 365 * 86_400;

/** `30s`, `30m`, `30h`, `30d`, `1w`, `1mo`; undefined for anything else. */
export function secondsOf(value: unknown): number | undefined {
  const parts = typeof value === 'string' ? /^(\d{1,9})(s|m|h|d|w|mo)$/.exec(value) : null;
  const seconds = parts ? Number(parts[1]) * SECONDS[parts[2]!]! : 0;
  return seconds > 0 && seconds <= MAX_SECONDS ? seconds : undefined;
}

const PERIODS: Readonly<Record<string, BudgetEntry['period']>> = {
  __proto__: null as never,
  '1h': 'Hourly',
  '60m': 'Hourly',
  '24h': 'Daily',
  '1d': 'Daily',
  '7d': 'Weekly',
  '1w': 'Weekly',
  '30d': 'Monthly',
  '1mo': 'Monthly',
};

/** Budgets follow the calendar, as LiteLLM's do for these durations; it has others, which start anew at no time that people know. */
export const periodOfDuration = (value: unknown): Exclude<BudgetEntry['period'], 'Total'> | undefined =>
  typeof value === 'string' ? (PERIODS[value] as Exclude<BudgetEntry['period'], 'Total'> | undefined) : undefined;

export const durationOfPeriod: Readonly<Record<BudgetEntry['period'], string | null>> = {
  Hourly: '1h',
  Daily: '24h',
  Weekly: '7d',
  Monthly: '30d',
  Total: null,
};

export const isEmpty = (value: unknown): boolean =>
  value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);
