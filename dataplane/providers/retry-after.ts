// How long an upstream asks to be left alone, read from its headers. One reading for all providers.
import { type EpochMillis, type Millis, millis } from '#core/units.ts';
import type { ClientHeaders } from './provider.ts';

/** Longer than any rate limit's window: such a value is a mistake of the sender, or a trap for the reader. */
const ABSURD = 24 * 60 * 60 * 1000;

/**
 * `retry-after-ms` (OpenAI, Azure) wins over `retry-after` (seconds or an HTTP date) where both can be read. Negative, broken
 * and absurd values count as absent.
 *
 * `x-ratelimit-reset-*` is not read on purpose: it says when a bucket will be full again, not when the next request would pass,
 * there are two buckets, and Azure is seen to send 0 and -1 in them (openai-dotnet#838).
 */
export function retryAfterOf(headers: ClientHeaders, now: EpochMillis): Millis | undefined {
  return (
    sane(numberIn(headers['retry-after-ms'])) ??
    sane(seconds(headers['retry-after'])) ??
    sane(untilDate(headers['retry-after'], now))
  );
}

type Value = string | string[] | undefined;
const textOf = (value: Value): string => (Array.isArray(value) ? (value[0] ?? '') : (value ?? '')).trim();

function sane(wait: number | undefined): Millis | undefined {
  return wait !== undefined && wait >= 0 && wait <= ABSURD ? millis(Math.ceil(wait)) : undefined;
}

function numberIn(value: Value): number | undefined {
  const text = textOf(value);
  return /^\d{1,12}(?:\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
}

function seconds(value: Value): number | undefined {
  const count = numberIn(value);
  return count === undefined ? undefined : count * 1000;
}

/** Only dates that name GMT: `Date.parse` takes nearly anything for a date, "-5" included. */
function untilDate(value: Value, now: EpochMillis): number | undefined {
  const text = textOf(value);
  if (!/^[A-Z][a-z]{2,8}, [\w: -]{10,30} GMT$/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at - now;
}
