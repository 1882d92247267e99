import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_USD } from '../accounting/money.ts';
import { epochMillis, nanoUsd } from '../units.ts';
import { type Account, startsOf, sumsFor, type TenantSpend } from './sums.ts';

const DAY = 86_400_000;
const today = { start: epochMillis(2 * DAY), end: epochMillis(3 * DAY) };
const account = (more: Partial<Account>): Account => ({ account: 'a', span: today, counts: () => true, ...more });
const accounts = [
  account({ account: 'key', counts: key => key === 'team/one' }),
  account({ account: 'model', counts: (_, model) => model === 'm' }),
  account({ account: 'total', span: { start: epochMillis(0), end: undefined } }),
];

const sum = (keyName: string, modelRequested: string, settled: number) => ({
  keyName,
  modelRequested,
  settled: nanoUsd(settled),
});
const idAt = (time: number) =>
  `${time
    .toString(16)
    .padStart(12, '0')
    .replace(/^(.{8})/, '$1-')}-7000-8000-000000000000`;
const openRow = (requestId: string, keyName: string, modelRequested: string, reserved: number, lease: number) => ({
  requestId,
  keyName,
  modelRequested,
  reserved: nanoUsd(reserved),
  leaseUntil: epochMillis(lease),
});
const spend = (more: Partial<TenantSpend>): TenantSpend => ({ sums: [], open: [], settledLately: [], ...more });
const since = startsOf(accounts);

test('the ledger is asked for each start of a period once', () => {
  assert.deepEqual(since, [2 * DAY, 0]);
});

test('each account has the costs of its keys and models since its period began', () => {
  const recent = [sum('team/one', 'm', 1), sum('team/one', 'x', 20), sum('team/two', 'm', 300)];
  const sums = sumsFor(accounts, since, spend({ sums: [recent, [...recent, sum('team/two', 'x', 4000)]] }));
  assert.deepEqual(sums.accounts, [
    { account: 'key', period: 2 * DAY, settled: 21 },
    { account: 'model', period: 2 * DAY, settled: 301 },
    { account: 'total', period: 0, settled: 4321 },
  ]);
});

test('a sum beyond what the counters hold is as much as they hold', () => {
  const much = spend({ sums: [[sum('team/one', 'x', MAX_USD), sum('team/one', 'y', MAX_USD)], []] });
  assert.deepEqual(
    sumsFor(accounts, since, much).accounts.map(each => each.settled),
    [MAX_USD, 0, 0],
  );
});

test('an open request holds what its open attempts have reserved, in the accounts and the period of its admission', () => {
  const [now, yesterday] = [idAt(2 * DAY), idAt(2 * DAY - 1)];
  const open = [
    openRow(now, 'team/one', 'x', 5, 70),
    openRow(yesterday, 'team/one', 'm', 9, 60),
    openRow(now, 'team/one', 'x', 6, 80),
  ];
  assert.deepEqual(sumsFor(accounts, since, spend({ open, settledLately: [{ requestId: 's', settled: nanoUsd(3) }] })), {
    accounts: sumsFor(accounts, since, spend({})).accounts,
    open: [
      { id: now, cost: 11, leaseUntil: 80, accounts: ['key', 'total'] },
      { id: yesterday, cost: 9, leaseUntil: 60, accounts: ['total'] },
    ],
    settledLately: [{ id: 's', settled: 3 }],
  });
});
