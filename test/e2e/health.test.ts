// GET /health of a real gateway: what it has learnt of its backends from the requests it served, and no upstream call for the asking.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type SimulatedEngine, type Simulator, startEngine, startSimulator } from '#simulator/index.ts';
import { chat, chatPath, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { freePort } from '#test/support/ports.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

let simulator: Simulator;
let engine: SimulatedEngine;
let deaf: string;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator();
  engine = await startEngine();
  deaf = `http://127.0.0.1:${await freePort()}`;
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider('oa', 'OpenAI', simulator.origin, ['good', { name: 'bad', upstreamName: 'gpt-4o!500' }], {
        circuitBreaker: { consecutiveFailures: 2, cooldown: '1m' },
      }),
      provider('own', 'VLLM', engine.origin, [{ name: 'tiny' }], { vLLM: { endpoints: [engine.origin, deaf] } }),
      route('good', 'good', ['oa']),
      route('bad', 'bad', ['oa'], { retries: { attempts: 0 } }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await Promise.all([simulator?.close(), engine?.close()]);
});

const health = (key = gateway.masterKey, query = '') => get(`${gateway.url}/health${query}`, { key });

describe('/health', () => {
  test('of a gateway that has served nothing says that all is well, and asks nobody', async () => {
    const { status, json } = await health();
    assert.equal(status, 200);
    const { healthy_count, unhealthy_count, healthy_endpoints } = json();
    assert.deepEqual([healthy_count, unhealthy_count], [3, 0]);
    assert.deepEqual(Object.keys(healthy_endpoints[0]).slice(0, 2), ['model', 'api_base']);
    assert.equal(simulator.requests().length, 0);
  });

  test('tells a backend whose breaker has opened from one that answers', async () => {
    await post(gateway.url + chatPath, chat('good'));
    for (let i = 0; i < 3; i++) await post(gateway.url + chatPath, chat('bad'));
    const asked = simulator.requests().length;
    const body = await until('the breaker is seen to be open', async () => {
      const told = (await health()).json();
      return told.unhealthy_count === 1 && told;
    });
    const [bad] = body.unhealthy_endpoints;
    assert.deepEqual([bad.model, bad.tollgate.breaker.state], ['bad', 'open']);
    assert.match(bad.error, /circuit breaker is open until/);
    assert.deepEqual(
      body.healthy_endpoints.map(({ model }: { model: string }) => model),
      ['good', 'tiny'],
    );
    assert.equal(simulator.requests().length, asked);
  });

  test('says how the engines of a provider stand', async () => {
    const states = await until('both engines are known', async () => {
      const [own] = (await health(gateway.masterKey, '?model=tiny')).json().healthy_endpoints;
      const told = own.tollgate.endpoints.map(({ endpoint, state }: Record<string, string>) => [endpoint, state]);
      return told[0][1] === 'Ready' && told[1][1] !== 'Ready' && told;
    });
    assert.deepEqual(
      states.map(([endpoint]: string[]) => endpoint),
      [engine.origin, deaf],
    );
  });

  test('needs the master key, and is on the internal listener as well', async () => {
    assert.equal((await health('sk-nobody')).status, 401);
    assert.equal((await get(`${gateway.url}/health`)).status, 403);
    assert.equal((await get(`${gateway.internalUrl}/health`, { key: gateway.masterKey })).status, 200);
  });
});
