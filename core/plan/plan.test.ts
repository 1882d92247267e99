import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RouteEntry, Snapshot } from '../snapshot/snapshot.ts';
import { type Plan, planRoute } from './plan.ts';
import { aBackend, aModel, aProvider, aRoute } from './testing.ts';

const snapshot: Snapshot = {
  schemaVersion: 1,
  routes: [],
  keys: [],
  tenants: {},
  providers: {
    'default/a': aProvider('a', { models: [aModel('m', { aliases: ['m-latest'] })] }),
    'default/b': aProvider('b', { models: [aModel('other')] }),
    'default/bedrock': aProvider('bedrock', { connection: { type: 'Bedrock', region: 'eu-west-1' } }),
  },
};
const plan = (route: Partial<RouteEntry>, model = 'm'): Plan =>
  planRoute(snapshot, new Set(['OpenAICompatible']), aRoute('r', route), model, { random: 0, turn: 0 });
const order = ({ candidates }: Plan) => candidates.map(c => c.backend);

describe('a plan', () => {
  test('goes by priority first, whatever the weights', () => {
    const backends = [
      aBackend('late', { provider: 'default/a', priority: 2, weight: 100 }),
      aBackend('first', { provider: 'default/a', priority: 0 }),
      aBackend('next', { provider: 'default/a', priority: 1 }),
    ];
    assert.deepEqual(order(plan({ backends })), ['first', 'next', 'late']);
  });
  test('takes the model that was asked for where the backend names none, by its alias too', () => {
    assert.equal(plan({ backends: [aBackend('a')] }, 'm-latest').candidates[0]?.model.name, 'm');
  });
});

const leftOut: [sentence: string, route: Partial<RouteEntry>, reason: RegExp, cause: string][] = [
  ['whose provider is not live', { backends: [aBackend('gone')] }, /provider default\/gone is not live/, 'not-live'],
  ['of a type without an adapter', { backends: [aBackend('bedrock')] }, /type Bedrock are not served yet/, 'not-live'],
  ['whose provider lacks the model asked for', { backends: [aBackend('b')] }, /has no model m/, 'unknown-model'],
  ['whose own model is gone', { backends: [aBackend('b', { model: 'gone' })] }, /has no model gone/, 'not-live'],
  ['that is a downgrade', { backends: [aBackend('a', { downgrade: true })] }, /allowDowngrade/, 'not-live'],
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
