import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { unknownHealth } from '#core/health/health.ts';
import { noNeeds } from '#core/plan/needs.ts';
import type { KeyEntry, ProviderEntry, RouteEntry } from '#core/snapshot/snapshot.ts';
import { aBackend, aKey, aMatch, aModel, aPrice, aProvider, aRoute } from '#core/snapshot/testing.ts';
import { nanoUsd } from '#core/units.ts';
import { liveConfig } from '../config/live.ts';
import { type PassedEndpoint, passedEndpoints } from './endpoints.ts';
import { planService } from './service.ts';

type World = {
  readonly providers?: readonly ProviderEntry[];
  readonly routes?: readonly RouteEntry[];
  readonly key?: Partial<KeyEntry>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isPinned?: boolean;
};

const row = (route: string): PassedEndpoint => passedEndpoints.find(({ method, path }) => `${method} ${path}` === route)!;
const context = { random: 0, turn: 0, health: unknownHealth, now: 0, needs: noNeeds, home: {}, pods: 1, sessions: undefined };

/** Where it goes, or the class of the failure. */
function planned(
  route: string,
  { providers = [aProvider('one')], routes = [], key = {}, headers = {}, isPinned = false }: World,
) {
  const byId = Object.fromEntries(providers.map(provider => [provider.id, provider]));
  const entry = aKey({ digests: ['k'], ...key });
  const config = liveConfig(
    { schemaVersion: 1, providers: byId, routes, keys: [entry], tenants: {} },
    new Map(),
    1,
    text => text,
  );
  const endpoint = row(route);
  const facts = { model: endpoint.path.split('/')[1]!, operation: endpoint.operation, headers, tags: {}, inputTokens: () => 0 };
  const plan = planService(config, config.key('k')!, { endpoint, facts, isPinned }, context);
  return plan.ok
    ? plan.value.candidates.map(({ provider, model }) => ({ at: provider.name, price: model.price?.rates.perRequest }))
    : plan.failure.class;
}

const at = (plan: ReturnType<typeof planned>) => (typeof plan === 'string' ? plan : plan.map(({ at: name }) => name).join());
const two = [aProvider('one'), aProvider('two')];
const files = aMatch({ operations: ['Files'] });

describe('where a request without a model goes', () => {
  const cases: readonly (readonly [sentence: string, world: World, to: string])[] = [
    ['to the only provider that has such things', {}, 'one'],
    ['nowhere by guessing, where there are several', { providers: two }, 'invalid_request'],
    ['to the one that the header names', { providers: two, headers: { 'x-tollgate-provider': 'two' } }, 'two'],
    ['to one of another name: nowhere', { providers: two, headers: { 'x-tollgate-provider': 'three' } }, 'invalid_request'],
    ['to the first backend of a route for its operation', { providers: two, routes: [aRoute('r', { match: [files], backends: [aBackend('b', { provider: 'default/two' }), aBackend('c', { provider: 'default/one' })] })] }, 'two'],
    ['not to those of a route for everything', { providers: two, routes: [aRoute('r', { catchAll: true, match: [], backends: [aBackend('b', { provider: 'default/two' })] })] }, 'invalid_request'],
    ['not to a type that has none', { providers: [aProvider('claude', { connection: { type: 'Anthropic', baseURL: 'http://x' } })] }, 'no_backend'],
    ['not to a provider that the key does not see', { providers: [aProvider('far', { id: 'other/far', namespace: 'other' })] }, 'no_backend'],
    ['to those of a route that the key does not see by itself', { providers: [aProvider('far', { id: 'other/far', namespace: 'other' })], routes: [aRoute('r', { match: [files], backends: [aBackend('b', { provider: 'other/far' })] })] }, 'far'],
    ['nowhere for a key with a list of models that has not its name', { key: { models: { allow: ['gpt-*'], deny: [] } } }, 'model_not_allowed'],
    ['there for a key that has', { key: { models: { allow: ['files'], deny: [] } } }, 'one'],
    ['to all that may have it, where it names what is kept', { providers: two, isPinned: true }, 'one,two'],
  ]; // biome-ignore format: one case a line
  for (const [sentence, world, to] of cases) test(sentence, () => assert.equal(at(planned('GET /files', world)), to));
});

describe('what it costs', () => {
  const priced = aProvider('one', {
    models: [aModel('vector_stores', { price: { ...aPrice(0), rates: { ...aPrice(0).rates, perRequest: nanoUsd(5) } } })],
  });
  const denies = (backend: string) =>
    aRoute('r', {
      match: [aMatch({ operations: ['VectorStores'] })],
      onUnknownPrice: 'Deny',
      backends: [aBackend('b', { provider: `default/${backend}` })],
    });

  test('is nothing where it is free, whatever a model of that name costs', () => {
    assert.deepEqual(planned('GET /vector_stores', { providers: [priced] }), [{ at: 'one', price: 0 }]);
  });
  test("is the price of the provider's model of that name", () => {
    assert.deepEqual(planned('POST /vector_stores', { providers: [priced] }), [{ at: 'one', price: 5 }]);
  });
  test('is not known where there is none, which a route may refuse', () => {
    assert.deepEqual(planned('POST /vector_stores', {}), [{ at: 'one', price: undefined }]);
    assert.equal(planned('POST /vector_stores', { routes: [denies('one')] }), 'unknown_price');
    assert.deepEqual(planned('POST /vector_stores', { providers: [priced], routes: [denies('one')] }), [{ at: 'one', price: 5 }]);
    assert.deepEqual(planned('GET /vector_stores', { routes: [denies('one')] }), [{ at: 'one', price: 0 }]);
  });
});
