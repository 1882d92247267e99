// The bound of a report.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { epochMillis } from '#core/units.ts';
import type { Row } from './columns.ts';
import { figures } from './figures.ts';
import { TOO_MANY_GROUPS } from './ledger.ts';
import { measureNames } from './rollups.ts';
import type { Query, Store } from './store.ts';

const NOON = Date.UTC(2026, 10, 21, 12);
const sums = Object.fromEntries(measureNames.map(name => [name, 1]));

/** A database with one row for each of so many users. */
function storeOf(users: number): Store {
  const query: Query = async text => {
    if (text.includes('first_bucket')) return [{ first_bucket: null, last_bucket: null, first_at: NOON, last_at: NOON }];
    const limit = / limit (\d+)$/.exec(text);
    if (!limit) return [];
    return Array.from({ length: Math.min(users, Number(limit[1])) }, (_, i): Row => ({ label: 0, g0: `user-${i}`, ...sums }));
  };
  return { view: (use: (query: Query) => unknown) => use(query), tagValue: () => "''" } as unknown as Store;
}

const byUser = {
  from: epochMillis(NOON - 1),
  to: epochMillis(NOON + 1),
  groupBy: ['user'],
  filter: {},
  timeZone: 'UTC',
} as const;

test('a report of more groups than fit into memory is refused in words, and nothing more is read', async () => {
  const few = await figures(storeOf(1_000), byUser);
  assert.deepEqual([few.groups.length, few.totals.attempts], [1_000, 1_000]);
  await assert.rejects(figures(storeOf(10_000_000), byUser), new RegExp(TOO_MANY_GROUPS));
});
