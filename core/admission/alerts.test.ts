import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noUsage } from '../chat/usage.ts';
import type { Candidate } from '../plan/candidate.ts';
import { epochMillis, nanoUsd, tokens } from '../units.ts';
import { dearFallbackAlert, exhaustedAlert, type Occasion, thresholdAlerts } from './alerts.ts';
import type { BudgetDemand } from './demand.ts';

const occasion: Occasion = { tenant: 'acme', keyName: 'llm/prod', now: epochMillis(Date.UTC(2026, 10, 21)) };
const budget = (more: Partial<BudgetDemand> = {}): BudgetDemand => ({
  name: 'monthly',
  scope: 'Key',
  account: 'key:llm/prod|Monthly|UTC|',
  period: epochMillis(Date.UTC(2026, 10, 1)),
  resetAt: epochMillis(Date.UTC(2026, 11, 1)),
  amount: nanoUsd(10_000_000_000),
  onExhausted: 'Block',
  warnAt: [],
  ...more,
});
const level = (settled: number, reserved = 0) => ({ settled: nanoUsd(settled), reserved: nanoUsd(reserved) });

describe('warnings of budgets', () => {
  test('tell whose budget has reached what, to the nano-dollar, in words and in fields', () => {
    const at = nanoUsd(8_000_000_000);
    const [alert, ...more] = thresholdAlerts(occasion, [budget()], [level(8_000_000_001, 500_000_000)], [{ budget: 0, at }]);
    assert.equal(more.length, 0);
    assert.equal(
      alert!.text,
      'Budget monthly of key llm/prod (tenant acme) has reached 80%: 8.000000001 of 10 USD spent, 0.5 USD held for requests in flight, until 2026-12-01T00:00:00Z.',
    );
    assert.equal(alert!.kind, 'budget_threshold');
    assert.deepEqual(alert!.fields, {
      tenant: 'acme',
      key: 'llm/prod',
      budget: 'monthly',
      scope: 'Key',
      amount_usd: '10',
      spent_usd: '8.000000001',
      reserved_usd: '0.5',
      reset_at: '2026-12-01T00:00:00Z',
      threshold_percent: 80,
    });
    assert.equal(alert!.quietFor, 10 * 24 * 3_600_000);
  });

  test('take the amount itself for exhausted, the same event as a request that is refused', () => {
    const at = nanoUsd(10_000_000_000);
    const [alert] = thresholdAlerts(occasion, [budget()], [level(at)], [{ budget: 0, at }]);
    assert.equal(alert!.kind, 'budget_exhausted');
    assert.match(alert!.text, /Requests that do not fit are refused\.$/);
    assert.equal(alert!.key, exhaustedAlert(occasion, budget(), level(9_900_000_000)).key);
  });

  test('are news again in another period, for another amount, tenant or account, and for another threshold', () => {
    const key = (o: Occasion, b: BudgetDemand) => exhaustedAlert(o, b, level(1)).key;
    const crossing = (at: number) => thresholdAlerts(occasion, [budget()], [level(at)], [{ budget: 0, at: nanoUsd(at) }])[0]!.key;
    const keys = [
      key(occasion, budget()),
      key({ ...occasion, tenant: 'other' }, budget()),
      key(occasion, budget({ account: 'tenant|Monthly|UTC|' })),
      key(occasion, budget({ period: epochMillis(0) })),
      key(occasion, budget({ amount: nanoUsd(1) })),
      crossing(5_000_000_000),
      crossing(8_000_000_000),
    ];
    assert.equal(new Set(keys).size, keys.length);
  });

  test('name the tenant alone for its own budget, and no end for one without a period', () => {
    const { resetAt: _, ...total } = budget({ scope: 'Tenant', onExhausted: 'Warn' });
    const alert = exhaustedAlert(occasion, total, level(11_000_000_000));
    assert.equal(alert.text, 'Budget monthly of tenant acme is exhausted: 11 of 10 USD spent. Requests go on.');
    assert.ok(!('key' in alert.fields) && !('reset_at' in alert.fields));
  });
});

describe('a warning of a dear fallback', () => {
  const candidate = (backend: string, rate: number | undefined, gpu = false): Candidate => {
    const rates = Object.fromEntries(
      ['input', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h', 'output', 'reasoning', 'audioInput', 'audioOutput'].map(c => [
        c,
        rate,
      ]),
    );
    const price = {
      source: 'provider',
      version: '1',
      rates: { ...rates, perRequest: 0 },
      tiers: [],
      ...(gpu && { gpu: { hour: 1, gpus: 1 } }),
    };
    const model = { name: 'm', ...(rate !== undefined && { price }) };
    return { backend, provider: { id: `n/${backend}` }, model } as unknown as Candidate;
  };
  const usage = { ...noUsage, inputUncached: tokens(1_000) };
  const alert = (ratio: number | undefined, primary: Candidate, used: Candidate, cost: number) => {
    const fallback = { ...(ratio !== undefined && { costGuard: { maxPriceRatio: ratio, onExceeded: 'Warn' } }) } as Parameters<
      typeof dearFallbackAlert
    >[0]['route']['fallback'];
    return dearFallbackAlert({ route: { id: 'n/r', fallback }, primary, used, usage, cost: nanoUsd(cost) });
  };
  const [cheap, dear] = [candidate('a', 1_000_000), candidate('b', 5_000_001)];

  test('comes when it cost more than the ratio for the same tokens, and not at the ratio', () => {
    assert.equal(alert(5, cheap, dear, 5_000_000), undefined);
    const told = alert(5, cheap, dear, 5_000_001)!;
    assert.equal(told.kind, 'expensive_fallback');
    assert.match(told.text, /^Route n\/r falls back from n\/a\/m to n\/b\/m, which cost 0\.005000001 USD in place of 0\.001: /);
    assert.equal(told.key, alert(5, cheap, dear, 9_000_000)!.key);
  });
  test('does not come without a ratio, without a price to compare with, or from the primary itself', () => {
    assert.equal(alert(undefined, cheap, dear, 9e9), undefined);
    assert.equal(alert(5, candidate('a', undefined), dear, 9e9), undefined);
    assert.equal(alert(5, candidate('a', 0, true), dear, 9e9), undefined);
    assert.equal(alert(5, cheap, cheap, 9e9), undefined);
  });
  test('comes from any cost where the primary is free', () => {
    assert.ok(alert(5, candidate('a', 0), dear, 1));
  });
});
