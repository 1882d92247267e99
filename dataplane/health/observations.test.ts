import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type FailureClass, failure, failures } from '#core/failure.ts';
import type { BreakerState } from '#core/health/breaker.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { aCandidate } from '#core/plan/testing.ts';
import type { ProviderEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import { aModel, aProvider, aRoute } from '#core/snapshot/testing.ts';
import { millis } from '#core/units.ts';
import { Observations, type ObservationsParts } from './observations.ts';

const snapshotOf = (...providers: ProviderEntry[]): Snapshot => ({
  schemaVersion: 1,
  providers: Object.fromEntries(providers.map(provider => [provider.id, provider])),
  routes: [aRoute('r')],
  keys: [],
  tenants: {},
});

/** Two models at one provider, and one at another, at a time that a test moves. */
class Stage {
  now = 1_000_000;
  credential = 'sk-1';
  readonly turns: string[] = [];
  readonly denied: string[] = [];
  readonly provider = aProvider('a', { models: [aModel('m'), aModel('n')] });
  readonly m = aCandidate('a', { provider: this.provider, model: this.provider.models[0]! });
  readonly n = aCandidate('a', { provider: this.provider, model: this.provider.models[1]! });
  readonly other = aCandidate('b', { provider: aProvider('b') });
  snapshot = snapshotOf(this.provider, this.other.provider);
  readonly seen: Observations;

  constructor(more: Partial<ObservationsParts> = {}) {
    this.seen = new Observations({
      snapshot: () => this.snapshot,
      credential: () => this.credential,
      onTurn: ({ provider, model = '*', to }: { provider: string; model?: string; to: BreakerState }) =>
        this.turns.push(`${provider} ${model} ${to}`),
      onRetryDenied: provider => this.denied.push(provider),
      ...more,
    });
  }

  attempt(candidate: Candidate, cls?: FailureClass): void {
    assert.ok(this.seen.tryEnter(candidate, this.now), 'let in');
    const seen = this.seen.began(candidate, 100, this.now++);
    seen.ended({ ms: 50, ...(cls && { failure: failure(cls) }) }, this.now++);
  }

  of(candidate: Candidate) {
    return this.seen.of(candidate, this.now);
  }
}

describe('what is known of a target', () => {
  test('what is under way, and what it is expected to take', () => {
    const stage = new Stage();
    const [one, two] = [stage.seen.began(stage.m, 300, stage.now), stage.seen.began(stage.m, 700, stage.now)];
    assert.deepEqual([stage.of(stage.m).inFlight, stage.of(stage.m).outstandingTokens], [2, 1_000]);
    assert.equal(stage.of(stage.n).inFlight, 0);
    one.ended({ ms: 10 }, stage.now);
    one.ended({ ms: 10 }, stage.now);
    two.ended({ ms: 10, abandoned: true }, stage.now);
    assert.deepEqual([stage.of(stage.m).inFlight, stage.of(stage.m).outstandingTokens], [0, 0]);
  });

  test('the time to the first token, of whole answers to their end, and of those who waited in vain', () => {
    const stage = new Stage();
    const window = millis(60_000);
    const median = () => stage.of(stage.m).latency(50, window);
    assert.equal(median(), undefined);
    const streamed = () => {
      const seen = stage.seen.began(stage.m, 1, stage.now);
      seen.firstToken(200, stage.now);
      seen.ended({ ms: 9_000, outputTokens: 88 }, stage.now);
    };
    for (let i = 0; i < 5; i++) streamed();
    stage.now += 200;
    assert.ok(Math.abs(median()! - 200) < 5, `${median()}`);
    assert.ok(Math.abs(stage.of(stage.m).tokensPerSecond! - 10) < 0.01, '88 in 8.8 s');
    for (let i = 0; i < 6; i++)
      stage.seen.began(stage.m, 1, stage.now).ended({ ms: 60_000, failure: failure('first_token_timeout') }, stage.now);
    stage.now += 200;
    assert.ok(median()! > 50_000);
    for (let i = 0; i < 30; i++)
      stage.seen.began(stage.m, 1, stage.now).ended({ ms: 1, failure: failure('upstream_error') }, stage.now);
    stage.now += 200;
    assert.ok(median()! > 50_000, 'an error that comes at once is not fast');
  });

  test('its share of failures, once there are enough', () => {
    const stage = new Stage();
    for (let i = 0; i < 16; i++) stage.attempt(stage.m);
    assert.equal(stage.of(stage.m).errorRate, undefined);
    for (let i = 0; i < 4; i++) stage.attempt(stage.m, 'upstream_error');
    assert.equal(stage.of(stage.m).errorRate, 0.2);
  });

  test('the engines and the limits of its provider, asked when somebody wants to know', () => {
    const load = { usable: 2, saturated: false, load: 0.5 };
    const stage = new Stage({ usage: ({ name }) => (name === 'a' ? 0.75 : undefined), engine: () => load });
    assert.deepEqual([stage.of(stage.m).usage, stage.of(stage.other).usage, stage.of(stage.m).engine], [0.75, undefined, load]);
  });
});

describe('breakers', () => {
  test('one model opens alone; a probe closes it', () => {
    const stage = new Stage();
    for (let i = 0; i < 5; i++) stage.attempt(stage.m, 'upstream_error');
    assert.equal(stage.seen.tryEnter(stage.m, stage.now), false);
    assert.ok(stage.of(stage.m).openUntil > stage.now);
    assert.equal(stage.of(stage.n).openUntil, 0);
    stage.now = stage.of(stage.m).openUntil;
    assert.ok(stage.of(stage.m).mayTry);
    assert.ok(stage.seen.tryEnter(stage.m, stage.now));
    assert.equal(stage.of(stage.m).mayTry, false);
    stage.seen.left(stage.m);
    stage.attempt(stage.m);
    assert.equal(stage.of(stage.m).openUntil, 0);
    assert.deepEqual(stage.turns, ['default/a m open', 'default/a m half-open', 'default/a m closed']);
  });

  test('an account without credit stops all models of the provider, for long, until its credential changes', () => {
    const stage = new Stage();
    stage.attempt(stage.m, 'upstream_quota_exhausted');
    assert.equal(stage.seen.tryEnter(stage.n, stage.now), false);
    assert.equal(stage.of(stage.n).openUntil, stage.now - 1 + 300_000);
    assert.equal(stage.of(stage.other).openUntil, 0);
    stage.seen.sweep(stage.now);
    assert.equal(stage.seen.tryEnter(stage.n, stage.now), false);
    stage.credential = 'sk-2';
    stage.seen.sweep(stage.now);
    stage.attempt(stage.n);
    assert.equal(stage.of(stage.m).openUntil, 0);
  });

  test('an attempt that is given up gives back the place of its probe, and says nothing', () => {
    const stage = new Stage();
    for (let i = 0; i < 5; i++) stage.attempt(stage.m, 'upstream_error');
    stage.now = stage.of(stage.m).openUntil;
    assert.ok(stage.seen.tryEnter(stage.m, stage.now));
    stage.seen.began(stage.m, 1, stage.now).ended({ ms: 5, abandoned: true }, stage.now);
    assert.ok(stage.of(stage.m).openUntil > 0);
    assert.ok(stage.of(stage.m).mayTry);
  });

  test('no error of a caller or of the gateway ever opens one', () => {
    const harmless = (Object.keys(failures) as FailureClass[]).filter(cls => !failures[cls].hurtsHealth);
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...harmless), { maxLength: 80 }), classes => {
        const stage = new Stage();
        for (const cls of classes) stage.attempt(stage.m, cls);
        assert.equal(stage.of(stage.m).openUntil, 0);
        assert.deepEqual(stage.turns, []);
      }),
    );
  });
});

test('retries are within the budget of their provider, whichever model they are for', () => {
  const stage = new Stage();
  const allowed = Array.from({ length: 12 }, () => stage.seen.retryAllowed(stage.provider, 20, stage.now)).filter(Boolean);
  assert.equal(allowed.length, 10);
  assert.deepEqual(stage.denied, ['default/a', 'default/a']);
  assert.ok(stage.seen.retryAllowed(stage.other.provider, 20, stage.now));
});

describe('another configuration', () => {
  test('changes the settings of what is known, at once', () => {
    const stage = new Stage();
    for (let i = 0; i < 3; i++) stage.attempt(stage.m, 'upstream_error');
    const stricter = { ...stage.provider, circuitBreaker: { ...stage.provider.circuitBreaker, consecutiveFailures: 4 } };
    stage.attempt(aCandidate('a', { provider: stricter, model: aModel('m') }), 'upstream_error');
    assert.ok(stage.of(stage.m).openUntil > 0);
  });

  test('takes with it what it does not name any more, once nothing is under way there', () => {
    const stage = new Stage();
    const running = stage.seen.began(stage.m, 1, stage.now);
    stage.attempt(stage.n);
    stage.attempt(stage.other);
    const names = () => stage.seen.report(stage.now).map(({ provider, model }) => `${provider.name} ${model.name}`);
    assert.deepEqual(names(), ['a m', 'a n', 'b m']);
    stage.snapshot = snapshotOf(stage.other.provider);
    stage.seen.sweep(stage.now);
    assert.deepEqual(names(), ['a m', 'b m']);
    const kept = ['default/r', 'default/r whole'].map(id => stage.seen.routeFirstToken(id));
    const gone = stage.seen.routeFirstToken('default/gone');
    running.ended({ ms: 1 }, stage.now);
    stage.seen.sweep(stage.now);
    assert.deepEqual(names(), ['b m']);
    assert.ok(kept[0] === stage.seen.routeFirstToken('default/r') && kept[1] === stage.seen.routeFirstToken('default/r whole'));
    assert.notEqual(stage.seen.routeFirstToken('default/gone'), gone);
  });
});
