import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Failure, type FailureClass, failure, failures } from '../failure.ts';
import { millis } from '../units.ts';
import { Breaker, type BreakerSettings, type BreakerState, blameOf, type Tried } from './breaker.ts';

const settings: BreakerSettings = {
  consecutiveFailures: 5,
  errorRate: 0.5,
  window: millis(30_000),
  minRequests: 20,
  cooldown: millis(10_000),
  maxCooldown: millis(60_000),
  halfOpenProbes: 1,
};
const LEASE = 30_000;
const broken = failure('upstream_error');
const slowDown = (retryAfter: number) => failure('upstream_rate_limited', { retryAfter: millis(retryAfter) });

/** A breaker at a time that a test moves. */
class Stage {
  now = 1_000_000;
  readonly turns: BreakerState[] = [];
  readonly breaker = new Breaker(to => this.turns.push(to));

  enter(more: Partial<BreakerSettings> = {}): Tried | undefined {
    if (!this.breaker.enter({ ...settings, ...more }, LEASE, this.now)) return undefined;
    return { startedAt: this.now, probe: this.breaker.began() };
  }

  fail(reason: Failure = broken, tried = this.enter()): void {
    assert.ok(tried, 'let in');
    this.breaker.failed(reason, tried, settings, ++this.now);
    this.now++;
  }

  succeed(tried = this.enter()): void {
    assert.ok(tried, 'let in');
    this.breaker.succeeded(tried, settings, ++this.now);
    this.now++;
  }

  /** Until it may be tried. */
  cool(): number {
    const wait = this.breaker.openUntil - this.now;
    this.now += wait;
    return wait;
  }

  get state(): BreakerState {
    return this.breaker.state(this.now);
  }
}

const opened = (): Stage => {
  const stage = new Stage();
  for (let i = 0; i < 5; i++) stage.fail();
  assert.equal(stage.state, 'open');
  return stage;
};

describe('a breaker opens', () => {
  test('at consecutiveFailures, and a success in between begins the count anew', () => {
    const stage = new Stage();
    for (let i = 0; i < 4; i++) stage.fail();
    stage.succeed();
    for (let i = 0; i < 4; i++) stage.fail();
    assert.equal(stage.state, 'closed');
    stage.fail();
    assert.equal(stage.state, 'open');
    assert.equal(stage.enter(), undefined);
  });

  test('at errorRate of at least minRequests in the window, and not by what has left it', () => {
    const stage = new Stage();
    for (let i = 0; i < 9; i++) {
      stage.fail();
      stage.succeed();
    }
    assert.equal(stage.state, 'closed', '18 are too few');
    stage.now += 30_000;
    stage.succeed();
    stage.fail();
    assert.equal(stage.state, 'closed', 'the 18 have left the window');
    for (let i = 0; i < 8; i++) {
      stage.fail();
      stage.succeed();
    }
    stage.succeed();
    stage.fail();
    assert.equal(stage.state, 'open', 'half of 20');
  });

  test('when a provider says how long it has no room, for just so long', () => {
    const stage = new Stage();
    stage.fail(slowDown(2_000));
    assert.equal(stage.breaker.openUntil, stage.now - 1 + 2_000);
    stage.cool();
    stage.fail(slowDown(3_000));
    assert.equal(stage.breaker.openUntil, stage.now - 1 + 3_000, 'no longer for being asked again');
  });

  test('for Retry-After where that is longer than the cooldown', () => {
    const stage = new Stage();
    for (let i = 0; i < 4; i++) stage.fail();
    stage.fail(failure('upstream_overloaded', { retryAfter: millis(45_000) }));
    assert.equal(stage.cool(), 45_000 - 1);
  });

  test('at once and for long when it is tripped', () => {
    const stage = new Stage();
    stage.breaker.trip(failure('upstream_quota_exhausted'), stage.enter()!, settings, stage.now);
    assert.equal(stage.cool(), settings.maxCooldown);
  });
});

describe('an open breaker', () => {
  test('does not close by an answer to what began before it opened', () => {
    const stage = new Stage();
    const early = stage.enter()!;
    for (let i = 0; i < 5; i++) stage.fail();
    stage.succeed(early);
    assert.equal(stage.state, 'open');
    stage.cool();
    assert.equal(stage.state, 'half-open');
  });

  test('is not kept open by failures of what began before it opened, but by their Retry-After', () => {
    const stage = new Stage();
    const early = [stage.enter()!, stage.enter()!];
    for (let i = 0; i < 5; i++) stage.fail();
    const until = stage.breaker.openUntil;
    stage.fail(broken, early[0]);
    assert.equal(stage.breaker.openUntil, until);
    stage.fail(failure('upstream_overloaded', { retryAfter: millis(30_000) }), early[1]);
    assert.ok(stage.breaker.openUntil > until);
  });

  test('that closed again is not opened by the late failures of the same trouble', () => {
    const stage = new Stage();
    const early = Array.from({ length: 10 }, () => stage.enter()!);
    for (let i = 0; i < 5; i++) stage.fail();
    stage.cool();
    stage.succeed();
    for (const tried of early) stage.fail(broken, tried);
    assert.equal(stage.state, 'closed');
  });

  test('may be tried at once when what it opened for may be mended', () => {
    const stage = opened();
    stage.breaker.reconsider(stage.now);
    assert.ok(stage.enter());
  });
});

describe('a half-open breaker', () => {
  test('lets one probe in, doubles its cooldown with each that fails up to maxCooldown, and begins anew after a success', () => {
    const stage = opened();
    const waits = [stage.cool()];
    for (let i = 0; i < 4; i++) {
      const probe = stage.enter();
      assert.equal(stage.enter(), undefined, 'one at a time');
      stage.fail(broken, probe);
      waits.push(stage.cool());
    }
    assert.deepEqual(
      waits.map(wait => Math.round(wait / 1000)),
      [10, 20, 40, 60, 60],
    );
    stage.succeed();
    assert.equal(stage.state, 'closed');
    for (let i = 0; i < 5; i++) stage.fail();
    assert.equal(Math.round(stage.cool() / 1000), 10);
  });

  test('has a free place again when a probe leaves, ends without a word, or is silent until its lease ends', () => {
    const stage = opened();
    stage.cool();
    assert.ok(stage.breaker.enter(settings, LEASE, stage.now));
    stage.breaker.left();
    stage.breaker.endedOtherwise(stage.enter()!);
    const silent = stage.enter()!;
    assert.equal(stage.enter(), undefined);
    stage.now += LEASE - 1;
    assert.equal(stage.enter(), undefined);
    stage.now++;
    stage.fail(broken, stage.enter());
    assert.equal(stage.state, 'open');
    stage.succeed(silent);
    assert.equal(stage.state, 'open', 'the silent one began before that');
  });

  test('closes with the first token of a probe; where that answer then breaks, it was no recovery', () => {
    const stage = opened();
    stage.cool();
    const probe = stage.enter()!;
    stage.breaker.firstToken(probe, ++stage.now);
    assert.equal(stage.state, 'closed');
    stage.fail(failure('upstream_stream_truncated'), probe);
    assert.equal(Math.round(stage.cool() / 1000), 20);
    const second = stage.enter()!;
    stage.breaker.firstToken(second, ++stage.now);
    stage.succeed();
    stage.fail(failure('upstream_stream_truncated'), second);
    assert.equal(stage.state, 'closed', 'others were answered meanwhile');
  });

  test('counts the places that other processes hold, while that is known', () => {
    const stage = opened();
    stage.cool();
    stage.breaker.heldElsewhere(1, stage.now + 500);
    assert.equal(stage.enter(), undefined);
    stage.now += 500;
    assert.ok(stage.enter());
  });

  test('tells of each turn once', () => {
    const stage = opened();
    stage.cool();
    stage.fail();
    stage.cool();
    stage.succeed();
    assert.deepEqual(stage.turns, ['open', 'half-open', 'open', 'half-open', 'closed']);
  });
});

describe('what others learnt', () => {
  test('opens until the later deadline, and closes by a close that came later', () => {
    const [a, b] = [opened(), new Stage()];
    b.now = a.now;
    b.breaker.learn(a.breaker.learnt, b.now);
    assert.equal(b.breaker.openUntil, a.breaker.openUntil);
    b.breaker.learn({ kind: 'opened', at: a.now, until: a.breaker.openUntil - 5, cooldown: 1 }, b.now);
    assert.equal(b.breaker.openUntil, a.breaker.openUntil);
    b.breaker.learn({ kind: 'closed', at: a.now - 60_000 }, b.now);
    assert.equal(b.state, 'open');
    a.cool();
    a.succeed();
    b.now = a.now;
    b.breaker.learn(a.breaker.learnt, b.now);
    assert.equal(b.state, 'closed');
    b.breaker.learn({ kind: 'opened', at: a.now - 20_000, until: a.now + 20_000, cooldown: 1 }, b.now);
    assert.equal(b.state, 'closed', 'old news');
  });

  test('carries the cooldown on: the next failed probe doubles it wherever it is made', () => {
    const [a, b] = [opened(), new Stage()];
    a.cool();
    a.fail();
    b.now = a.now;
    b.breaker.learn(a.breaker.learnt, b.now);
    b.cool();
    b.fail();
    assert.equal(Math.round(b.cool() / 1000), 40);
  });
});

test('news in any order, and more than once, lead to the same: open if the latest opening is later than the latest close', () => {
  const news = fc.uniqueArray(fc.record({ at: fc.nat(50), opened: fc.boolean(), lasts: fc.integer({ min: 1, max: 900 }) }), {
    selector: ({ at }) => at,
    minLength: 1,
    maxLength: 12,
  });
  const both = news.chain(list => fc.record({ list: fc.constant(list), shuffled: fc.shuffledSubarray([...list, ...list]) }));
  fc.assert(
    fc.property(both, ({ list, shuffled }) => {
      const breaker = new Breaker();
      const learn = ({ at, opened: isOpening, lasts }: (typeof list)[number]) =>
        breaker.learn(isOpening ? { kind: 'opened', at, until: at + lasts, cooldown: lasts } : { kind: 'closed', at }, 60);
      for (const one of [...shuffled, ...list.toReversed()]) learn(one);
      const latest = Math.max(...list.map(({ at }) => at));
      assert.equal(breaker.openUntil !== 0, list.find(({ at }) => at === latest)!.opened);
    }),
  );
});

test('blame follows the table of failures: callers and the gateway never, accounts for all models', () => {
  for (const cls of Object.keys(failures) as FailureClass[]) {
    const { origin, hurtsHealth } = failures[cls];
    assert.equal(blameOf(failure(cls)) === 'nobody', origin === 'caller' || !hurtsHealth, cls);
  }
  assert.equal(blameOf(failure('upstream_quota_exhausted')), 'account');
  assert.equal(blameOf(failure('upstream_auth_failed', { upstreamStatus: 401 })), 'target');
});

describe('whatever happens, in any order', () => {
  type Event =
    | { readonly kind: 'enter' | 'succeed' | 'first-token' | 'give-up' | 'leave' }
    | { readonly kind: 'fail'; readonly cls: FailureClass; readonly retryAfter: number | undefined }
    | { readonly kind: 'pass'; readonly ms: number }
    | { readonly kind: 'settings'; readonly probes: number; readonly failures: number };
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.constantFrom('enter', 'enter', 'succeed', 'first-token', 'give-up', 'leave').map(kind => ({ kind }) as Event),
    fc.record({
      kind: fc.constant('fail' as const),
      cls: fc.constantFrom('upstream_rate_limited' as const, 'upstream_error' as const),
      retryAfter: fc.option(fc.nat(90_000), { nil: undefined }),
    }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 25_000 }) }),
    fc.record({
      kind: fc.constant('settings' as const),
      probes: fc.integer({ min: 1, max: 4 }),
      failures: fc.integer({ min: 1, max: 6 }),
    }),
  );

  test('the deadline never shrinks while open, no more than halfOpenProbes pass at a time, and a probe is never for ever', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), fc.infiniteStream(fc.nat()), (events, picks) => {
        const breaker = new Breaker();
        let now = 1_000_000;
        let live = settings;
        const running: Tried[] = [];
        const pick = () => running.splice(picks.next().value! % Math.max(1, running.length), 1)[0];
        for (const step of events) {
          const [before, wasOpen] = [breaker.openUntil, breaker.state(now) === 'open'];
          if (step.kind === 'pass') now += step.ms;
          else if (step.kind === 'settings') live = { ...live, halfOpenProbes: step.probes, consecutiveFailures: step.failures };
          else if (step.kind === 'enter') {
            const mayTry = breaker.mayTry(live, now);
            const entered = breaker.enter(live, LEASE, now);
            assert.equal(entered, mayTry);
            assert.ok(!(entered && wasOpen), 'nothing passes while it is open');
            if (entered) running.push({ startedAt: now, probe: breaker.began() });
          } else {
            const tried = step.kind === 'first-token' ? running.at(-1) : pick();
            if (!tried) continue;
            if (step.kind === 'succeed') breaker.succeeded(tried, live, now);
            else if (step.kind === 'first-token') breaker.firstToken(tried, now);
            else if (step.kind === 'fail')
              breaker.failed(
                failure(step.cls, { ...(step.retryAfter !== undefined && { retryAfter: millis(step.retryAfter) }) }),
                tried,
                live,
                now,
              );
            else breaker.endedOtherwise(tried);
          }
          if (wasOpen && breaker.openUntil !== 0) assert.ok(breaker.openUntil >= before, 'the deadline never shrinks');
          if (breaker.state(now) === 'half-open') {
            const later = Math.max(now, ...running.map(({ probe }) => probe?.until ?? 0));
            assert.ok(breaker.mayTry(live, later), 'a silent probe frees its place');
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('while half-open, those that were let in and have not ended are never more than halfOpenProbes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.constantFrom('enter', 'leave', 'give-up'), { maxLength: 60 }),
        (probes, steps) => {
          const stage = opened();
          stage.cool();
          const running: Tried[] = [];
          for (const step of steps) {
            stage.now++;
            const tried = step === 'enter' ? stage.enter({ halfOpenProbes: probes }) : undefined;
            if (tried) running.push(tried);
            else if (step !== 'enter' && running.length > 0) stage.breaker.endedOtherwise(running.pop()!);
            assert.ok(running.length <= probes);
          }
        },
      ),
    );
  });
});
