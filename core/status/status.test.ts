// The table of conditions (docs/kubernetes.md) as cases, and what holds for all of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CONDITION_TYPES } from '../resources/common.ts';
import { epochMillis } from '../units.ts';
import { type ConditionInput, conditionsOf, type StatusCondition } from './conditions.ts';
import { type Delivery, deliveryOf, type PodReport } from './delivery.ts';
import { budgetLevel, budgetStanding, endpointCounts, keyReadiness, providerReadiness, routeReadiness } from './readiness.ts';

const NOW = Date.parse('2026-11-21T12:00:00.750Z');

const condition = (type: string, status: 'True' | 'False' | 'Unknown', reason: string, message = '') => ({
  type,
  status,
  reason,
  message,
});
const sound = {
  live: true,
  conditions: [condition('Accepted', 'True', 'Accepted'), condition('ResolvedRefs', 'True', 'ResolvedRefs')],
};
const invalid = { live: false, conditions: [condition('Accepted', 'False', 'Invalid', 'spec.models: is required')] };

const input = (more: Partial<ConditionInput> = {}): ConditionInput => ({
  generation: 3,
  verdict: sound as ConditionInput['verdict'],
  delivery: { kind: 'delivered' },
  readiness: { ready: true },
  before: [],
  now: NOW,
  ...more,
});

function written(more: Partial<ConditionInput> = {}): readonly StatusCondition[] {
  const result = conditionsOf(input(more));
  assert.equal(result.kind, 'written');
  return result.kind === 'written' ? result.conditions : [];
}
const textOf = (more: Partial<ConditionInput>) =>
  Object.fromEntries(written(more).map(({ type, status, reason }) => [type, `${status} ${reason}`]));
const travelling = (forMs: number): Delivery => ({ kind: 'travelling', waitingFor: ['b'], forMs });

describe('conditions', () => {
  test('of an object that every pod serves are all True, without a word that could change', () => {
    const text = {
      Accepted: 'True Accepted',
      ResolvedRefs: 'True ResolvedRefs',
      Programmed: 'True Programmed',
      Ready: 'True Ready',
    };
    assert.deepEqual(textOf({}), text);
    assert.ok(written().every(({ message }) => message === ''));
  });

  const cases: readonly (readonly [string, Partial<ConditionInput>, Record<string, string>])[] = [
    [
      'an object that compile left out says why, everywhere',
      { verdict: invalid as never },
      { Accepted: 'False Invalid', Programmed: 'False Invalid', Ready: 'False Invalid' },
    ],
    ['one that is late is Propagating', { delivery: travelling(1000) }, { Programmed: 'False Propagating', Ready: 'True Ready' }],
    ['without pods it is NoDataPlane', { delivery: { kind: 'no-data-plane' } }, { Programmed: 'False NoDataPlane' }],
    [
      'one that a pod cannot read is RejectedByDataPlane',
      { delivery: { kind: 'rejected', message: 'a: no' } },
      { Programmed: 'False RejectedByDataPlane' },
    ],
    ['one without room is ConfigTooLarge', { delivery: { kind: 'too-large' } }, { Programmed: 'False ConfigTooLarge' }],
    [
      'one that cannot serve now is not Ready',
      { readiness: { ready: false, reason: 'AllSaturated', message: 'm' } },
      { Programmed: 'True Programmed', Ready: 'False AllSaturated' },
    ],
    [
      'a suspended key is programmed, and not Ready',
      { verdict: { live: true, conditions: [condition('Accepted', 'False', 'Suspended', 'the key is suspended')] } as never },
      { Accepted: 'False Suspended', Programmed: 'True Programmed', Ready: 'False Suspended' },
    ],
  ];
  for (const [says, more, expected] of cases)
    test(says, () => {
      const all = textOf(more);
      for (const [type, text] of Object.entries(expected)) assert.equal(all[type], text);
    });

  test('are not written while an acknowledgement is on its way, for about a second', () => {
    assert.deepEqual(conditionsOf(input({ delivery: travelling(400) })), { kind: 'wait', ms: 600 });
    assert.equal(conditionsOf(input({ delivery: travelling(400), verdict: invalid as never })).kind, 'written');
  });

  test('keep their time until their status changes', () => {
    const before = written({ now: NOW - 60_000 });
    assert.deepEqual(written({ before }), before);
    const after = written({ before, delivery: { kind: 'no-data-plane' } });
    const timeOf = (type: string, all: readonly StatusCondition[]) => all.find(c => c.type === type)!.lastTransitionTime;
    assert.equal(timeOf('Programmed', after), '2026-11-21T12:00:00Z');
    assert.equal(timeOf('Accepted', after), timeOf('Accepted', before));
  });

  const anyDelivery: fc.Arbitrary<Delivery> = fc.oneof(
    fc.constantFrom<Delivery>({ kind: 'delivered' }, { kind: 'no-data-plane' }, { kind: 'too-large' }),
    fc.record({ kind: fc.constant('travelling' as const), waitingFor: fc.array(fc.string()), forMs: fc.nat(5000) }),
    fc.record({ kind: fc.constant('rejected' as const), message: fc.string() }),
  );
  test('are all there with their generation, and writing them twice changes nothing', () => {
    fc.assert(
      fc.property(anyDelivery, fc.boolean(), fc.nat(1000), (delivery, live, generation) => {
        const first = conditionsOf(input({ delivery, generation, verdict: (live ? sound : invalid) as never }));
        if (first.kind === 'wait') return assert.ok(first.ms > 0 && first.ms <= 1000);
        assert.deepEqual(
          first.conditions.map(c => c.type),
          [...CONDITION_TYPES],
        );
        assert.ok(first.conditions.every(c => c.observedGeneration === generation && c.reason !== ''));
        const again = input({
          delivery,
          generation,
          verdict: (live ? sound : invalid) as never,
          before: first.conditions,
          now: NOW + 99_999,
        });
        assert.deepEqual(conditionsOf(again), first);
      }),
    );
  });
});

describe('delivery', () => {
  const pod = (name: string, generation: number | undefined, rejected: Record<string, string> = {}): PodReport => ({
    pod: name,
    generation,
    rejected: new Map(Object.entries(rejected)),
  });
  const of = (pods: readonly PodReport[], generation: number | undefined = 5) =>
    deliveryOf('LLMRoute a/b', { generation, newest: 9, since: NOW - 300 }, pods, NOW);

  test('is over when every pod serves its generation or a later one', () => {
    assert.deepEqual(of([pod('a', 5), pod('b', 9)]), { kind: 'delivered' });
    assert.deepEqual(of([pod('b', 4), pod('a', undefined), pod('c', 5)]), {
      kind: 'travelling',
      waitingFor: ['a', 'b'],
      forMs: 300,
    });
    assert.deepEqual(of([]), { kind: 'no-data-plane' });
    const unpublished = deliveryOf('LLMRoute a/b', { generation: undefined, newest: 9, since: NOW }, [pod('a', 9)], NOW);
    assert.equal(unpublished.kind, 'travelling');
  });

  test('is not over at a pod whose generation is of before all began anew', () => {
    const delivery = deliveryOf('LLMRoute a/b', { generation: 1, newest: 2, since: NOW }, [pod('a', 1), pod('b', 57)], NOW);
    assert.deepEqual(delivery.kind === 'travelling' && delivery.waitingFor, ['b']);
  });

  test('is refused where a pod cannot read the object, and says which', () => {
    assert.deepEqual(of([pod('a', 5), pod('b', 5, { 'LLMRoute a/b': 'strategy must be one of Weighted' })]), {
      kind: 'rejected',
      message: 'b: strategy must be one of Weighted',
    });
  });

  test('is never said of an object that some pod lacks', () => {
    const pods = fc.array(
      fc.record({
        pod: fc.string(),
        generation: fc.option(fc.nat(9), { nil: undefined }),
        rejected: fc.constant(new Map<string, string>()),
      }),
    );
    fc.assert(
      fc.property(pods, fc.nat(9), (all, generation) => {
        const isServed = all.length > 0 && all.every(p => (p.generation ?? -1) >= generation);
        assert.equal(of(all, generation).kind === 'delivered', isServed);
      }),
    );
  });
});

describe('readiness', () => {
  const states = (entries: Record<string, string>) => new Map(Object.entries(entries)) as never;
  test('counts each endpoint once, by what the most careful pod says', () => {
    const counts = endpointCounts(['x', 'y', 'z'], [states({ x: 'ready', y: 'saturated' }), states({ x: 'wedged', y: 'ready' })]);
    assert.deepEqual(counts, { total: 3, ready: 1, saturated: 1, sleeping: 0, wedged: 1, stale: 0, loading: 0 });
  });

  test('of a provider names what is wrong with its engines', () => {
    const none = { total: 2, ready: 0, saturated: 0, sleeping: 0, wedged: 0, stale: 0, loading: 0 };
    const reasonOf = (counts: object | undefined, auth = false) => {
      const readiness = providerReadiness(counts && ({ ...none, ...counts } as never), auth);
      return readiness.ready ? 'Ready' : readiness.reason;
    };
    assert.equal(reasonOf(undefined), 'Ready');
    assert.equal(reasonOf(undefined, true), 'AuthFailed');
    assert.equal(reasonOf({ ready: 1, wedged: 1 }), 'Ready');
    assert.equal(reasonOf({ saturated: 2 }), 'AllSaturated');
    assert.equal(reasonOf({ wedged: 2 }), 'EngineWedged');
    assert.equal(reasonOf({ stale: 2 }), 'MetricsStale');
    assert.equal(reasonOf({ loading: 2 }), 'NoReadyEndpoints');
  });

  test('of a route asks for one backend', () => {
    const route = { backends: [{ provider: 'a/x' }, { provider: 'a/y' }] } as never;
    assert.equal(routeReadiness(route, id => id === 'a/y').ready, true);
    assert.equal(routeReadiness(route, () => false).ready, false);
  });

  test('of a key ends with a budget that blocks', () => {
    const budget = { name: 'monthly', onExhausted: 'Block' as const, models: [] };
    assert.equal(keyReadiness([{ budget, level: 'Warn' }]).ready, true);
    assert.equal(keyReadiness([{ budget, level: 'Exhausted' }]).ready, false);
    assert.equal(keyReadiness([{ budget: { ...budget, onExhausted: 'Warn' }, level: 'Exhausted' }]).ready, true);
    assert.deepEqual([budgetLevel(0.49, [50, 80]), budgetLevel(0.5, [50, 80]), budgetLevel(1, [])], ['OK', 'Warn', 'Exhausted']);
  });

  test('of a budget that runs out says when it starts anew, of others nothing that moves', () => {
    const at = epochMillis(Date.parse('2026-11-21T22:30:00Z'));
    const daily = { name: 'daily', period: 'Daily' as const, timeZone: 'Europe/Berlin' };
    assert.deepEqual(budgetStanding(daily, 'OK', at), { name: 'daily', level: 'OK' });
    assert.deepEqual(budgetStanding(daily, 'Warn', at), { name: 'daily', level: 'Warn', resetAt: '2026-11-21T23:00:00Z' });
    assert.equal(budgetStanding({ ...daily, period: 'Monthly' }, 'Exhausted', at).resetAt, '2026-11-30T23:00:00Z');
    assert.deepEqual(budgetStanding({ ...daily, period: 'Total' }, 'Exhausted', at), { name: 'daily', level: 'Exhausted' });
  });
});
