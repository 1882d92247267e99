// What a running gateway tells about the decisions it made: over HTTP on its internal listener, and by `tollgate explain REQUEST_ID`.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Decision } from '#dataplane/decisions.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Answered, chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { clientKey, patient, provider, providerKey, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

const SECRET_WORDS = 'The combination of the safe is 17-23-5.';
const backend = (name: string, model: string) => ({ name, providerRef: { name: 'oa' }, model });

let simulator: Simulator;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator();
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      provider(
        'oa',
        'OpenAI',
        simulator.origin,
        [
          { name: 'down', upstreamName: 'gpt-4o!500' },
          { name: 'up', upstreamName: 'gpt-4o' },
          { name: 'dear', upstreamName: 'gpt-4.1', price: { inputPerMTok: '10', outputPerMTok: '20' } },
          { name: 'plain', upstreamName: 'gpt-4o-mini', capabilities: ['Chat'] },
        ],
        patient,
      ),
      route(
        'scored',
        'scored',
        [
          { ...backend('dear', 'dear'), priority: 0 },
          { ...backend('cheap', 'up'), priority: 0 },
        ],
        {
          strategy: 'LowestCost',
        },
      ),
      route('plain', 'plain', [backend('one', 'plain'), backend('two', 'plain')]),
      route(
        'even',
        'even',
        ['one', 'two'].map(name => ({ ...backend(name, 'up'), priority: 0 })),
      ),
      route(
        'waterfall',
        'waterfall',
        [backend('first', 'down'), backend('second', 'up'), { ...backend('small', 'up'), downgrade: true }],
        { retries: { attempts: 1, backoff: { base: '1ms', max: '2ms' } } },
      ),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});

const ask = (rest: Record<string, unknown> = {}): Promise<Answered> =>
  post(gateway.url + chatPath, chat('waterfall', { messages: [{ role: 'user', content: SECRET_WORDS }], ...rest }));
const page = (id: string): Promise<Answered> => get(`${gateway.internalUrl}/debug/decisions/${id}`, { key: undefined });
/** Once the row of its last attempt is settled, which is after the client has its answer. */
const decisionOf = ({ headers }: Answered, attempts: number): Promise<Decision> =>
  until('the decision has all attempts', async () => {
    const { status, json } = await page(headers.get('x-request-id')!);
    return status === 200 && json().outcome && json().attempts.length === attempts && (json() as Decision);
  });

describe('a decision', () => {
  for (const [stream, path] of [
    [false, chatPath],
    [true, chatPath],
    [false, messagesPath],
    [true, messagesPath],
  ] as const)
    test(`says what was tried, in which order, why, how long it took and what it cost (${path}, ${stream ? 'streamed' : 'whole'})`, async () => {
      const answered =
        path === chatPath ? await ask({ stream }) : await post(gateway.url + path, message('waterfall', { stream }));
      assert.equal(answered.status, 200);
      const { plans, attempts, outcome, route: taken, key, model } = await decisionOf(answered, 3);
      assert.deepEqual([taken, key, model], ['default/waterfall', 'default/client', 'waterfall']);
      const [plan] = plans;
      assert.deepEqual(
        plan!.candidates.map(one => [one.backend, one.model, one.attempts]),
        [
          ['first', 'down', [0, 1]],
          ['second', 'up', [2]],
        ],
      );
      assert.deepEqual(
        plan!.excluded.map(one => one.backend),
        ['small'],
      );
      assert.match(plan!.excluded[0]!.reason, /downgrade/);
      assert.deepEqual(
        attempts.map(one => [one.status, one.failure, one.purpose]),
        [
          [500, 'upstream_error', 'first'],
          [500, 'upstream_error', 'retry'],
          [200, null, 'fallback'],
        ],
      );
      assert.deepEqual([outcome!.status, outcome!.failure, outcome!.attempts, outcome!.fallbacks], [200, null, 3, 1]);
      assert.ok(outcome!.ms >= attempts[2]!.ms);
      assert.equal(outcome!.cost_usd, attempts[2]!.cost_usd);
      assert.ok(Number(outcome!.cost_usd) > 0);
    });

  test('holds no prompt, no answer and no credential', async () => {
    const answered = await ask();
    const words = answered.json().choices[0].message.content as string;
    await decisionOf(answered, 3);
    const { text } = await page(answered.headers.get('x-request-id')!);
    for (const hidden of [SECRET_WORDS, 'combination', words, clientKey, providerKey]) assert.ok(!text.includes(hidden), hidden);
  });

  test('of a request that was refused at once says why; of one that nobody knows there is none', async () => {
    const refused = await post(gateway.url + chatPath, chat('no-such-model'));
    const { outcome, plans } = await decisionOf(refused, 0);
    assert.deepEqual([outcome!.status, outcome!.failure, plans], [404, 'model_not_found', []]);
    assert.equal((await page('0190c0de-0000-7000-8000-000000000000')).status, 404);
  });

  test('says what was kept back, and for which trigger another backend came next', async () => {
    const { asides, attempts } = await decisionOf(await ask({ mock_testing_fallbacks: true }), 1);
    assert.deepEqual(asides, [
      { backend: 'first', not_sent: 'upstream_error' },
      { backend: 'first', fell_back: 'Exhausted' },
    ]);
    assert.deepEqual([attempts[0]!.model, attempts[0]!.purpose], ['up', 'fallback']);
  });

  test('says why each backend was left out of a request that none can take', async () => {
    const asksTools = chat('plain', { tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }] });
    const { outcome, plans } = await decisionOf(await post(gateway.url + chatPath, asksTools), 0);
    assert.deepEqual([outcome!.status, outcome!.failure], [400, 'unsupported_parameter']);
    const [plan] = plans;
    assert.deepEqual([plan!.route, plan!.candidates], ['default/plain', []]);
    assert.deepEqual(
      plan!.excluded.map(({ backend, cause }) => [backend, cause]),
      ['one', 'two'].map(name => [name, 'lacks-capability']),
    );
  });

  test('has no scores where a strategy goes by weights', async () => {
    const [plan] = (await decisionOf(await post(gateway.url + chatPath, chat('even')), 1)).plans;
    assert.ok(plan!.candidates.length === 2 && plan!.candidates.every(candidate => !('score' in candidate)));
  });

  test('has the scores of those that were to choose from', async () => {
    const answered = await post(gateway.url + chatPath, chat('scored'));
    const [plan] = (await decisionOf(answered, 1)).plans;
    assert.equal(plan!.figure, 'expected cost, nano-USD');
    const [cheap, dear] = plan!.candidates;
    assert.deepEqual([cheap!.backend, dear!.backend], ['cheap', 'dear']);
    assert.ok(cheap!.score! > 0 && dear!.score! > cheap!.score!);
  });

  test('is on the internal listener alone', async () => {
    const { headers } = await ask();
    const outside = await get(`${gateway.url}/debug/decisions/${headers.get('x-request-id')}`, { key: gateway.masterKey });
    assert.equal(outside.status, 404);
  });
});

describe('tollgate explain REQUEST_ID', () => {
  const explain = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['cli/main.ts', 'explain', ...args, '--url', gateway.internalUrl]);

  test('tells a decision in words, and as it is with --json', async () => {
    const answered = await ask();
    const decision = await decisionOf(answered, 3);
    const { stdout } = await explain(decision.request_id);
    for (const part of [
      decision.request_id,
      'default/waterfall',
      '1. first',
      '2. second',
      'small  left out',
      'upstream_error (status 500)',
    ])
      assert.ok(stdout.includes(part), `${part} in\n${stdout}`);
    assert.deepEqual(JSON.parse((await explain(decision.request_id, '--json')).stdout), decision);
  });

  test('says so where there is no such request', async () => {
    await assert.rejects(explain('nobody'), (error: { code: number; stderr: string }) => {
      assert.equal(error.code, 2);
      return error.stderr.includes('No request of this id');
    });
  });
});
