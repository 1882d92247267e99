// Engines that are full before a hosted provider: what they cannot take goes there, and comes back once they have room. What the engines
// say of their queues is set by the test, so that every step is one of the thresholds.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type SimulatedEngine, startEngine } from '#simulator/index.ts';
import { chatPath, post } from '#test/support/client.ts';
import { metricsOf } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';

const answer = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'tiny',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hosted.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
};
const REQUESTS = 40;

describe('two engines before a hosted provider', { timeout: 120_000 }, () => {
  let engines: readonly [SimulatedEngine, SimulatedEngine];
  let hosted: Upstream;
  let gateway: Gateway;

  before(async () => {
    const cost = { step: 1, perSequence: 0, perPrefillToken: 0 };
    engines = [await startEngine({ settings: { cost } }), await startEngine({ settings: { cost } })];
    hosted = await startUpstream(json(200, answer));
    const endpoints = engines.map(({ origin }) => origin);
    gateway = await startGateway({
      yaml: yamlOf(
        providerSecret,
        provider('engines', 'VLLM', '', ['tiny'], { vLLM: { endpoints }, probes: { interval: '100ms', queueDepth: 10 } }),
        provider('hosted', 'OpenAI', hosted.url, ['tiny']),
        route('tiny', 'tiny', ['engines', 'hosted']),
        tenantKey(),
      ),
    });
    for (const engine of engines) await becomes(engine, 'Ready');
  });
  after(async () => {
    await gateway?.stop();
    await hosted?.close();
    for (const engine of engines ?? []) await engine.close();
  });

  const becomes = ({ origin }: SimulatedEngine, state: string) =>
    until(`it is ${state}`, async () => {
      const metric = await metricsOf(gateway);
      return metric('tollgate_engine_state', `provider="default/engines",endpoint="${origin}",state="${state}"`) === 1;
    });

  async function says(engine: SimulatedEngine, waiting: number, state: string): Promise<void> {
    engine.change({ metrics: { overrides: { 'vllm:num_requests_waiting': waiting } } });
    const labels = `provider="default/engines",endpoint="${engine.origin}"`;
    await until('its queue is known', async () => (await metricsOf(gateway))('tollgate_engine_waiting', labels) === waiting);
    await becomes(engine, state);
  }

  const chatsAt = (engine: SimulatedEngine) => engine.requests().filter(({ path }) => path === chatPath).length;

  /** Where so many chats go: to each engine, and to the hosted provider. */
  async function shares(): Promise<readonly [number, number, number]> {
    const counts = () => [...engines.map(chatsAt), hosted.asked.length] as const;
    const before = counts();
    const ask = { model: 'tiny', messages: [{ role: 'user', content: 'Hi. [[tokens=2]]' }] };
    for (let i = 0; i < REQUESTS; i++) assert.equal((await post(gateway.url + chatPath, ask)).status, 200);
    return counts().map((count, at) => count - before[at]!) as unknown as readonly [number, number, number];
  }

  test('share what comes while both have room', async () => {
    const [one, two, elsewhere] = await shares();
    assert.equal(elsewhere, 0);
    assert.ok(one > 0 && two > 0, `${one} ${two}`);
  });

  test('one of them takes it all while the other is full', async () => {
    await says(engines[0], 10, 'Saturated');
    assert.deepEqual(await shares(), [0, REQUESTS, 0]);
  });

  test('spill to the hosted provider when both are full, and until one of them is a fifth below the threshold', async () => {
    await says(engines[0], 10, 'Saturated');
    await says(engines[1], 12, 'Saturated');
    assert.deepEqual(await shares(), [0, 0, REQUESTS]);
    await says(engines[1], 9, 'Saturated');
    assert.deepEqual(await shares(), [0, 0, REQUESTS], 'it would flap');
    await says(engines[1], 8, 'Ready');
    assert.deepEqual(await shares(), [0, REQUESTS, 0]);
  });

  test('are skipped while none of them may get requests', async () => {
    for (const engine of engines) {
      engine.change({ state: 'sleeping', metrics: null });
      await becomes(engine, 'Sleeping');
    }
    assert.deepEqual(await shares(), [0, 0, REQUESTS]);
  });
});
