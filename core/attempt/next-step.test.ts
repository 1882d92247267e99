import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type FailureClass, type FailureDetail, type FailurePolicy, failure, failures } from '../failure.ts';
import { aCandidate } from '../plan/testing.ts';
import { aRoute } from '../snapshot/testing.ts';
import { millis } from '../units.ts';
import { type AttemptPolicy, nextStep, type Progress } from './next-step.ts';

const policy = (
  more: { retries?: Partial<AttemptPolicy['retries']>; fallback?: Partial<AttemptPolicy['fallback']> } = {},
): AttemptPolicy => {
  const { retries, fallback } = aRoute('r');
  return { retries: { ...retries, ...more.retries }, fallback: { ...fallback, ...more.fallback } };
};
const progress = (more: Partial<Progress> = {}): Progress => ({
  candidates: [aCandidate('a'), aCandidate('b'), aCandidate('c')],
  current: 0,
  tried: [1, 0, 0],
  possiblyBilled: 0,
  made: 1,
  sent: true,
  waited: millis(0),
  availableIn: () => millis(0),
  mayRetry: true,
  elsewhereFirst: false,
  timeLeft: millis(60_000),
  ...more,
});
const step = (cls: FailureClass, p = progress(), rules = policy(), detail: FailureDetail = {}, random = 0.5) =>
  nextStep(failure(cls, detail), p, rules, random);

describe('a first failure', () => {
  const kinds = (cls: FailureClass) => step(cls).kind;
  for (const [cls, row] of Object.entries(failures) as [FailureClass, FailurePolicy][]) {
    const wanted = row.elsewhereFirst
      ? 'fallback'
      : row.retry
        ? 'retry'
        : row.fallback && row.fallback !== 'ContentFiltered'
          ? 'fallback'
          : 'fail';
    test(`of class ${cls} leads to ${wanted}`, () => {
      assert.equal(kinds(cls), wanted);
    });
  }
});

describe('retries', () => {
  test('end when the backend was tried once more than retries.attempts', () => {
    assert.equal(step('upstream_error', progress({ tried: [2, 0, 0] })).kind, 'fallback');
    assert.equal(step('upstream_error', progress({ tried: [2, 0, 0] }), policy({ retries: { attempts: 2 } })).kind, 'retry');
  });
  test('happen only for the classes that retries.on names', () => {
    assert.equal(step('upstream_error', progress(), policy({ retries: { on: ['RateLimited'] } })).kind, 'fallback');
  });
  test('wait a random part of base x 2^(attempts made - 1), at most max', () => {
    const after = (tried: number, random: number) => {
      const rules = policy({ retries: { attempts: 20 } });
      const next = step('upstream_error', progress({ tried: [tried, 0, 0] }), rules, {}, random);
      return next.kind === 'retry' ? next.after : undefined;
    };
    assert.deepEqual([after(1, 0), after(1, 0.5), after(2, 0.5), after(3, 0.5)], [0, 100, 200, 400]);
    assert.equal(after(15, 0.999999), 5000);
  });
  test('wait for what the provider asked for, up to backoff.max', () => {
    assert.deepEqual(step('upstream_rate_limited', progress(), policy(), { retryAfter: millis(3000) }), {
      kind: 'retry',
      to: 0,
      after: 3000,
    });
  });
  test('are passed over when the provider asks for longer than backoff.max', () => {
    assert.equal(step('upstream_rate_limited', progress(), policy(), { retryAfter: millis(6000) }).kind, 'fallback');
  });
  test('are passed over when the wait would outlast the request', () => {
    const late = progress({ timeLeft: millis(1000) });
    assert.equal(step('upstream_rate_limited', late, policy(), { retryAfter: millis(3000) }).kind, 'fallback');
  });
  test('happen at most once for a request that may have been billed', () => {
    const rules = policy({ retries: { attempts: 5 }, fallback: { on: [] } });
    const detail = { possiblyBilled: true } as const;
    assert.equal(step('upstream_reset', progress({ possiblyBilled: 1 }), rules, detail).kind, 'retry');
    assert.equal(step('upstream_reset', progress({ tried: [2, 0, 0], possiblyBilled: 2 }), rules, detail).kind, 'fail');
  });
});

describe('fallback', () => {
  const spent = progress({ tried: [2, 0, 0] });
  test('goes to the next backend that was not tried', () => {
    assert.deepEqual(step('upstream_error', progress({ tried: [2, 1, 0] })), {
      kind: 'fallback',
      to: 2,
      after: 0,
      reason: 'Exhausted',
    });
  });
  test('ends when every backend was tried', () => {
    assert.equal(step('upstream_error', progress({ tried: [2, 1, 1] })).kind, 'fail');
  });
  test('without Exhausted follows only the classes that are named', () => {
    const rules = policy({ fallback: { on: ['RateLimited'] } });
    assert.equal(step('upstream_error', spent, rules).kind, 'fail');
    assert.equal(step('upstream_rate_limited', spent, rules).kind, 'fallback');
  });
  test('for a timeout comes before a retry, which would cost as long again', () => {
    assert.equal(step('first_token_timeout').kind, 'fallback');
    assert.equal(step('first_token_timeout', progress({ candidates: [aCandidate('a')], tried: [1] })).kind, 'retry');
  });
  test('for content happens only where the route names it', () => {
    assert.equal(step('content_filtered').kind, 'fail');
    assert.equal(step('content_filtered', progress(), policy({ fallback: { on: ['ContentFiltered'] } })).kind, 'fallback');
  });
  test('for a class with backends of its own goes to those only', () => {
    const rules = policy({ fallback: { contextLengthExceeded: ['c'] } });
    assert.deepEqual(step('context_length_exceeded', progress(), rules), {
      kind: 'fallback',
      to: 2,
      after: 0,
      reason: 'ContextLengthExceeded',
    });
    assert.equal(step('context_length_exceeded', progress({ tried: [1, 0, 1] }), rules).kind, 'fail');
  });
});

describe('backends that get nothing for a while', () => {
  const open = (...waits: readonly number[]) => ({ availableIn: (index: number) => millis(waits[index] ?? 0) });
  const spent = (...waits: readonly number[]) => progress({ tried: [2, 0, 0], ...open(...waits) });

  test('are passed over', () => {
    assert.deepEqual(step('upstream_error', spent(0, 5000)), { kind: 'fallback', to: 2, after: 0, reason: 'Exhausted' });
  });
  test('are not tried again after a failure', () => {
    assert.equal(step('upstream_error', progress(open(10_000))).kind, 'fallback');
  });
  test('are waited for where nobody else is left, the first to recover', () => {
    assert.deepEqual(step('upstream_error', spent(9000, 800, 600)), {
      kind: 'fallback',
      to: 2,
      after: 600,
      reason: 'CircuitOpen',
    });
  });
  test('are not waited for longer than a second in all, nor for more than a tenth of the time that is left', () => {
    assert.equal(step('upstream_error', spent(9000, 1001, 2000)).kind, 'fail');
    assert.equal(step('upstream_error', { ...spent(9000, 600, 2000), waited: millis(500) }).kind, 'fail');
    assert.equal(step('upstream_error', { ...spent(9000, 600, 2000), timeLeft: millis(5000) }).kind, 'fail');
  });
  test('end in a failure that says when the first of them may be tried again', () => {
    assert.deepEqual(step('upstream_error', spent(9000, 4000, 6000)), { kind: 'fail', retryAfter: 4000 });
  });
  test('are waited for also without a fallback, by a request that was kept back', () => {
    const alone = progress({ candidates: [aCandidate('a')], tried: [0], sent: false, ...open(300) });
    const rules = policy({ fallback: { on: [] } });
    assert.deepEqual(step('circuit_open', alone, rules), { kind: 'fallback', to: 0, after: 300, reason: 'CircuitOpen' });
  });
});

test('what was not sent is not retried: it would be kept back again', () => {
  assert.equal(step('upstream_error', progress({ sent: false })).kind, 'fallback');
});
test('nothing is retried beyond the retry budget, and the fallback is exempt', () => {
  assert.equal(step('upstream_error', progress({ mayRetry: false })).kind, 'fallback');
});
test('a backend that broke off an answer comes after all others', () => {
  assert.equal(step('upstream_error', progress({ elsewhereFirst: true })).kind, 'fallback');
  assert.equal(step('upstream_error', progress({ elsewhereFirst: true, tried: [1, 1, 1] })).kind, 'retry');
});
test('retries, fallbacks and the models of a request together have a bound', () => {
  const rules = policy({ retries: { attempts: 10 } });
  const many = Array.from({ length: 8 }, (_, i) => aCandidate(`b${i}`));
  const tried = [11, 11, 7, 2, 0, 0, 0, 0];
  assert.equal(step('upstream_error', progress({ candidates: many, tried, current: 3, made: 32 }), rules).kind, 'fail');
  assert.equal(step('upstream_error', progress({ candidates: many, tried, current: 3, made: 31 }), rules).kind, 'retry');
});

test('nothing follows after the deadline of the request', () => {
  assert.equal(step('upstream_error', progress({ timeLeft: millis(0) })).kind, 'fail');
});
