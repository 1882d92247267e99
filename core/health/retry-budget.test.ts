import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MovingMean } from './mean.ts';
import { RetryBudget } from './retry-budget.ts';

test('ten retries in ten seconds are free; more are a share of the requests', () => {
  const budget = new RetryBudget();
  const retried = (times: number, now: number) => {
    let taken = 0;
    for (let i = 0; i < times; i++) {
      if (!budget.take(20, now)) continue;
      budget.attempted(now);
      taken++;
    }
    return taken;
  };
  assert.equal(retried(15, 1_000), 10);
  for (let i = 0; i < 100; i++) budget.attempted(2_000);
  assert.equal(retried(50, 2_000), 10, '20 in all for 100 requests: a retry is no request');
  assert.equal(retried(50, 12_500), 10, 'the window has passed');
});

test('over any ten seconds retries stay below the larger of ten and the share, at whatever pace', () => {
  const steps = fc.array(fc.record({ after: fc.nat(400), requests: fc.nat(20), retries: fc.nat(20) }), { maxLength: 80 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 100 }), (traffic, percent) => {
      const budget = new RetryBudget();
      let now = 1_000_000;
      const [requests, retries]: [number[], number[]] = [[], []];
      for (const step of traffic) {
        now += step.after;
        for (let i = 0; i < step.requests; i++) {
          budget.attempted(now);
          requests.push(now);
        }
        for (let i = 0; i < step.retries; i++) {
          if (!budget.take(percent, now)) continue;
          budget.attempted(now);
          retries.push(now);
        }
        const recent = retries.filter(at => at > now - 9_000).length;
        const asked = requests.filter(at => at > now - 10_000).length;
        assert.ok(recent <= Math.max(10, Math.ceil((asked * percent) / 100)), `${recent} of ${asked}`);
      }
    }),
  );
});

test('a moving mean begins as a plain one and then follows', () => {
  const mean = new MovingMean();
  assert.equal(mean.value, undefined);
  for (const value of [10, 20, 30]) mean.add(value);
  assert.equal(mean.value, 20);
  for (let i = 0; i < 200; i++) mean.add(5);
  assert.ok(Math.abs(mean.value! - 5) < 0.1);
});
