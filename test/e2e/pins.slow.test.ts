// What a provider keeps, over several processes: found by any of them, also when the one that made it was killed; and what is said while
// nobody can know.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { ask, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { clientKey, patient, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

let redis: TestRedis;
let simulator: Simulator;
const gateways: Gateway[] = [];

async function gateway(): Promise<Gateway> {
  const yaml = yamlOf(
    providerSecret,
    tenantKey(),
    provider('one', 'OpenAI', simulator.origin, [{ name: 'gpt', upstreamName: 'gpt-5-mini' }], patient),
    route('gpt', 'gpt', ['one'], { retries: { attempts: 0 } }),
  );
  const started = await startGateway({ yaml, env: { REDIS_URL: redis.url } });
  gateways.push(started);
  return started;
}

const created = async ({ url }: Gateway, fields: Record<string, unknown> = {}) => {
  const answer = await post(`${url}/v1/responses`, { model: 'gpt', input: 'Hi', ...fields });
  assert.equal(answer.status, 200, answer.text);
  return String(answer.json().id);
};
const read = ({ url }: Gateway, id: string) =>
  ask(`${url}/v1/responses/${id}`, { headers: { authorization: `Bearer ${clientKey}` } });

describe('kept responses over processes', { skip: withoutRedis }, () => {
  before(async () => {
    redis = await startRedis();
    simulator = await startSimulator();
  });
  after(async () => {
    for (const one of gateways) await one.stop();
    await simulator?.close();
    await redis?.stop();
  });

  test('any process finds what another made, also when that was killed', async () => {
    const [one, other] = [await gateway(), await gateway()];
    const id = await created(one);
    assert.equal((await read(other, id)).json().id, id);
    process.kill(one.pid, 'SIGKILL');
    const next = await post(`${other.url}/v1/responses`, { model: 'gpt', input: 'And?', previous_response_id: id });
    assert.equal(next.status, 200, next.text);
    assert.equal((await read(other, String(next.json().id))).status, 200);
  });

  test('while Redis is away it is a 503 that tells so, not a 404; what the process made itself it knows', async () => {
    const [one, other] = [await gateway(), await gateway()];
    const id = await created(one);
    redis.pause();
    const own = await until('its own', async () => {
      const answer = await read(one, id);
      return answer.status === 200 && answer;
    });
    assert.equal(own.json().id, id);
    const answer = await read(other, id);
    assert.deepEqual([answer.status, answer.json().error.code], [503, 'store_unavailable']);
    redis.resume();
    await until('the other process', async () => (await read(other, id)).status === 200);
  });

  test('streams are kept from their first byte on, and read on from where they were left', async () => {
    const one = await gateway();
    const leaving = new AbortController();
    const response = await fetch(`${one.url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt', input: 'Go. [[tokens=400]]', stream: true }),
      signal: leaving.signal,
    });
    const first = await response.body!.getReader().read();
    const id = /"id":"(resp_[^"]+)"/.exec(Buffer.from(first.value!).toString())?.[1];
    assert.ok(id);
    leaving.abort();
    assert.equal((await read(one, id)).json().id, id);
  });
});
