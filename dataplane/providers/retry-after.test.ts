// Retry-After in its three forms, and all that must not be believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { epochMillis } from '#core/units.ts';
import type { ClientHeaders } from './provider.ts';
import { retryAfterOf } from './retry-after.ts';

const now = epochMillis(Date.UTC(2026, 10, 21, 12, 0, 0));
const rows: readonly (readonly [what: string, headers: ClientHeaders, expected: number | undefined])[] = [
  ['seconds', { 'retry-after': '30' }, 30_000],
  ['fractions of a second', { 'retry-after': '0.5' }, 500],
  ['zero: at once', { 'retry-after': '0' }, 0],
  ['the first of several values', { 'retry-after': ['2', '9'] }, 2000],
  ['an HTTP date', { 'retry-after': 'Sat, 21 Nov 2026 12:00:10 GMT' }, 10_000],
  ['milliseconds', { 'retry-after-ms': '1500' }, 1500],
  ['milliseconds win over seconds', { 'retry-after-ms': '1500', 'retry-after': '30' }, 1500],
  ['seconds where the milliseconds cannot be read', { 'retry-after-ms': 'soon', 'retry-after': '3' }, 3000],
  ['a date that is past', { 'retry-after': 'Sat, 21 Nov 2026 11:59:00 GMT' }, undefined],
  ['a negative number', { 'retry-after': '-5' }, undefined],
  ['not a number', { 'retry-after': 'NaN' }, undefined],
  ['an exponent', { 'retry-after': '1e3' }, undefined],
  ['infinity', { 'retry-after': 'Infinity' }, undefined],
  ['more than a day', { 'retry-after': '86401' }, undefined],
  ['a date that is years away', { 'retry-after': 'Fri, 21 Nov 2036 12:00:00 GMT' }, undefined],
  ['nothing', {}, undefined],
  ['an empty value', { 'retry-after': '' }, undefined],
  ['seconds where the milliseconds are negative', { 'retry-after-ms': '-1', 'retry-after': '26' }, 26_000],
  ['a date in the form of RFC 850', { 'retry-after': 'Saturday, 21-Nov-26 12:00:10 GMT' }, 10_000],
  ['a date without its zone', { 'retry-after': 'Sat Nov 21 12:00:10 2026' }, undefined],
  // Resets are no promise: a bucket that is full again says nothing of the next request.
  ['OpenAI, resets as Go durations', { 'x-ratelimit-reset-requests': '12ms', 'x-ratelimit-reset-tokens': '6m0s' }, undefined],
  ['OpenAI, a wait beside them', { 'retry-after': '2', 'x-ratelimit-reset-tokens': '1h2m3.5s' }, 2000],
  [
    'Azure, -1 and 0 instead of a wait (openai-dotnet#838)',
    { 'x-ratelimit-remaining-requests': '-1', 'x-ratelimit-reset-requests': '0', 'x-ratelimit-reset-tokens': '-1' },
    undefined,
  ],
  [
    'Anthropic, resets in RFC 3339',
    {
      'anthropic-ratelimit-requests-reset': '2026-11-21T12:00:30Z',
      'anthropic-ratelimit-input-tokens-reset': '2026-11-21T12:01:00.5+00:00',
    },
    undefined,
  ],
  ['Anthropic, a wait beside them', { 'retry-after': '11', 'anthropic-ratelimit-tokens-reset': '2026-11-21T12:01:00Z' }, 11_000],
];

for (const [what, headers, expected] of rows) {
  test(`Retry-After: ${what} reads as ${expected}`, () => assert.equal(retryAfterOf(headers, now), expected));
}
