// One contract for every strategy of the table, whatever is known of its candidates, and what each of them is about.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { StrategyName } from '../../snapshot/snapshot.ts';
import { aModel, aPrice, aProvider, aRoute } from '../../snapshot/testing.ts';
import { millis } from '../../units.ts';
import { nothingKnown, type PlanContext } from '../context.ts';
import { noNeeds } from '../needs.ts';
import { aCandidate, aHealth, aStanding } from '../testing.ts';
import { strategies } from './index.ts';
import type { Standing } from './strategy.ts';

const route = aRoute('r', { latency: { percentile: 95, window: millis(300_000), tolerance: 0.1 } });

const maybe = <T>(some: fc.Arbitrary<T>) => fc.option(some, { nil: undefined });
const someHealth = fc.record({
  inFlight: fc.nat({ max: 20 }),
  outstandingTokens: fc.nat({ max: 100_000 }),
  tokensPerSecond: maybe(fc.double({ min: 0, max: 500, noNaN: true })),
  errorRate: maybe(fc.double({ min: 0, max: 1, noNaN: true })),
  latencyMs: maybe(fc.double({ min: 0, max: 60_000, noNaN: true })),
  usage: maybe(fc.double({ min: 0, max: 1.5, noNaN: true })),
  engine: maybe(
    fc.record({ usable: fc.nat({ max: 4 }), saturated: fc.boolean(), load: fc.double({ min: 0, max: 3, noNaN: true }) }),
  ),
});
const someCandidate = fc.record({
  weight: fc.oneof(fc.nat({ max: 10 }), fc.double({ min: 0.01, max: 3, noNaN: true })),
  price: maybe(fc.nat({ max: 10_000_000 })),
  zone: maybe(fc.constantFrom('a', 'b')),
  health: someHealth,
});
type Made = typeof someCandidate extends fc.Arbitrary<infer T> ? T : never;
const make = ({ weight, price, zone, health }: Made, i: number): Standing => {
  const provider = aProvider(`b${i}`, zone === undefined ? {} : { locality: { region: 'eu', zone } });
  const model = aModel('m', price === undefined ? {} : { price: aPrice(price) });
  return aStanding(aCandidate(`b${i}`, { weight, provider, model }), aHealth(health));
};
const someCandidates = fc.array(someCandidate, { maxLength: 32 });
const someContext: fc.Arbitrary<PlanContext> = fc
  .record({
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    turn: fc.nat(),
    pods: fc.constantFrom(1, 5),
    prefix: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  })
  .map(({ prefix, ...some }) => ({
    ...nothingKnown,
    ...some,
    home: { region: 'eu', zone: 'a' },
    needs: { ...noNeeds, prefix: () => prefix, inputTokens: () => 1000 },
  }));

const names = (standings: readonly Standing[]) => standings.map(s => s.candidate.backend);
const ordered = (name: StrategyName, standings: readonly Standing[], context: PlanContext): Standing[] => {
  const list = standings.map(s => ({ ...s }));
  strategies[name].order(list, context, route);
  return list;
};

/** By name: why not. */
const sharesOtherwise: Partial<Record<StrategyName, string>> = {
  RoundRobin: 'turns are equal, whatever the weights',
};

for (const name of Object.keys(strategies) as StrategyName[])
  describe(name, () => {
    test('orders exactly the candidates it is given, and survives none and one', () => {
      assert.deepEqual(ordered(name, [], nothingKnown), []);
      fc.assert(
        fc.property(someCandidates, someContext, (made, context) => {
          const standings = made.map(make);
          const result = ordered(name, standings, context);
          assert.deepEqual(names(result).sort(), names(standings).sort());
          assert.ok(result.every(s => standings.some(own => own.candidate === s.candidate)));
        }),
      );
    });
    test('gives the same order for the same random number, turn and measures', () => {
      fc.assert(
        fc.property(someCandidates, someContext, (made, context) => {
          const standings = made.map(make);
          assert.deepEqual(names(ordered(name, standings, context)), names(ordered(name, standings, context)));
        }),
      );
    });
    test('leaves candidates of weight 0 for the end', () => {
      fc.assert(
        fc.property(someCandidates, someContext, (made, context) => {
          const weights = ordered(name, made.map(make), context).map(s => s.weight > 0);
          assert.ok(weights.lastIndexOf(true) < (weights.indexOf(false) + 1 || weights.length + 1), `${weights}`);
        }),
      );
    });
    test('shares by weight where nothing tells the candidates apart', { skip: sharesOtherwise[name] }, () => {
      const candidates = [3, 1, 0].map((weight, i) => aStanding(aCandidate(`b${i}`, { weight })));
      // Four standard deviations of the share of 4,000 fair draws.
      within(shares(candidates, name, 4000).get('b0')!, 0.75, 4 * Math.sqrt((0.75 * 0.25) / 4000));
      assert.equal(shares(candidates, name, 4000).get('b2'), undefined);
    });
  });

/** Chance and prompts vary from request to request. */
function shares(standings: readonly Standing[], name: StrategyName, requests: number, more: Partial<PlanContext> = {}) {
  const counts = new Map<string, number>();
  for (let turn = 0; turn < requests; turn++) {
    const needs = { ...noNeeds, prefix: () => (turn * 2_654_435_761) >>> 0 };
    const context = { ...nothingKnown, random: (turn * 0.6180339887498949) % 1, turn, needs, ...more };
    const { backend } = ordered(name, standings, context)[0]!.candidate;
    counts.set(backend, (counts.get(backend) ?? 0) + 1 / requests);
  }
  return counts;
}
const within = (share: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(share - expected) <= tolerance, `${share} is not ${expected} within ${tolerance}`);

const standing = (backend: string, health: Parameters<typeof aHealth>[0] = {}, weight = 1): Standing =>
  aStanding(aCandidate(backend, { weight }), aHealth(health));
const order = (name: StrategyName, standings: readonly Standing[], more: Partial<PlanContext> = {}) =>
  names(ordered(name, standings, { ...nothingKnown, ...more }));

test('Weighted orders the rest by the same rule', () => {
  const candidates = [standing('a'), standing('b', {}, 3), standing('c')];
  let second = 0;
  let total = 0;
  for (let i = 0; i < 5000; i++) {
    const [first, then] = order('Weighted', candidates, { random: (i + 0.5) / 5000 });
    if (first !== 'a') continue;
    total++;
    if (then === 'b') second++;
  }
  within(second / total, 0.75, 0.02);
});

test('RoundRobin takes turns', () => {
  const counts = shares([standing('a', {}, 5), standing('b'), standing('c')], 'RoundRobin', 300);
  for (const share of counts.values()) within(share, 1 / 3, 1e-9);
  assert.deepEqual(order('RoundRobin', [standing('a'), standing('b'), standing('c')], { turn: 1 }), ['b', 'c', 'a']);
});

describe('LeastBusy', () => {
  const candidates = [standing('a', { inFlight: 4 }, 4), standing('b', { inFlight: 2 }), standing('c', { inFlight: 9 })];
  test('goes by attempts in flight for the weight', () => {
    assert.deepEqual(order('LeastBusy', candidates), ['a', 'b', 'c']);
  });
  test('of several processes does not send everything to the one that is idle: the better of two by chance', () => {
    const share = shares([standing('idle'), ...candidates.slice(1), standing('d', { inFlight: 5 })], 'LeastBusy', 4000, {
      pods: 5,
    });
    // Both draws miss it in half of the cases: 3/4 x 2/3.
    within(share.get('idle')!, 0.5, 0.04);
    assert.equal(share.get('c'), undefined);
  });
});

describe('LowestLatency', () => {
  test('counts candidates within the tolerance of the best as equal', () => {
    const candidates = [standing('a', { latencyMs: 100 }), standing('b', { latencyMs: 109 }), standing('c', { latencyMs: 120 })];
    const share = shares(candidates, 'LowestLatency', 2000);
    within(share.get('a')!, 0.5, 0.05);
    assert.equal(share.get('c'), undefined);
    assert.equal(order('LowestLatency', candidates).at(-1), 'c');
  });
  test('explores the unknown, two attempts at a time', () => {
    const share = (inFlight: number) =>
      shares([standing('known', { latencyMs: 100 }), standing('new', { inFlight })], 'LowestLatency', 1000).get('new');
    within(share(1)!, 0.5, 0.05);
    assert.equal(share(2), undefined);
  });
});

describe('LowestCost', () => {
  const priced = (backend: string, input: number, output: number) =>
    aStanding(aCandidate(backend, { model: aModel('m', { price: aPrice(input, output) }) }));
  const needs = (input: number, output: number) => ({
    needs: { ...noNeeds, inputTokens: () => input, maxOutputTokens: () => output },
  });
  test("goes by this request's tokens, and has unknown prices behind all others", () => {
    const candidates = [standing('unknown'), priced('reads-cheaply', 1, 20), priced('writes-cheaply', 5, 10)];
    assert.deepEqual(order('LowestCost', candidates, needs(10_000, 100)), ['reads-cheaply', 'writes-cheaply', 'unknown']);
    assert.deepEqual(order('LowestCost', candidates, needs(100, 10_000)), ['writes-cheaply', 'reads-cheaply', 'unknown']);
  });
});

test('LeastUsage goes by the share of rpm and tpm that is left', () => {
  const candidates = [standing('a', { usage: 0.9 }), standing('b', { usage: 0.2 }), standing('unlimited')];
  assert.deepEqual(order('LeastUsage', candidates), ['unlimited', 'b', 'a']);
});

test('TokenThroughput goes by outstanding tokens over measured speed', () => {
  const slow = standing('slow', { outstandingTokens: 1000, tokensPerSecond: 10 });
  const fast = standing('fast', { outstandingTokens: 5000, tokensPerSecond: 100 });
  const unknown = standing('unknown', { outstandingTokens: 100_000 });
  assert.deepEqual(order('TokenThroughput', [slow, unknown, fast]), ['fast', 'slow', 'unknown']);
});

test('LeastLoad sets the load of engines beside the share of connections of hosted providers', () => {
  const engine = (load: number) => ({ engine: { usable: 1, saturated: false, load } });
  const candidates = [standing('full', engine(0.9)), standing('hosted', { inFlight: 30 }), standing('idle', engine(0.1))];
  assert.deepEqual(order('LeastLoad', candidates), ['idle', 'hosted', 'full']);
});

describe('PrefixAffinity', () => {
  const pods = Array.from({ length: 8 }, (_, i) => standing(`b${i}`, { inFlight: 1 }));
  const first = (standings: readonly Standing[], prefix: number) =>
    order('PrefixAffinity', standings, { needs: { ...noNeeds, prefix: () => prefix } })[0]!;
  const prefixes = Array.from({ length: 1000 }, (_, i) => Math.imul(i + 1, 2_654_435_761) >>> 0);
  test('moves only the prefixes of a candidate that goes', () => {
    for (const prefix of prefixes) {
      const before = first(pods, prefix);
      if (before !== 'b3') assert.equal(first(pods.toSpliced(3, 1), prefix), before);
    }
  });
  test('passes over a candidate with more than 1.25 times its share', () => {
    const busy = pods.with(3, standing('b3', { inFlight: 3 }));
    const counts = prefixes.filter(prefix => first(pods, prefix) === 'b3');
    assert.ok(counts.length > 60, `${counts.length}`);
    for (const prefix of counts) assert.notEqual(first(busy, prefix), 'b3');
  });
});

describe('Nearest', () => {
  const at = (backend: string, region: string, zone: string, health = {}) =>
    aStanding(aCandidate(backend, { provider: aProvider(backend, { locality: { region, zone } }) }), aHealth(health));
  const home = { region: 'eu', zone: 'a' };
  const far = [standing('nowhere'), at('us', 'us', 'a'), at('region', 'eu', 'b')];
  test('prefers the own zone, then the own region', () => {
    assert.deepEqual(order('Nearest', [...far, at('zone', 'eu', 'a')], { home }).slice(0, 2), ['zone', 'region']);
  });
  test('spills from what is nearly full', () => {
    const full = { engine: { usable: 1, saturated: false, load: 0.95 } };
    assert.equal(order('Nearest', [...far, at('zone', 'eu', 'a', full)], { home })[0], 'region');
    assert.equal(order('Nearest', [...far, at('zone', 'eu', 'a', full)], { home }).at(-1), 'zone');
  });
});
