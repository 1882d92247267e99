// What /health says of backends, by what is known of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Health, type TargetHealth, unknownHealth } from '#core/health/health.ts';
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import { millis } from '#core/units.ts';
import { liveConfig } from '../config/live.ts';
import type { PageRequest } from '../http/router.ts';
import { backendsHealthPage } from './backends-health.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const models = ['well', 'tripped', 'tried', 'deaf'].map(name =>
  aModel(name, { upstreamName: `up-${name}`, aliases: [`${name}-too`] }),
);
/** The clock that breakers go by. */
const STEADY = 70_000;
const provider = aProvider('p', { models });

const nothing = unknownHealth.of({ backend: 'p', provider, model: models[0]!, priority: 0, weight: 1 }, NOW);
const known: Readonly<Record<string, Partial<TargetHealth>>> = {
  well: { inFlight: 3, errorRate: 0.25, latency: percentile => millis(percentile * 10) },
  tripped: { openUntil: STEADY + 5000, mayTry: false },
  tried: { openUntil: STEADY - 1 },
  deaf: { engine: { usable: 0, saturated: false, load: 0 } },
};
const health: Health = { of: ({ model }) => ({ ...nothing, ...known[model.name] }) };

const snapshot = { schemaVersion: 1, providers: { [provider.id]: provider }, routes: [], keys: [], tenants: {} };
const page = backendsHealthPage({
  config: { current: () => liveConfig(snapshot, new Map(), 1, text => text) },
  digest: text => text,
  now: () => NOW,
  monotonic: () => STEADY,
  health,
  engines: { report: () => [] },
  isMasterKey: headers => headers['x-api-key'] === 'master',
});
const ask = (query = '', key = 'master'): PageRequest => ({
  headers: { 'x-api-key': key },
  path: '/health',
  query: new URLSearchParams(query),
});
// biome-ignore lint/suspicious/noExplicitAny: JSON of the wire, asserted field by field
const bodyOf = async (query?: string): Promise<any> => ((await page(ask(query))) as { body: unknown }).body;

describe('/health', () => {
  test('counts backends as LiteLLM does: well, or not and why', async () => {
    const { healthy_endpoints, unhealthy_endpoints, healthy_count, unhealthy_count } = await bodyOf();
    assert.deepEqual([healthy_count, unhealthy_count], [1, 3]);
    const [well] = healthy_endpoints;
    assert.deepEqual([well.model, well.api_base, well.model_id], ['well', 'http://p.test/v1', 'default/p/well']);
    const errors = unhealthy_endpoints.map(({ model, error }: { model: string; error: string }) => `${model}: ${error}`);
    assert.match(errors[0], /^tripped: .*open until 2026-11-21T12:00:05/);
    assert.match(errors[1], /^tried: .*half-open/);
    assert.match(errors[2], /^deaf: .*engine/);
  });

  test('has what is measured beside it', async () => {
    const { tollgate } = (await bodyOf('model=well')).healthy_endpoints[0];
    assert.deepEqual(
      [tollgate.breaker.state, tollgate.in_flight, tollgate.error_rate, tollgate.latency_p95_ms, tollgate.engine],
      ['closed', 3, 0.25, 950, null],
    );
    const [tripped] = (await bodyOf('model=tripped')).unhealthy_endpoints;
    assert.deepEqual(tripped.tollgate.breaker, { state: 'open', open_until: '2026-11-21T12:00:05.000Z' });
  });

  test('looks at one model by any of its names', async () => {
    for (const name of ['well', 'up-well', 'well-too']) assert.equal((await bodyOf(`model=${name}`)).healthy_count, 1, name);
    assert.deepEqual(await bodyOf('model=nothing'), {
      healthy_endpoints: [],
      unhealthy_endpoints: [],
      healthy_count: 0,
      unhealthy_count: 0,
    });
  });

  test('is for the master key', async () => {
    const { class: cls } = (await page(ask('', 'somebody'))) as { class: string };
    assert.equal(cls, 'invalid_api_key');
  });
});
