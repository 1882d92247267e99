// A provider goes down under load and comes back: seen from outside, over one process and over two that share a Redis.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answered, chat, chatPath, get, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';

const COOLDOWN_MS = 1_000;
const A_SECOND = 200;

const answer = json(200, {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
});
const down = json(503, { error: { message: 'The service is unavailable.', type: 'server_error' } });
const noCredit = json(429, {
  error: { message: 'You exceeded your quota.', type: 'insufficient_quota', code: 'insufficient_quota' },
});

let primary: Upstream;
let backup: Upstream;
before(async () => {
  [primary, backup] = [await startUpstream(answer), await startUpstream(answer)];
});
after(() => Promise.all([primary?.close(), backup?.close()]));
beforeEach(() => {
  for (const upstream of [primary, backup]) {
    upstream.answer(answer);
    upstream.asked.length = 0;
  }
});

const yaml = (): string => {
  const circuitBreaker = { cooldown: `${COOLDOWN_MS}ms` };
  return yamlOf(
    providerSecret,
    provider('primary', 'OpenAICompatible', primary.url, ['m', 'n'], { circuitBreaker }),
    provider('backup', 'OpenAICompatible', backup.url, ['m', 'n']),
    route('m', 'm', ['primary', 'backup']),
    route('n', 'n', ['primary', 'backup']),
    tenantKey(),
  );
};

const ask = (gateway: Gateway, model = 'm'): Promise<Answered> => post(gateway.url + chatPath, chat(model));

/** A steady load, whatever becomes of it, for as long as `while` says. */
async function load(gateway: Gateway, goOn: () => boolean): Promise<readonly Answered[]> {
  const answers: Promise<Answered>[] = [];
  const since = performance.now();
  while (goOn()) {
    while (answers.length < ((performance.now() - since) / 1000) * A_SECOND) answers.push(ask(gateway));
    await sleep(5);
  }
  return Promise.all(answers);
}

const loadFor = (gateway: Gateway, ms: number): Promise<readonly Answered[]> => {
  const end = performance.now() + ms;
  return load(gateway, () => performance.now() < end);
};

/** As the metrics have it: 0 closed, 1 half-open, 2 open. */
async function breakerState(gateway: Gateway, model = 'm'): Promise<number | undefined> {
  const { text } = await get(`${gateway.internalUrl}/metrics`);
  const line = new RegExp(`^tollgate_breaker_state\\{provider="default/primary",model="${model}"\\} (\\d)$`, 'm').exec(text);
  return line ? Number(line[1]) : undefined;
}

const failed = (answers: readonly Answered[]): readonly Answered[] => answers.filter(({ status }) => status !== 200);

describe('an outage of the primary under 200 requests a second', () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await startGateway({ yaml: yaml() });
  });
  after(() => gateway?.stop());

  test('costs no client request, and the primary few calls; it has its traffic back within a cooldown of its return', async t => {
    const ready = await loadFor(gateway, 500);
    assert.deepEqual([failed(ready).length, backup.asked.length], [0, 0]);
    primary.answer(down);
    primary.asked.length = 0;
    const during = await loadFor(gateway, 3_500);
    const calls = primary.asked.length;
    assert.equal(failed(during).length, 0);
    // Five that open it, what was under way with them, and probes after 1, 2 and 4 seconds.
    assert.ok(calls >= 5 && calls <= 20, `${calls} calls for ${during.length} requests`);
    assert.ok(calls / during.length <= 1.2);
    assert.equal(await breakerState(gateway), 2);
    primary.answer(answer);
    const back = performance.now();
    let served = Number.POSITIVE_INFINITY;
    const afterwards = await load(gateway, () => {
      if (served === Number.POSITIVE_INFINITY && primary.asked.length > calls + 20) served = performance.now() - back;
      return served === Number.POSITIVE_INFINITY && performance.now() - back < 20_000;
    });
    assert.equal(failed(afterwards).length, 0);
    assert.ok(served < 4 * COOLDOWN_MS + 1_500, `back after ${served} ms`);
    t.diagnostic(`${during.length} requests, ${calls} calls to the primary; back ${Math.round(served)} ms after its return`);
    await until('the breaker is closed', async () => (await breakerState(gateway)) === 0);
  });

  test('of which nothing tells but the errors: a caller that sends nonsense opens nothing', async () => {
    primary.answer(json(400, { error: { message: 'Bad.', type: 'invalid_request_error' } }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(gateway)));
    assert.ok(answers.every(({ status }) => status === 400));
    assert.equal(await breakerState(gateway), 0);
  });
});

describe('two processes that share a Redis', { skip: withoutRedis }, () => {
  let redis: TestRedis;
  let gateways: readonly Gateway[];
  before(async () => {
    redis = await startRedis();
    const env = { REDIS_URL: redis.url };
    gateways = await Promise.all([startGateway({ yaml: yaml(), env }), startGateway({ yaml: yaml(), env })]);
  });
  after(async () => {
    await Promise.all((gateways ?? []).map(gateway => gateway.stop()));
    await redis?.stop();
  });

  test('learn an outage once: the second sends its requests to the backup without a call to the primary', async () => {
    const [first, second] = gateways as [Gateway, Gateway];
    primary.answer(down);
    for (let i = 0; i < 6; i++) assert.equal((await ask(first)).status, 200);
    await until('the second knows', async () => (await breakerState(second)) === 2);
    const calls = primary.asked.length;
    assert.equal((await ask(second)).status, 200);
    assert.equal(primary.asked.length, calls);
    primary.answer(answer);
    await until('one of them has probed', async () => (await ask(first)).status === 200 && primary.asked.length > calls);
    await until('both know that it is back', async () => (await breakerState(first)) === 0 && (await breakerState(second)) === 0);
  });

  test('an account without credit: all models of the provider, in both', async () => {
    const [first, second] = gateways as [Gateway, Gateway];
    primary.answer(noCredit);
    assert.equal((await ask(first)).status, 200);
    await until('the second knows', async () => {
      await ask(second, 'n');
      return (await breakerState(second, 'n')) === 2;
    });
    const calls = primary.asked.length;
    for (const model of ['m', 'n']) assert.equal((await ask(second, model)).status, 200);
    assert.equal(primary.asked.length, calls);
  });
});
