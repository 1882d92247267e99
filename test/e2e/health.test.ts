// GET /health of a real gateway: what it has learnt of its backends from the requests it served, and no upstream call for the asking.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { get } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';

let simulator: Simulator;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator();
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('oa', 'OpenAI', simulator.origin, ['good', { name: 'bad', upstreamName: 'gpt-4o!500' }], {
        circuitBreaker: { consecutiveFailures: 2, cooldown: '1m' },
      }),
      route('good', 'good', ['oa']),
      route('bad', 'bad', ['oa'], { retries: { attempts: 0 } }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});

const health = (key = gateway.masterKey, query = '') => get(`${gateway.url}/health${query}`, { key });

describe('/health', () => {
  test('of a gateway that has served nothing says that all is well, and asks nobody', async () => {
    const { status, json } = await health();
    assert.equal(status, 200);
    const { healthy_count, unhealthy_count, healthy_endpoints } = json();
    assert.deepEqual([healthy_count, unhealthy_count], [2, 0]);
    assert.deepEqual(Object.keys(healthy_endpoints[0]).slice(0, 2), ['model', 'api_base']);
    assert.equal(simulator.requests().length, 0);
  });

  test('needs the master key, and is on the internal listener as well', async () => {
    assert.equal((await health('sk-nobody')).status, 401);
    assert.equal((await get(`${gateway.url}/health`)).status, 403);
    assert.equal((await get(`${gateway.internalUrl}/health`, { key: gateway.masterKey })).status, 200);
  });
});
