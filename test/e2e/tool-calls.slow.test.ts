// Tools that providers run themselves and bill by the call: counted and paid for in every dialect, held for before they are called, and
// refused where nobody knows what they could cost.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Answered, chatPath, messagesPath, post } from '#test/support/client.ts';
import { billed, costOfRows, type Fleet, nano, startFleet, withoutStores } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type LedgerRow, readLedger } from '#test/support/ledger-rows.ts';
import {
  clientKey,
  directRoute,
  price,
  provider,
  providerSecret,
  type Resource,
  tenantKey,
  yamlOf,
} from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

/** A cent for a search; 1 microdollar a token in, 2 out. */
const SEARCH = 10_000_000;
const perToolCall = { webSearch: '0.01' };
const unit = { input: 1000, output: 2000 };
const contextWindow = 4000;

const responsesPath = '/v1/responses';
const geminiPath = (model: string, stream: boolean) =>
  `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`;

const prompt = (searches: number): string => `Of tolls. [[searches=${searches}]]`;

const responses = (model: string, searches: number, rest: Record<string, unknown> = {}) => ({
  model,
  input: prompt(searches),
  max_output_tokens: 100,
  tools: [{ type: 'web_search' }],
  ...rest,
});
const messages = (model: string, searches: number, rest: Record<string, unknown> = {}) => ({
  model,
  max_tokens: 100,
  messages: [{ role: 'user', content: prompt(searches) }],
  tools: [{ type: 'web_search_20250305', name: 'web_search', ...(rest.tool as object) }],
  ...(rest.stream !== undefined && { stream: rest.stream }),
});
const generated = (searches: number) => ({
  contents: [{ role: 'user', parts: [{ text: prompt(searches) }] }],
  generationConfig: { maxOutputTokens: 100 },
  tools: [{ googleSearch: {} }],
});

describe('calls of tools that providers run', () => {
  let simulator: Simulator;
  let gateway: Gateway;
  before(async () => {
    simulator = await startSimulator();
    const priced = { price: { ...price, perToolCall }, contextWindow };
    const bounded = { price: { ...price, perToolCall, maxToolCalls: 2 }, contextWindow };
    const deny = { onUnknownPrice: 'Deny' };
    const models = (upstreamName: string, prefix: string) => [
      { name: `${prefix}-priced`, upstreamName, ...priced },
      { name: `${prefix}-bounded`, upstreamName, ...bounded },
      { name: `${prefix}-unpriced`, upstreamName, price, contextWindow },
    ];
    const routes = (backend: string, prefix: string): Resource[] =>
      ['priced', 'bounded', 'unpriced'].flatMap(kind => [directRoute(`${prefix}-${kind}`, [backend], deny)]);
    gateway = await startGateway({
      yaml: yamlOf(
        providerSecret,
        provider('oa', 'OpenAI', simulator.origin, [
          ...models('gpt-5-mini', 'oa'),
          { name: 'oa-let', upstreamName: 'gpt-5-mini', price },
        ]),
        provider('an', 'Anthropic', simulator.origin, models('claude-sonnet-4-5', 'an')),
        provider('go', 'Gemini', simulator.origin, [
          ...models('gemini-3-pro', 'go'),
          { name: 'go-old', upstreamName: 'gemini-2.5-pro', ...priced },
        ]),
        ...routes('oa', 'oa'),
        ...routes('an', 'an'),
        ...routes('go', 'go'),
        directRoute('go-old', ['go'], deny),
        directRoute('oa-let', ['oa']),
        {
          ...directRoute('either', ['oa']),
          spec: {
            match: [{ model: { type: 'Exact', value: 'either' } }],
            backends: ['unpriced', 'bounded'].map((kind, priority) => ({
              name: kind,
              providerRef: { name: 'oa' },
              model: `oa-${kind}`,
              priority,
            })),
            ...deny,
          },
        },
        tenantKey(),
      ),
    });
  });
  after(async () => {
    await gateway.stop();
    await simulator.close();
  });

  const rowOf = (answer: Pick<Answered, 'headers'>) => rowNamed(String(answer.headers.get('x-request-id')));
  const rowNamed = (id: string) =>
    until(`the row of ${id}`, () => {
      const [row] = readLedger(gateway, `select * from attempts where request_id = '${id}' and state = 'settled'`);
      return row;
    });

  const toolsOf = (row: LedgerRow): unknown => JSON.parse(String(row.tool_calls ?? '{}'));

  function assertPaid(row: LedgerRow, searches: number): void {
    const { prompt_tokens: input, completion_tokens: output, cost_nano_usd: cost } = row;
    assert.deepEqual(toolsOf(row), searches > 0 ? { webSearch: searches } : {});
    assert.equal(Number(cost), Number(input) * unit.input + Number(output) * unit.output + searches * SEARCH);
    assert.equal(Number(row.exceeded), 0);
    assert.ok(Number(row.reserved_nano_usd) >= Number(cost));
    assert.ok(!row.partly_priced);
  }

  for (const stream of [false, true]) {
    const how = stream ? 'streamed' : 'whole';
    test(`are paid for each, and no more than the request lets be made (${how})`, async () => {
      const asked = await post(`${gateway.url}${responsesPath}`, responses('oa-priced', 3, { max_tool_calls: 5, stream }));
      assert.equal(asked.status, 200, asked.text);
      assertPaid(await rowOf(asked), 3);
      const cut = await post(`${gateway.url}${responsesPath}`, responses('oa-priced', 9, { max_tool_calls: 4, stream }));
      assertPaid(await rowOf(cut), 4);
      const said = await post(`${gateway.url}${messagesPath}`, messages('an-priced', 9, { stream, tool: { max_uses: 2 } }));
      assert.equal(said.status, 200, said.text);
      assertPaid(await rowOf(said), 2);
    });

    test(`are bounded by the price where the request does not do so, and the provider is told (${how})`, async () => {
      const answer = await post(`${gateway.url}${responsesPath}`, responses('oa-bounded', 9, { stream }));
      assertPaid(await rowOf(answer), 2);
      const said = await post(`${gateway.url}${messagesPath}`, messages('an-bounded', 9, { stream }));
      assertPaid(await rowOf(said), 2);
      const found = await post(`${gateway.url}${geminiPath('go-bounded', stream)}`, generated(2));
      assertPaid(await rowOf(found), 2);
    });

    test(`are one for each prompt at Google before Gemini 3 (${how})`, async () => {
      const found = await post(`${gateway.url}${geminiPath('go-old', stream)}`, generated(3));
      assert.equal(found.status, 200, found.text);
      assertPaid(await rowOf(found), 1);
    });
  }

  test('that nobody knows the price or the number of are refused, with the field and the tool', async () => {
    const unpriced = await post(`${gateway.url}${responsesPath}`, responses('oa-unpriced', 1, { max_tool_calls: 1 }));
    assert.equal(unpriced.status, 403);
    assert.match(
      unpriced.text,
      /tools\[0\] is a tool that the provider of 'oa-unpriced' runs and bills \(webSearch\): what a call/,
    );
    const unbounded = await post(`${gateway.url}${responsesPath}`, responses('oa-priced', 1));
    assert.equal(unbounded.status, 403);
    assert.match(unbounded.text, /webSearch\): how often it may be called is bounded neither .* \(maxToolCalls\)/);
    for (const [path, body] of [
      [messagesPath, messages('an-priced', 1)],
      [geminiPath('go-priced', false), generated(1)],
      [geminiPath('go-unpriced', true), generated(1)],
      [chatPath, { model: 'oa-unpriced', messages: [{ role: 'user', content: 'x' }], web_search_options: {} }],
    ] as const) {
      const answer = await post(`${gateway.url}${path}`, body);
      assert.equal(answer.status, 403, path);
      assert.match(answer.text, /webSearch/);
    }
  });

  test('go to the backend that has a price for them', async () => {
    const answer = await post(`${gateway.url}${responsesPath}`, responses('either', 2));
    assert.equal(answer.status, 200, answer.text);
    const row = await rowOf(answer);
    assert.equal(String(row.model), 'oa-bounded');
    assertPaid(row, 2);
  });

  test('without a price are flagged where the route lets them pass', async () => {
    const answer = await post(`${gateway.url}${responsesPath}`, responses('oa-let', 2));
    assert.equal(answer.status, 200, answer.text);
    const row = await rowOf(answer);
    assert.deepEqual(toolsOf(row), { webSearch: 2 });
    assert.ok(row.partly_priced);
    assert.equal(Number(row.cost_nano_usd), Number(row.prompt_tokens) * unit.input + Number(row.completion_tokens) * unit.output);
    assert.equal(answer.headers.get('x-tollgate-cost-usd') ?? answer.headers.get('x-litellm-response-cost'), null);
  });

  test('that cost nothing by themselves change nothing', async () => {
    const plain = await post(
      `${gateway.url}${responsesPath}`,
      responses('oa-unpriced', 3, { tools: [{ type: 'function', name: 'f', parameters: {} }] }),
    );
    assert.equal(plain.status, 200, plain.text);
    assertPaid(await rowOf(plain), 0);
  });

  test('of a response in the background are in its row when it is over', async () => {
    const answer = await post(
      `${gateway.url}${responsesPath}`,
      responses('oa-priced', 3, { max_tool_calls: 5, background: true }),
    );
    assert.equal(answer.status, 200, answer.text);
    assertPaid(await rowOf(answer), 3);
  });

  test('that a stream showed before it was cut are paid for', async () => {
    for (const [path, body] of [
      [responsesPath, responses('oa-priced', 3, { max_tool_calls: 5, stream: true })],
      [messagesPath, messages('an-priced', 3, { stream: true, tool: { max_uses: 5 } })],
    ] as const) {
      simulator.addFault({ match: { times: 1 }, fault: 'cut;chunks=2' });
      const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' };
      const answer = await fetch(`${gateway.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      await assert.rejects(answer.text());
      const row = await rowOf(answer);
      assert.deepEqual(toolsOf(row), { webSearch: 3 }, path);
      assert.ok(row.estimated);
      assert.ok(Number(row.cost_nano_usd) >= 3 * SEARCH);
    }
  });
});

describe('a budget of $1.00 under 100 requests at once that search', { skip: withoutStores }, () => {
  let fleet: Fleet;
  const LIMIT = nano('1.00');
  before(async () => {
    const model = (name: string, upstreamName: string) => ({
      name,
      upstreamName,
      contextWindow,
      price: { ...price, perToolCall, maxToolCalls: 4 },
    });
    fleet = await startFleet({
      simulator: { settings: { latency: 200 } },
      yaml: origin =>
        yamlOf(
          providerSecret,
          provider('oa', 'OpenAI', origin, [model('gpt', 'gpt-5-mini')]),
          provider('an', 'Anthropic', origin, [model('claude', 'claude-sonnet-4-5')]),
          directRoute('gpt', ['oa'], { onUnknownPrice: 'Deny' }),
          directRoute('claude', ['an'], { onUnknownPrice: 'Deny' }),
          tenantKey('client', clientKey, { budgets: [{ name: 'dollar', amount: '1.00', period: 'Monthly' }] }),
        ),
    });
  });
  after(() => fleet?.close());

  test('is never overspent by them, and each is in the ledger', async () => {
    const askOnce = (i: number) =>
      i % 2 === 0
        ? post(`${fleet.next().url}${responsesPath}`, responses('gpt', 1 + (i % 9), { stream: i % 4 === 0 }))
        : post(`${fleet.next().url}${messagesPath}`, messages('claude', 1 + (i % 9), { stream: i % 4 === 1 }));
    // On a busy machine the stores may take longer than a request waits for them: nothing was sent, and clients ask again.
    const ask = (i: number) => until('the stores answer', () => askOnce(i).then(got => got.status !== 503 && got), 60_000);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(i)));
    const statuses = new Set(answers.map(({ status }) => status));
    assert.deepEqual(statuses, new Set([200, 402]));
    const rows = await fleet.settledRows('default/client');
    const bill = fleet.simulator.bill();
    const searches = Object.values(bill).reduce((sum, { searches: made = 0 }) => sum + made, 0);
    const cost = billed(fleet.simulator, { 'gpt-5-mini': unit, 'claude-sonnet-4-5': unit }) + searches * SEARCH;
    assert.ok(searches > 20, `${searches} searches`);
    assert.ok(cost <= LIMIT, `the provider billed ${cost}`);
    assert.equal(costOfRows(rows), cost);
    assert.ok(rows.every(row => row.cost <= row.reserved));
  });
});
