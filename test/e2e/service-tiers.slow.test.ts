// Tiers, speeds and regions that cost more: held for, paid for as the answer says it was served, in every dialect, and refused where nobody
// knows what they cost.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Answered, chatPath, messagesPath, post } from '#test/support/client.ts';
import { billed, costOfRows, type Fleet, nano, startFleet, withoutStores } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type LedgerRow, readLedger } from '#test/support/ledger-rows.ts';
import { clientKey, directRoute, price, provider, providerSecret, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

/** 1 microdollar a token in, 2 out. */
const unit = { input: 1000, output: 2000 };
const contextWindow = 4000;
const serviceTiers = [
  { name: 'priority', multiplier: '2' },
  { name: 'fast', multiplier: '6' },
  { name: 'us', multiplier: '1.1' },
];
const priced = { price: { ...price, serviceTiers }, contextWindow };
const responsesPath = '/v1/responses';
const geminiPath = (model: string, stream: boolean) =>
  `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`;
const ask = 'Of tolls.';

const chat = (model: string, rest: object, content = ask) => ({
  model,
  messages: [{ role: 'user', content }],
  max_tokens: 100,
  ...rest,
});
const responses = (model: string, rest: object) => ({ model, input: ask, max_output_tokens: 100, ...rest });
const generated = (rest: object) => ({
  contents: [{ role: 'user', parts: [{ text: ask }] }],
  generationConfig: { maxOutputTokens: 100 },
  ...rest,
});

describe('levels of service', () => {
  let simulator: Simulator;
  let gateway: Gateway;
  before(async () => {
    simulator = await startSimulator();
    const models = (upstreamName: string, prefix: string) => [
      { name: `${prefix}-priced`, upstreamName, ...priced },
      { name: `${prefix}-unpriced`, upstreamName, price, contextWindow },
    ];
    const deny = { onUnknownPrice: 'Deny' };
    gateway = await startGateway({
      yaml: yamlOf(
        providerSecret,
        provider('oa', 'OpenAI', simulator.origin, [
          ...models('gpt-4o', 'oa'),
          { name: 'oa-let', upstreamName: 'gpt-4o', price },
        ]),
        provider('an', 'Anthropic', simulator.origin, models('claude-opus-4-8', 'an')),
        provider('go', 'Gemini', simulator.origin, models('gemini-2.5-pro', 'go')),
        ...['oa', 'an', 'go'].flatMap(name => [
          directRoute(`${name}-priced`, [name], deny),
          directRoute(`${name}-unpriced`, [name], deny),
        ]),
        directRoute('oa-let', ['oa']),
        tenantKey(),
      ),
    });
  });
  after(async () => {
    await gateway.stop();
    await simulator.close();
  });

  const rowOf = ({ headers }: Pick<Answered, 'headers'>): Promise<LedgerRow> => {
    const id = headers.get('x-request-id');
    return until(`the row of ${id}`, () => {
      const [row] = readLedger(gateway, `select * from attempts where request_id = '${id}' and state = 'settled'`);
      return row;
    });
  };

  function assertPaid(row: LedgerRow, times: number): void {
    const { prompt_tokens: input, completion_tokens: output, cost_nano_usd: cost } = row;
    assert.ok(Number(output) > 0);
    assert.equal(Number(cost), Math.round((Number(input) * unit.input + Number(output) * unit.output) * times));
    assert.equal(Number(row.exceeded), 0);
    assert.ok(!row.partly_priced);
  }

  for (const stream of [false, true]) {
    const how = stream ? 'streamed' : 'whole';
    const cases: [sentence: string, path: string, body: object, times: number][] = [
      ['chat', chatPath, chat('oa-priced', { service_tier: 'priority', stream }), 2],
      ['chat, by its other name', chatPath, chat('oa-priced', { service_tier: 'fast', stream }), 2],
      ['chat, taken back', chatPath, chat('oa-priced', { service_tier: 'priority', stream }, '[[served=default]]'), 1],
      ['chat without one', chatPath, chat('oa-priced', { stream }), 1],
      ['Responses', responsesPath, responses('oa-priced', { service_tier: 'priority', stream }), 2],
      ['Messages', messagesPath, chat('an-priced', { inference_geo: 'us', stream }), 1.1],
      ['Gemini', geminiPath('go-priced', stream), generated({ serviceTier: 'priority' }), 2],
    ];
    for (const [sentence, path, body, times] of cases)
      test(`are paid for as the answer was served (${sentence}, ${how})`, async () => {
        const answer = await post(`${gateway.url}${path}`, body);
        assert.equal(answer.status, 200, answer.text);
        assertPaid(await rowOf(answer), times);
      });
  }

  test('that nobody knows the price of are refused, with the field and the level', async () => {
    for (const [path, body, said] of [
      [chatPath, chat('oa-unpriced', { service_tier: 'priority' }), /service_tier: what 'oa-unpriced' costs at 'priority'/],
      [responsesPath, responses('oa-unpriced', { service_tier: 'fast' }), /service_tier: .*'priority'/],
      [messagesPath, chat('an-unpriced', { inference_geo: 'us' }), /inference_geo: .*'us'/],
      [geminiPath('go-unpriced', false), generated({ serviceTier: 'PRIORITY' }), /serviceTier: .*'priority'/],
    ] as const) {
      const answer = await post(`${gateway.url}${path}`, body);
      assert.equal(answer.status, 403, path);
      assert.match(answer.text, said);
    }
    const cheaper = await post(`${gateway.url}${chatPath}`, chat('oa-unpriced', { service_tier: 'flex' }));
    assertPaid(await rowOf(cheaper), 1);
  });

  test('without a price are flagged where the route lets them pass', async () => {
    const answer = await post(`${gateway.url}${chatPath}`, chat('oa-let', { service_tier: 'priority' }));
    assert.equal(answer.status, 200, answer.text);
    assert.ok((await rowOf(answer)).partly_priced);
    assert.equal(answer.headers.get('x-tollgate-cost-usd') ?? answer.headers.get('x-litellm-response-cost'), null);
  });

  test('of a stream that is cut are paid for as asked', async () => {
    simulator.addFault({ match: { times: 1 }, fault: 'cut;chunks=2' });
    const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' };
    const body = JSON.stringify(chat('oa-priced', { service_tier: 'priority', stream: true }));
    const answer = await fetch(`${gateway.url}${chatPath}`, { method: 'POST', headers, body });
    await assert.rejects(answer.text());
    const row = await rowOf(answer);
    assert.ok(row.estimated);
    assertPaid(row, 2);
  });
});

describe('a budget under requests at once that ask for priority', { skip: withoutStores }, () => {
  let fleet: Fleet;
  const LIMIT = nano('0.05');
  before(async () => {
    fleet = await startFleet({
      simulator: { settings: { latency: 200 } },
      yaml: origin =>
        yamlOf(
          providerSecret,
          provider('oa', 'OpenAI', origin, [{ name: 'gpt', upstreamName: 'gpt-4o', ...priced }]),
          directRoute('gpt', ['oa'], { onUnknownPrice: 'Deny' }),
          tenantKey('client', clientKey, { budgets: [{ name: 'cents', amount: '0.05', period: 'Monthly' }] }),
        ),
    });
  });
  after(() => fleet?.close());

  test('is never overspent by them', async () => {
    const tiers = ['priority', 'fast', 'default', 'flex'];
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const content = `[[tokens=100]] ${i % 5 === 0 ? '[[served=default]]' : ''} ${i}`;
        const body = chat('gpt', { service_tier: tiers[i % 4], stream: i % 3 === 0 }, content);
        return post(`${fleet.next().url}${chatPath}`, body);
      }),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 402]));
    const rows = await fleet.settledRows('default/client');
    const dearer = fleet.simulator.bill()['gpt-4o']?.levels?.priority;
    assert.ok(dearer);
    const surcharge = dearer.prompt_tokens * unit.input + dearer.completion_tokens * unit.output;
    const cost = billed(fleet.simulator, { 'gpt-4o': unit }) + surcharge;
    assert.ok(cost <= LIMIT, `the provider billed ${cost}`);
    assert.equal(costOfRows(rows), cost);
    assert.ok(rows.every(row => row.cost <= row.reserved));
  });
});
