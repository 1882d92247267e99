import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { statusOf } from '../failure.ts';
import { epochMillis, millis, nanoUsd } from '../units.ts';
import type { BudgetDemand, LimitDemand } from './demand.ts';
import { refusalOf } from './refusal.ts';

const now = epochMillis(Date.parse('2026-11-21T12:00:00Z'));
const monthly: BudgetDemand = {
  name: 'monthly',
  scope: 'Key',
  account: 'a',
  period: epochMillis(Date.parse('2026-11-01T00:00:00Z')),
  resetAt: epochMillis(Date.parse('2026-12-01T00:00:00Z')),
  amount: nanoUsd(250_000_000),
  onExhausted: 'Block',
  warnAt: [],
};
const { resetAt: _, ...endless } = monthly;
const total: BudgetDemand = { ...endless, name: 'all', scope: 'Tenant', period: epochMillis(0) };

function exhausted(...budgets: BudgetDemand[]) {
  const levels = budgets.map(() => ({ settled: nanoUsd(26_075_000_001), reserved: nanoUsd(40) }));
  const refusal = { kind: 'exhausted', budget: budgets.length - 1, levels, remaining: [] } as const;
  return refusalOf(refusal, { limits: [], budgets, cost: nanoUsd(1_000_000) }, now);
}

describe('a budget that is spent', () => {
  test('is refused with the words of LiteLLM, and the exact amounts', () => {
    const refused = exhausted(monthly);
    assert.equal(refused.class, 'budget_exceeded');
    assert.equal(statusOf(refused), 402);
    assert.equal(
      refused.message,
      'Budget has been exceeded! Current cost: 26.075000001, Max budget: 0.25 (budget monthly of the key since ' +
        '2026-11-01T00:00:00.000Z; reserved for requests in progress: 0.00000004; this request may cost up to: 0.001; ' +
        'resets at 2026-12-01T00:00:00.000Z)',
    );
  });
  test('may be tried again when it starts anew', () => {
    assert.equal(exhausted(monthly).retryAfter, 9.5 * 86_400_000);
  });
  test('tells of the budget that blocks, and no time where there is none', () => {
    const refused = exhausted(monthly, total);
    assert.equal(refused.param, 'all');
    assert.match(refused.message, /\(budget all of the tenant; .* up to: 0\.001\)$/);
    assert.equal('retryAfter' in refused, false);
  });
});

describe('a limit that is reached', () => {
  const limits: LimitDemand[] = [
    { id: 'team/prod/rpm', kind: 'requests', max: 100 },
    { id: 'team/prod/tpm/openai/gpt-4*', kind: 'tokens', max: 5000 },
    { id: 'team/prod/maxConcurrency', kind: 'concurrency', max: 2 },
  ];
  const limited = (limit: number, retryAfter: number) =>
    refusalOf(
      { kind: 'limited', limit, retryAfter: millis(retryAfter), remaining: [] },
      { limits, budgets: [], cost: nanoUsd(0) },
      now,
    );

  test('is named, with what it allows', () => {
    assert.deepEqual(
      limits.map((_each, index) => [limited(index, 1).param, limited(index, 1).message]),
      [
        ['rpm', 'Rate limit exceeded (rpm): this key may make 100 requests a minute.'],
        ['tpm/openai/gpt-4*', 'Rate limit exceeded (tpm): this key may use 5000 tokens a minute for openai/gpt-4*.'],
        ['maxConcurrency', 'Rate limit exceeded (maxConcurrency): this key may have 2 requests open at the same time.'],
      ],
    );
  });
  test('is a 429 that says when to come again', () => {
    const refused = limited(0, 1500.2);
    assert.deepEqual([refused.class, statusOf(refused), refused.retryAfter], ['rate_limit_exceeded', 429, 1501]);
  });
});
