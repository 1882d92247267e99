import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Calendar } from '../accounting/periods.ts';
import type { BudgetEntry, KeyEntry } from '../snapshot/snapshot.ts';
import { aKey } from '../snapshot/testing.ts';
import { epochMillis, nanoUsd, tokens } from '../units.ts';
import { type Ask, KeyDemands } from './demand-of.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const budget = (more: Partial<BudgetEntry> = {}): BudgetEntry => ({
  name: 'monthly',
  amount: nanoUsd(100),
  period: 'Monthly',
  timeZone: 'UTC',
  scope: 'Key',
  models: [],
  warnAtPercent: [],
  onExhausted: 'Block',
  ...more,
});

/** A UUIDv7 of this moment. */
const idAt = (text: string): string => {
  const hex = Date.parse(text).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};
const ask = (more: Partial<Ask> = {}): Ask => ({
  modelRequested: 'gpt-4o',
  requestId: idAt('2026-11-21T12:00:00Z'),
  bound: { cost: nanoUsd(5), tokens: tokens(1000) },
  leaseUntil: epochMillis(1),
  limitsAlone: false,
  ...more,
});
const demandsOf = (key: Partial<KeyEntry>, tenantBudgets: readonly BudgetEntry[] = []) =>
  new KeyDemands(aKey({ namespace: 'team', name: 'prod', ...key }), tenantBudgets, { calendar: new Calendar(), digest });
const accountsOf = (...budgets: BudgetEntry[]) =>
  demandsOf({ budgets })
    .of(ask())
    .budgets.map(({ account }) => account);

test('a fallback of the client is covered where no limit and no budget is for its model alone', () => {
  const perModel = demandsOf({ limits: { rpm: 9, perModel: [{ model: 'gpt-4o', rpm: 1 }] } });
  const budgeted = demandsOf({ budgets: [budget(), budget({ models: ['gpt-4o'] })] });
  const patterns = demandsOf({ budgets: [budget({ models: ['gpt-*'] })] }, [budget({ scope: 'Tenant', models: ['*'] })]);
  for (const demands of [perModel, budgeted]) {
    assert.equal(demands.covers('gpt-4o-mini', 'gpt-4o'), false);
    assert.equal(demands.covers('gpt-4o-mini', 'openai/gpt-4o'), false);
    assert.equal(demands.covers('gpt-4o', 'gpt-4o-mini'), true);
    assert.equal(demands.covers('gpt-4o', 'openai/gpt-4o'), true);
  }
  assert.equal(patterns.covers('gpt-4o-mini', 'gpt-4o'), true);
  assert.equal(patterns.covers('claude', 'gpt-4o'), false);
  assert.equal(demandsOf({}).covers('a', 'b'), true);
});

describe('the limits of a request', () => {
  const limits = {
    rpm: 600,
    tpm: 200_000,
    maxConcurrency: 20,
    perModel: [
      { model: 'gpt-4o*', rpm: 100 },
      { model: 'claude-*', tpm: 50 },
      { model: '*', maxConcurrency: 9 },
    ],
  };
  const idsFor = (modelRequested: string) =>
    demandsOf({ limits })
      .of(ask({ modelRequested }))
      .limits.map(({ id }) => id);

  test('are those of the key and of every pattern that the model fits', () => {
    assert.deepEqual(demandsOf({ limits }).of(ask()).limits, [
      { id: 'team/prod/rpm', kind: 'requests', max: 600 },
      { id: 'team/prod/tpm', kind: 'tokens', max: 200_000 },
      { id: 'team/prod/maxConcurrency', kind: 'concurrency', max: 20 },
      { id: 'team/prod/rpm/gpt-4o*', kind: 'requests', max: 100 },
      { id: 'team/prod/maxConcurrency/*', kind: 'concurrency', max: 9 },
    ]);
  });
  test('see the model behind the name of its provider', () => {
    assert.deepEqual(idsFor('openai/gpt-4o-mini').slice(3), ['team/prod/rpm/gpt-4o*', 'team/prod/maxConcurrency/*']);
  });
  test('see a model as it is requested, and not what is behind a later slash', () => {
    assert.deepEqual(idsFor('hub/openai/gpt-4o').slice(3), ['team/prod/maxConcurrency/*']);
  });
  test('let a request that is larger than a limit of tokens have all of it', () => {
    const askedFor = (modelRequested: string) =>
      demandsOf({ limits }).of(ask({ modelRequested, bound: { cost: nanoUsd(5), tokens: tokens(300_000) } })).tokens;
    assert.deepEqual([askedFor('gpt-4o'), askedFor('claude-5')], [200_000, 50]);
  });
});

describe('the budgets of a request', () => {
  test('are those of its key, then those of its tenant, each in the period of the admission', () => {
    const tenants = budget({ name: 'all', scope: 'Tenant', period: 'Total', onExhausted: 'Warn', amount: nanoUsd(7) });
    const key = demandsOf({ budgets: [budget({ timeZone: 'Asia/Tokyo', period: 'Daily' })] }, [tenants]);
    assert.deepEqual(key.of(ask({ requestId: idAt('2026-11-21T14:59:59.999Z') })).budgets, [
      {
        name: 'monthly',
        scope: 'Key',
        account: 'key:team/prod|Daily|Asia/Tokyo|',
        amount: 100,
        onExhausted: 'Block',
        warnAt: [100],
        period: Date.parse('2026-11-20T15:00:00Z'),
        resetAt: Date.parse('2026-11-21T15:00:00Z'),
      },
      { name: 'all', scope: 'Tenant', account: 'tenant|Total|', amount: 7, onExhausted: 'Warn', warnAt: [7], period: 0 },
    ]);
  });
  test('start anew with the first request of the next period, and an older one that comes late is in its own', () => {
    const key = demandsOf({ budgets: [budget({ period: 'Daily' }), budget({ period: 'Total' })] });
    const starts = ['2026-11-21T23:59:59.999Z', '2026-11-22T00:00:00Z', '2026-11-21T23:59:59.998Z'].map(
      time => key.of(ask({ requestId: idAt(time) })).budgets[0]?.period,
    );
    const [first, second] = [Date.parse('2026-11-21'), Date.parse('2026-11-22')];
    assert.deepEqual(starts, [first, second, first]);
  });
  test('count the models they name alone, also behind the name of a provider', () => {
    const key = demandsOf({ budgets: [budget({ models: ['gpt-*', 'openai/o*'] })] });
    const counted = ['gpt-4o', 'openai/gpt-4o', 'openai/o9', 'o9', 'claude'].map(
      modelRequested => key.of(ask({ modelRequested })).budgets.length,
    );
    assert.deepEqual(counted, [1, 1, 1, 0, 0]);
  });
  test('are found again at no cost while no budget starts anew', () => {
    const key = demandsOf({ budgets: [budget({ period: 'Hourly' }), budget()], limits: { rpm: 1, perModel: [] } });
    const [a, b] = [key.of(ask()), key.of(ask({ requestId: idAt('2026-11-21T12:59:59.999Z') }))];
    assert.equal(a.budgets, b.budgets);
    assert.equal(a.limits, b.limits);
    assert.notEqual(key.of(ask({ requestId: idAt('2026-11-21T13:00:00Z') })).budgets, a.budgets);
  });
  test('do not depend on what was asked before', () => {
    const budgets = [
      budget({ period: 'Hourly', models: ['a*'] }),
      budget({ period: 'Daily', timeZone: 'Asia/Tokyo', models: ['b'] }),
      budget({ period: 'Weekly', timeZone: 'America/New_York' }),
    ];
    const minutes = fc.integer({ min: 0, max: 20_000 }).map(m => new Date(Date.UTC(2026, 10, 1) + m * 60_000).toISOString());
    const question = fc.record({ modelRequested: fc.constantFrom('a', 'ab', 'b', 'x/b', 'c'), requestId: minutes.map(idAt) });
    fc.assert(
      fc.property(fc.array(question, { maxLength: 10 }), questions => {
        const key = demandsOf({ budgets });
        for (const each of questions) assert.deepEqual(key.of(ask(each)), demandsOf({ budgets }).of(ask(each)));
      }),
    );
  });
});

describe('the account of a budget', () => {
  test('stays when the amount, the name, the warnings or the order of the models change', () => {
    const before = budget({ models: ['a', 'b'] });
    const after = {
      ...before,
      amount: nanoUsd(1),
      name: 'other',
      warnAtPercent: [1],
      onExhausted: 'Warn' as const,
      models: ['b', 'a'],
    };
    assert.deepEqual(accountsOf(before), accountsOf(after));
  });
  test('changes with the calendar and with the models', () => {
    const all = [
      {},
      { period: 'Weekly' },
      { timeZone: 'Asia/Tokyo' },
      { models: ['gpt-*'] },
      { models: ['gpt-*,x'] },
      { models: ['gpt-*', '*x'] },
    ] as const;
    assert.equal(
      new Set(
        all.flatMap(more =>
          demandsOf({ budgets: [budget(more)] })
            .accounts(epochMillis(0))
            .map(a => a.account),
        ),
      ).size,
      all.length,
    );
  });
  test('of Total does not depend on a zone', () => {
    const [utc] = accountsOf(budget({ period: 'Total' }));
    assert.deepEqual(accountsOf(budget({ period: 'Total', timeZone: 'Asia/Tokyo' })), [utc]);
  });
  test('is short, however many models there are', () => {
    const models = Array.from({ length: 64 }, (_, index) => `gpt-${index}*`);
    assert.match(accountsOf(budget({ models }))[0] ?? '', /^key:team\/prod\|Monthly\|UTC\|#[0-9a-f]{32}$/u);
  });
  test('is one for each of two budgets that count the same, so that a cost is added to each once', () => {
    const accounts = accountsOf(budget(), budget({ name: 'soft', onExhausted: 'Warn' }));
    assert.deepEqual(accounts, ['key:team/prod|Monthly|UTC|', 'key:team/prod|Monthly|UTC||2']);
  });
});

describe('the warnings of a budget', () => {
  const warnAt = (amount: number, ...warnAtPercent: number[]) =>
    demandsOf({ budgets: [budget({ amount: nanoUsd(amount), warnAtPercent })] }).of(ask()).budgets[0]?.warnAt;
  test('come at whole nano-dollars, in order, once each, and at last when it is spent', () => {
    assert.deepEqual(warnAt(101, 80, 50, 100), [51, 81, 101]);
    assert.deepEqual(warnAt(1, 50, 80), [1]);
    assert.deepEqual(warnAt(9_000_000_000_000_000, 99), [8_910_000_000_000_000, 9_000_000_000_000_000]);
  });
  test('do not come for a budget of nothing', () => {
    assert.deepEqual(warnAt(0, 50), []);
  });
});
