// Limits of keys and of providers over three processes that share one Redis: exact, and given back whatever becomes of a request.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answered, chat, chatPath, post } from '#test/support/client.ts';
import { type Fleet, startFleet, withoutStores } from '#test/support/fleet.ts';
import type { Gateway } from '#test/support/gateway.ts';
import { provider, providerSecret, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

const secretOf = (name: string): string => `sk-test-${name}-2f1d9c4be87a4f0fa6de9b1c5d3e7f80`;
const key = (name: string, limits: object, rest: object = {}): Resource[] =>
  tenantKey(name, secretOf(name), { tenant: name, limits, ...rest });

const TPM = 2_000;
const LEAVERS = 10;
/** What a client held is free a moment after it left, and on a busy machine a moment is long. */
const SLOTS = 9 * LEAVERS;

/** Counts are exact as long as Redis is waited for; what becomes of them otherwise is what the tests of fail modes are about. */
const patient = { REDIS_TIMEOUT_MS: '10000' };

const yaml = (origin: string): string => {
  const served = (name: string, upstreamName = 'gpt-4o') => ({ name, upstreamName, maxOutputTokens: 400 });
  return yamlOf(
    providerSecret,
    provider('oa', 'OpenAI', origin, [
      served('plain'),
      served('other'),
      served('slow', 'gpt-4o!slow;tps=40'),
      served('silent', 'gpt-4o!slow-first-token;ms=400'),
    ]),
    provider('narrow', 'OpenAI', origin, [served('narrow', 'gpt-4o-mini!slow;tps=40')], {
      limits: { maxConcurrency: 3, maxQueue: 100, queueTimeout: '60s' },
    }),
    provider('counted', 'OpenAI', origin, [served('counted', 'gpt-4.1')], { limits: { rpm: 20 } }),
    ['plain', 'other', 'slow', 'silent', 'narrow', 'counted'].map(model =>
      route(model, model, [model === 'narrow' || model === 'counted' ? model : 'oa']),
    ),
    key('hundred', { rpm: 100 }),
    key('tokens', { tpm: TPM }),
    key('models', {
      rpm: 50,
      perModel: [
        { model: 'plain', rpm: 5 },
        { model: 'oth*', rpm: 3 },
      ],
    }),
    key('four', { maxConcurrency: 4 }),
    key('leaving', { maxConcurrency: SLOTS }, { budgets: [{ name: 'all', amount: '100.00', period: 'Total' }] }),
    key('free', {}),
  );
};

describe('limits over three processes', { skip: withoutStores }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await startFleet({ yaml, env: patient });
  });
  after(() => fleet?.close());

  const ask = (name: string, model: string, rest: Record<string, unknown> = {}): Promise<Answered> =>
    post(fleet.next().url + chatPath, chat(model, rest), { key: secretOf(name) });
  const many = (count: number, one: (i: number) => Promise<Answered>) =>
    Promise.all(Array.from({ length: count }, (_, i) => one(i)));
  const passed = (answers: readonly Answered[]) => answers.filter(({ status }) => status === 200).length;

  /** A refusal as clients of both majors of every SDK understand it: wait, then try again. */
  function assertLimited(answers: readonly Answered[], param: string, within: number): void {
    for (const { status, headers, json } of answers) {
      assert.deepEqual([status, json().error.code, json().error.param], [429, 'rate_limit_exceeded', param]);
      const after = Number(headers.get('retry-after'));
      assert.ok(after >= 1 && after <= within, `${after}`);
      assert.ok(Math.ceil(Number(headers.get('retry-after-ms')) / 1000) === after);
      assert.notEqual(headers.get('x-should-retry'), 'false');
    }
  }

  test('requests a minute: of 130 at once 100 pass and 30 do not', async () => {
    const answers = await many(130, () => ask('hundred', 'plain'));
    assert.equal(passed(answers), 100);
    assertLimited(
      answers.filter(({ status }) => status !== 200),
      'rpm',
      60,
    );
    assert.equal((await fleet.settledRows('default/hundred')).length, 100);
  });

  test('tokens a minute: taken by the upper bound, given back what was not used, and never more than the limit', async () => {
    const says = { messages: [{ role: 'user', content: 'Say hello. [[tokens=120]]' }], max_tokens: 300 };
    const burst = await many(20, () => ask('tokens', 'plain', says));
    // Each may use 300 and its prompt: six fit at once, and a few more as the first end.
    assert.ok(passed(burst) >= 6 && passed(burst) < 20, `${passed(burst)}`);
    let count = passed(burst);
    let last = await ask('tokens', 'plain', says);
    while (last.status === 200 && count < 200) {
      count++;
      // The answer comes before the end of its reservation.
      await fleet.settledRows('default/tokens');
      last = await ask('tokens', 'plain', says);
    }
    assertLimited([last], 'tpm', 60);
    const rows = await fleet.settledRows('default/tokens');
    const used = rows.reduce((sum, row) => sum + row.prompt_tokens + row.completion_tokens, 0);
    assert.equal(rows.length, count);
    // The next did not fit, and the last that passed did.
    assert.ok(used <= TPM && used + 300 + 100 > TPM, `${used} of ${TPM}`);
  });

  test('limits for models count by themselves, and together with those of the key', async () => {
    const [plain, other, slow] = await Promise.all([
      many(12, () => ask('models', 'plain')),
      many(12, () => ask('models', 'other')),
      many(12, () => ask('models', 'silent')),
    ]);
    assert.deepEqual([passed(plain!), passed(other!), passed(slow!)], [5, 3, 12]);
    assertLimited(
      plain!.filter(({ status }) => status !== 200),
      'rpm/plain',
      60,
    );
    assertLimited(
      other!.filter(({ status }) => status !== 200),
      'rpm/oth*',
      60,
    );
    // 20 of 50 are used: nothing was counted for what was refused.
    assert.equal(passed(await many(40, () => ask('models', 'slow', { max_tokens: 1 }))), 30);
  });

  test('requests at the same time: the fifth waits for the end of another', async () => {
    // Six seconds each: long enough for six more to come meanwhile, on any machine.
    const long = { messages: [{ role: 'user', content: 'Say hello. [[tokens=240]]' }], max_tokens: 300, stream: true };
    const streams = Array.from({ length: 4 }, () => ask('four', 'slow', long));
    await until('all four are open', async () => (await fleet.redis.client.hvals('tollgate:{four}:slots'))[0] === '4');
    assertLimited(await many(6, () => ask('four', 'plain')), 'maxConcurrency', 60);
    assert.equal(passed(await Promise.all(streams)), 4);
    await until('one passes again', async () => (await ask('four', 'plain')).status === 200, 10_000);
  });

  test('a provider is sent no more at the same time, and in a minute, than it takes, over all processes', async () => {
    const [narrow, counted] = await Promise.all([
      many(12, () => ask('free', 'narrow', { messages: [{ role: 'user', content: 'Say hello. [[tokens=8]]' }] })),
      many(60, () => ask('free', 'counted')),
    ]);
    assert.equal(passed(narrow), 12);
    const sent = fleet.simulator.requests().filter(({ body }) => (body as { model: string }).model.startsWith('gpt-4o-mini'));
    const mostAtOnce = Math.max(...sent.map(({ at }) => sent.filter(other => other.at <= at && other.endedAt! > at).length));
    assert.ok(mostAtOnce <= 3, `${mostAtOnce} at once`);
    assert.equal(passed(counted), 20);
    assert.equal(fleet.simulator.bill()['gpt-4.1']!.requests, 20);
  });

  test('no slot is kept after 1,000 clients left, at every moment of a request', async () => {
    const moments = Object.values(leaving);
    const outcomes = new Map<string, number>();
    let next = 0;
    const leaver = async () => {
      while (next < 1_000) {
        const i = next++;
        const outcome = await moments[i % moments.length]!(fleet.next());
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: LEAVERS }, leaver));
    const { client } = fleet.redis;
    await until('every slot is free', async () => (await client.hlen('tollgate:{leaving}:slots')) === 0, 10_000);
    assert.equal(await client.hlen('tollgate:{leaving}:open'), 0);
    // Only a client that saw what it waited for left at that moment.
    for (const moment of ['head', 'middle', 'end']) assert.equal(outcomes.get(moment), 1_000 / moments.length, moment);
    assert.equal(passed(await many(SLOTS, () => ask('leaving', 'silent', { max_tokens: 1 }))), SLOTS);
    await until('nothing is reserved', async () =>
      Object.entries(await client.hgetall('tollgate:{leaving}:spend')).every(
        ([field, value]) => !field.startsWith('r:') || value === '0',
      ),
    );
  });
});

// ---------------------------------------------------------------- clients that leave

const streamed = (model: string) => JSON.stringify(chat(model, { stream: true, max_tokens: 40 }));

function begin(gateway: Gateway, body: string, sent = body.length): ClientRequest {
  const asking = request(gateway.url + chatPath, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${secretOf('leaving')}`,
      'content-type': 'application/json',
      'content-length': body.length,
    },
  });
  asking.on('error', () => {});
  asking.write(body.slice(0, sent));
  if (sent === body.length) asking.end();
  else asking.flushHeaders();
  return asking;
}

async function head(asking: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  assert.equal(response.statusCode, 200);
  return response;
}

async function readUntil(response: IncomingMessage, mark: string): Promise<void> {
  let seen = '';
  for await (const chunk of response) {
    seen += chunk;
    if (seen.includes(mark)) return;
  }
  throw new Error(`the stream ended without ${mark}`);
}

/** Leaves at one moment of a request, and says which. */
const leaving: Readonly<Record<string, (gateway: Gateway) => Promise<string>>> = {
  async 'half a body'(gateway) {
    const asking = begin(gateway, streamed('plain'), 20);
    await sleep(2);
    asking.destroy();
    return 'body';
  },
  async 'before anything is answered'(gateway) {
    const asking = begin(gateway, streamed('silent'));
    await sleep(Math.random() * 30);
    asking.destroy();
    return 'silence';
  },
  async 'at the head'(gateway) {
    const asking = begin(gateway, streamed('slow'));
    await head(asking);
    asking.destroy();
    return 'head';
  },
  async 'in the middle'(gateway) {
    const asking = begin(gateway, streamed('slow'));
    await readUntil(await head(asking), '"content"');
    asking.destroy();
    return 'middle';
  },
  async 'at the end'(gateway) {
    const asking = begin(gateway, streamed('plain'));
    await readUntil(await head(asking), '[DONE]');
    asking.destroy();
    return 'end';
  },
};
