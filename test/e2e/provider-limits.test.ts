// What providers are sent at most: limits, the line before them, and where a request goes when they are reached.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chat, chatPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { startUpstream, type Upstream } from '#test/support/upstream.ts';

const URGENT = 'sk-test-urgent-7b1d9c4be87a4f0fa6de9b1c5d3e';
const answer = (model: string) =>
  JSON.stringify({
    id: 'x',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: `from ${model}` }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
  });

describe('the limits of a provider', () => {
  let upstream: Upstream;
  let gateway: Gateway;
  /** Answers that the upstream has not given yet. */
  const held: (() => void)[] = [];
  let holds = false;

  before(async () => {
    upstream = await startUpstream((response, { body }) => {
      const { model } = JSON.parse(body.toString());
      const say = () => void response.writeHead(200, { 'content-type': 'application/json' }).end(answer(model));
      if (holds && model !== 'spare') held.push(say);
      else say();
    });
    const oa = (name: string, models: string[], limits?: object) =>
      provider(name, 'OpenAI', upstream.url, models, limits ? { limits } : {});
    gateway = await startGateway({
      yaml: yamlOf(
        providerSecret,
        oa('narrow', ['one'], { maxConcurrency: 1, maxQueue: 2, queueTimeout: '2s' }),
        oa('impatient', ['brief'], { maxConcurrency: 1, maxQueue: 1, queueTimeout: '100ms' }),
        oa('counted', ['few'], { rpm: 3 }),
        oa('full', ['single'], { maxConcurrency: 1 }),
        oa('spare', ['spare']),
        route('one', 'one', ['narrow']),
        route('brief', 'brief', ['impatient']),
        route('few', 'few', ['counted']),
        tenantKey(),
        tenantKey('urgent', URGENT, { priority: 10 }),
        route('single', 'single', ['full', { name: 'spare', providerRef: { name: 'spare' }, model: 'spare', priority: 1 }]),
      ),
    });
  });
  after(async () => {
    await gateway?.stop();
    await upstream?.close();
  });
  beforeEach(() => {
    holds = true;
    upstream.asked.length = 0;
  });

  const ask = (model: string, key?: string) => post(gateway.url + chatPath, chat(model), key ? { key } : {});
  const atUpstream = (count: number) => until(`${count} at the upstream`, async () => held.length >= count, 3_000);
  const release = () => {
    for (const say of held.splice(0)) say();
  };

  const leftSoFar = async () => {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    const counts = [...text.matchAll(/^tollgate_requests_total\{.*status="499".*\} (\d+)$/gm)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  };

  test('let one through at a time, have two wait by the priority of their keys, and refuse the fourth with Retry-After', async () => {
    const order: string[] = [];
    const done = (name: string) => (answered: { status: number }) => order.push(`${name} ${answered.status}`);
    const all = [ask('one').then(done('first'))];
    await atUpstream(1);
    all.push(ask('one').then(done('ordinary')));
    await sleep(60);
    all.push(ask('one', URGENT).then(done('urgent')));
    await sleep(60);
    const refused = await ask('one');
    assert.deepEqual([refused.status, refused.json().error.code], [503, 'provider_limit_reached']);
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(refused.headers.get('x-tollgate-attempts'), '0');
    assert.equal(upstream.asked.length, 1);
    for (let i = 0; i < 3; i++) {
      await atUpstream(1);
      release();
    }
    await Promise.all(all);
    assert.deepEqual(order, ['first 200', 'urgent 200', 'ordinary 200']);
  });

  test('refuse who waited for queueTimeout', async () => {
    const first = ask('brief');
    await atUpstream(1);
    const startedAt = performance.now();
    const second = await ask('brief');
    assert.deepEqual([second.status, second.json().error.code], [503, 'provider_limit_reached']);
    assert.ok(performance.now() - startedAt >= 95);
    release();
    assert.equal((await first).status, 200);
  });

  test('free the place of a client that left, waiting or served', async () => {
    for (let i = 0; i < 3; i++) {
      const leaves = new AbortController();
      const requests = [1, 2].map(() => post(gateway.url + chatPath, chat('one'), { signal: leaves.signal }).catch(() => 'left'));
      await atUpstream(1);
      await sleep(30);
      leaves.abort();
      assert.deepEqual(await Promise.all(requests), ['left', 'left']);
      await until('the gateway has noticed', async () => (await leftSoFar()) === 2 * (i + 1), 3_000);
      held.length = 0;
    }
    holds = false;
    assert.equal((await ask('one')).status, 200);
  });

  test('count the requests of a minute exactly', async () => {
    holds = false;
    const statuses = (await Promise.all(Array.from({ length: 8 }, () => ask('few')))).map(answered => answered.status);
    assert.deepEqual(statuses.sort(), [200, 200, 200, 503, 503, 503, 503, 503]);
    assert.equal(upstream.asked.length, 3);
    const { headers } = await ask('few');
    assert.ok(Number(headers.get('retry-after')) > 50);
  });

  test('send a request to the next backend of its route', async () => {
    const first = ask('single');
    await atUpstream(1);
    const second = await ask('single');
    assert.equal(second.json().choices[0].message.content, 'from spare');
    assert.equal(second.headers.get('x-tollgate-fallback'), 'true');
    assert.equal(second.headers.get('x-tollgate-attempts'), '1');
    release();
    assert.equal((await first).json().choices[0].message.content, 'from single');
  });
});
