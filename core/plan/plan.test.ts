import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TargetHealth } from '../health/health.ts';
import type { RouteEntry, Snapshot } from '../snapshot/snapshot.ts';
import { aBackend, aModel, aPrice, aProvider, aRoute } from '../snapshot/testing.ts';
import { millis, tokens } from '../units.ts';
import { type Downgrades, modelOf } from './backends.ts';
import { nothingKnown, type PlanContext } from './context.ts';
import { NEEDED, type Needed, noNeeds, type RequestNeeds } from './needs.ts';
import { isOutForNow, type Plan, planDirect, planRoute, type Score } from './plan.ts';
import { Sessions } from './sessions.ts';
import { aHealth } from './testing.ts';

const snapshot: Snapshot = {
  schemaVersion: 1,
  routes: [],
  keys: [],
  tenants: {},
  providers: {
    'default/a': aProvider('a', { models: [aModel('m', { aliases: ['m-latest'] })] }),
    'default/b': aProvider('b', { models: [aModel('other')] }),
    'default/text': aProvider('text', { models: [aModel('m', { capabilities: ['Chat'], contextWindow: tokens(1000) })] }),
    'default/unsaid': aProvider('unsaid', { models: [aModel('m', { capabilities: ['Chat', 'Tools', 'JSONSchema'] })] }),
    'default/eyes': aProvider('eyes', { models: [aModel('m', { capabilities: ['Chat', 'Tools', 'Vision', 'JSONSchema'] })] }),
    'default/cheap': aProvider('cheap', { models: [aModel('m', { price: aPrice(1000) })] }),
    'default/fair': aProvider('fair', { models: [aModel('m', { price: aPrice(4000) })] }),
    'default/dear': aProvider('dear', { models: [aModel('m', { price: aPrice(6000) })] }),
    'default/small': aProvider('small', { models: [aModel('m', { tier: 'Small' })] }),
  },
};
type More = { model?: string; downgrades?: Downgrades; context?: Partial<PlanContext>; scores?: Score[] };
const plan = (route: Partial<RouteEntry>, { model = 'm', downgrades, context, scores }: More = {}): Plan =>
  planRoute(snapshot, aRoute('r', route), model, { ...nothingKnown, ...context }, downgrades, scores);
const order = ({ candidates }: Plan) => candidates.map(c => c.backend);
const causes = ({ excluded }: Plan) => Object.fromEntries(excluded.map(e => [e.backend, e.cause]));

describe('a plan', () => {
  test('goes by priority first, whatever the weights', () => {
    const backends = [
      aBackend('late', { provider: 'default/a', priority: 2, weight: 100 }),
      aBackend('first', { provider: 'default/a', priority: 0 }),
      aBackend('next', { provider: 'default/a', priority: 1 }),
    ];
    assert.deepEqual(order(plan({ backends })), ['first', 'next', 'late']);
  });
  test('begins with the steps of a cascade in their order, which no cost guard holds for fallbacks', () => {
    const backends = [
      aBackend('dear', { priority: 0 }),
      aBackend('spare', { provider: 'default/dear', priority: 0 }),
      aBackend('cheap', { priority: 1 }),
      aBackend('fair', { priority: 2 }),
    ];
    const cascade = { steps: [{ backend: 'cheap', accept: { rules: [] } }, { backend: 'dear' }] };
    const { fallback } = aRoute('r');
    const costGuard = { maxPriceRatio: 1.1, onExceeded: 'Deny' } as const;
    assert.deepEqual(order(plan({ backends, cascade })), ['cheap', 'dear', 'spare', 'fair']);
    assert.deepEqual(order(plan({ backends, cascade, fallback: { ...fallback, costGuard } })).slice(0, 2), ['cheap', 'dear']);
  });
  test('takes the model that was asked for where the backend names none, by its alias too', () => {
    assert.equal(plan({ backends: [aBackend('a')] }, { model: 'm-latest' }).candidates[0]?.model.name, 'm');
  });
});

const leftOut: [sentence: string, route: Partial<RouteEntry>, reason: RegExp, cause: string][] = [
  ['whose provider is not live', { backends: [aBackend('gone')] }, /provider default\/gone is not live/, 'not-live'],
  ['whose provider lacks the model asked for', { backends: [aBackend('b')] }, /has no model m/, 'unknown-model'],
  ['whose own model is gone', { backends: [aBackend('b', { model: 'gone' })] }, /has no model gone/, 'not-live'],
  ['that is a downgrade', { backends: [aBackend('a', { downgrade: true })] }, /allowDowngrade/, 'downgrade'],
  [
    'without a price where that is denied',
    { backends: [aBackend('a')], onUnknownPrice: 'Deny' },
    /price of m is not known/,
    'unknown-price',
  ],
];
for (const [sentence, route, reason, cause] of leftOut)
  test(`a backend ${sentence} is left out with its reason`, () => {
    const { candidates, excluded } = plan(route);
    assert.equal(candidates.length, 0);
    assert.match(excluded[0]!.reason, reason);
    assert.equal(excluded[0]!.cause, cause);
  });

const NOW = 1_000_000;
/** What is known of backends, by name. */
const known = (of: Record<string, TargetHealth>, more: Partial<PlanContext> = {}): More => ({
  context: { now: NOW, health: { of: ({ backend }) => of[backend] ?? aHealth() }, ...more },
});
const engine = (saturated: boolean, usable = 1) => aHealth({ engine: { usable, saturated, load: saturated ? 1 : 0 } });
const needing = (needed: readonly Needed[], more: Partial<RequestNeeds> = {}): More => ({
  context: { needs: { ...noNeeds, needs: capability => needed.includes(capability), ...more } },
});
const at = (name: string, priority: number, more: Parameters<typeof aBackend>[1] = {}) =>
  aBackend(name, { provider: 'default/a', priority, ...more });

describe('a circuit that is open', () => {
  const backends = [at('first', 0), at('next', 1)];
  const open = (ms: number) => aHealth({ openUntil: NOW + ms, mayTry: false });
  test('leaves its backend out until it may be tried: behind all others, in case it is back before they are through', () => {
    const result = plan({ backends }, known({ first: open(5000) }));
    assert.deepEqual(order(result), ['next', 'first']);
    assert.deepEqual(result.excluded, [
      { backend: 'first', reason: 'its circuit breaker is open', cause: 'circuit-open', until: NOW + 5000 },
    ]);
    assert.ok(result.excluded.every(isOutForNow));
  });
  test('that may be probed is in; that is probed already is out', () => {
    assert.deepEqual(order(plan({ backends }, known({ first: aHealth({ openUntil: NOW }) }))), ['first', 'next']);
    assert.deepEqual(order(plan({ backends }, known({ first: open(0) }))), ['next', 'first']);
  });
  test('of every backend leaves a plan that says so, and when to come again', () => {
    const result = plan({ backends }, known({ first: open(9000), next: open(4000) }));
    assert.deepEqual(order(result), ['first', 'next']);
    assert.deepEqual(
      result.excluded.map(e => e.until),
      [NOW + 9000, NOW + 4000],
    );
  });
  test('leads to no other priority where fallback.on has no CircuitOpen', () => {
    const { fallback } = aRoute('r');
    const result = plan({ backends, fallback: { ...fallback, on: ['Exhausted'] } }, known({ first: open(1) }));
    assert.deepEqual([order(result), causes(result)], [['first'], { first: 'circuit-open', next: 'fallback-not-allowed' }]);
  });
  test('is told of a direct call too', () => {
    const provider = snapshot.providers['default/a']!;
    const direct = (more: Partial<PlanContext> = {}) =>
      planDirect(provider, modelOf(provider, 'm')!, { ...nothingKnown, ...more });
    assert.deepEqual([order(direct()), causes(direct())], [['a'], {}]);
    assert.deepEqual(causes(direct(known({ a: open(1) }).context)), { a: 'circuit-open' });
  });
});

describe('self-hosted engines', () => {
  const backends = [at('own', 0), at('other', 0), at('hosted', 1)];
  test('none of which can take requests are left out', () => {
    assert.deepEqual(causes(plan({ backends }, known({ own: engine(false, 0) }))), { own: 'no-engine' });
  });
  test('spill to the next priority when all of them are full, and are the last resort then', () => {
    assert.deepEqual(order(plan({ backends }, known({ own: engine(true) }))), ['other', 'hosted', 'own']);
    assert.deepEqual(order(plan({ backends }, known({ own: engine(true), other: engine(true) })))[0], 'hosted');
    assert.deepEqual(order(plan({ backends: backends.slice(0, 1) }, known({ own: engine(true) }))), ['own']);
  });
  test('do not spill where fallback.on has no Saturated', () => {
    const { fallback } = aRoute('r');
    const route = { backends, fallback: { ...fallback, on: ['Exhausted'] as const } };
    assert.deepEqual(order(plan(route, known({ own: engine(true) }))), ['other', 'own', 'hosted']);
  });
});

describe('what a request needs', () => {
  const backends = [aBackend('text'), aBackend('eyes', { priority: 1 })];
  for (const capability of ['Tools', 'Vision', 'JSONSchema'] as const)
    test(`leaves out backends without ${capability}`, () => {
      const result = plan({ backends }, needing([capability]));
      assert.deepEqual([order(result), causes(result)], [['eyes'], { text: 'lacks-capability' }]);
      assert.match(result.excluded[0]!.reason, new RegExp(capability));
    });
  test('leaves out backends whose context is too small for it', () => {
    const sized = (least: number, output?: number) =>
      order(
        plan(
          { backends },
          needing([], { inputTokens: () => 2 * least, leastInputTokens: () => least, maxOutputTokens: () => output }),
        ),
      );
    assert.deepEqual(sized(900), ['text', 'eyes']);
    assert.deepEqual(sized(900, 200), ['eyes']);
    assert.deepEqual(sized(1001), ['eyes']);
  });
  test('is not looked at where every backend can do it', () => {
    const needs = new Proxy(noNeeds, { get: (_, name) => assert.fail(`${String(name)} was asked for`) });
    const able = aProvider('able', {
      models: [aModel('m', { capabilities: NEEDED })],
    });
    const providers = { 'default/able': able };
    const route = aRoute('r', { backends: [aBackend('able')] });
    planRoute({ ...snapshot, providers }, route, 'm', { ...nothingKnown, needs });
  });
  test('of images goes to a model of the default capabilities where no other says that it takes them', () => {
    const unsaid = aBackend('unsaid');
    assert.deepEqual(order(plan({ backends: [unsaid] }, needing(['Vision']))), ['unsaid']);
    assert.deepEqual(order(plan({ backends: [unsaid, aBackend('text')] }, needing(['Vision']))), ['unsaid']);
    assert.deepEqual(order(plan({ backends: [unsaid, aBackend('eyes')] }, needing(['Vision']))), ['eyes']);
  });
});

describe('downgrades', () => {
  const { fallback } = aRoute('r');
  const backends = [aBackend('small', { downgrade: true }), at('mid', 0, { downgrade: true }), at('own', 0), at('hosted', 1)];
  test('are behind all others where the route allows them, the larger models first', () => {
    const route = { backends, fallback: { ...fallback, allowDowngrade: true } };
    assert.deepEqual(order(plan(route)), ['own', 'hosted', 'mid', 'small']);
    assert.deepEqual(order(plan(route, known({ own: engine(true) }))), ['hosted', 'own', 'mid', 'small']);
  });
  test('are all there is where a budget is spent', () => {
    const result = plan({ backends }, { downgrades: 'only' });
    assert.deepEqual([order(result), causes(result)], [['mid', 'small'], { own: 'downgrade', hosted: 'downgrade' }]);
  });
});

describe('the cost guard', () => {
  const guarded = (onExceeded: 'Deny' | 'Warn') => ({
    backends: [aBackend('cheap'), aBackend('fair', { priority: 1 }), aBackend('dear', { priority: 2 })],
    fallback: { ...aRoute('r').fallback, costGuard: { maxPriceRatio: 5, onExceeded } },
  });
  const asked = needing([], { inputTokens: () => 100 });
  test('denies a fallback that is dearer than so many times the first choice', () => {
    const result = plan(guarded('Deny'), asked);
    assert.deepEqual([order(result), causes(result)], [['cheap', 'fair'], { dear: 'too-dear' }]);
    assert.equal(order(plan(guarded('Warn'), asked)).length, 3);
  });
  test('goes by the price of the first priority also where that is out', () => {
    const { context } = known({ cheap: aHealth({ openUntil: NOW + 1, mayTry: false }) });
    assert.deepEqual(order(plan(guarded('Deny'), { context: { ...context, ...asked.context } })), ['fair', 'cheap']);
  });
  test('does not compare with a price that is not known', () => {
    const { backends, fallback } = guarded('Deny');
    assert.equal(order(plan({ backends: [aBackend('a'), ...backends.slice(1)], fallback }, asked)).length, 3);
  });
});

describe('automatic weights', () => {
  const share = (health: TargetHealth) => {
    const backends = [at('judged', 0), at('good', 0)];
    const scores: Score[] = [];
    plan({ backends, autoWeight: { floor: 0.05 } }, { ...known({ judged: health, good: aHealth({ latencyMs: 100 }) }), scores });
    return scores.find(s => s.backend === 'judged')!.weight;
  };
  test('fall with errors and latency, not below the floor, and are whole where nothing is known', () => {
    assert.equal(share(aHealth()), 1);
    assert.equal(share(aHealth({ errorRate: 0.5 })), 0.25);
    assert.equal(share(aHealth({ latencyMs: 200 })), 0.5);
    assert.equal(share(aHealth({ errorRate: 1 })), 0.05);
    assert.equal(share(aHealth({ errorRate: 0, latencyMs: 90 })), 1);
  });
});

describe('a session', () => {
  const backends = ['x', 'y', 'z'].map(name => at(name, 0));
  const affinity = { header: 'x-session-id', ttl: millis(1000) };
  const of = (session: string, health: Record<string, TargetHealth> = {}, more: Partial<PlanContext> = {}) =>
    plan(
      { backends, affinity },
      known(health, { random: Math.abs(Math.sin(more.now ?? 0)), needs: { ...noNeeds, session: () => session }, ...more }),
    ).candidates[0]!.backend;
  const all = Array.from({ length: 300 }, (_, i) => `session-${i}`);
  const open = aHealth({ openUntil: NOW * 2, mayTry: false });

  test('has the same backend in every process, whatever chance says, and sessions spread by weight', () => {
    const counts = new Map<string, number>();
    for (const session of all) {
      const own = of(session);
      assert.equal(of(session, {}, { random: 0.99 }), own);
      counts.set(own, (counts.get(own) ?? 0) + 1);
    }
    for (const count of counts.values()) assert.ok(count > 65 && count < 135, `${[...counts]}`);
  });
  test('moves only when its backend is out', () => {
    for (const session of all) {
      const own = of(session);
      const moved = of(session, { x: open });
      assert.equal(moved === own, own !== 'x');
    }
  });
  test('stays where it went while its own was out, for ttl after its last request', () => {
    const session = all.find(s => of(s) === 'x')!;
    const sessions = new Sessions();
    const moved = of(session, { x: open }, { sessions });
    assert.equal(of(session, {}, { sessions, now: NOW + 900 }), moved);
    assert.equal(of(session, {}, { sessions, now: NOW + 1800 }), moved);
    assert.equal(of(session, {}, { sessions, now: NOW + 2800 }), 'x');
  });
});

test('scores tell what the strategy went by', () => {
  const scores: Score[] = [];
  const health = { busy: aHealth({ inFlight: 3 }), idle: aHealth() };
  plan({ backends: [at('busy', 0), at('idle', 0)], strategy: 'LeastBusy' }, { ...known(health), scores });
  const common = { priority: 0, weight: 1, saturated: false, figure: 'attempts in flight / weight' };
  assert.deepEqual(scores, [
    { backend: 'idle', ...common, value: 0 },
    { backend: 'busy', ...common, value: 3 },
  ]);
});

test('a plan of another snapshot does not see the backends of this one', () => {
  const route = aRoute('r', { backends: [aBackend('a')] });
  const of = (providers: Snapshot['providers']) => planRoute({ ...snapshot, providers }, route, 'm', nothingKnown);
  assert.equal(of(snapshot.providers).candidates.length, 1);
  assert.equal(of({}).candidates.length, 0);
});
