// What the ledger says of each attempt: one row, whatever became of it, with what it cost and how that is known.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { paths } from '#dataplane/frontends/index.ts';
import { estimateTokens } from '#platform/token-estimate.ts';
import { type Answered, chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { billed, costOfRows, type Fleet, type LedgerRow, metricsOf, startFleet, withoutStores } from '#test/support/fleet.ts';
import {
  clientKey,
  patient,
  provider,
  providerSecret,
  type Resource,
  route,
  tenantKey,
  yamlOf,
} from '#test/support/resources.ts';

const unit = { input: 1_000, output: 2_000 };
const STINGY = 'sk-test-stingy-2f1d9c4be87a4f0fa6de9b1c5d3e7f80';
const retries = [0, 1, 2] as const;
/** What a first provider does, whether that is tried again there, and whether nobody knows if it was billed. */
const faults = [
  { fault: '500', isTriedAgain: true, isUnsure: false },
  { fault: '429-ms;after=1', isTriedAgain: true, isUnsure: false },
  { fault: '401', isTriedAgain: false, isUnsure: false },
  { fault: 'context-length', isTriedAgain: false, isUnsure: false },
  { fault: 'reset', isTriedAgain: true, isUnsure: true },
  { fault: 'error-first', isTriedAgain: true, isUnsure: false },
] as const;

const matrixModel = (fault: number, attempts: number, stream: boolean): string =>
  `matrix-${fault}-${attempts}-${stream ? 'streamed' : 'whole'}`;

function yaml(origin: string): string {
  const models: object[] = [];
  const providers: Resource[] = [];
  const routes: Resource[] = [];
  const add = (name: string, upstreamName: string, rest: object = {}) =>
    models.push({ name, upstreamName, maxOutputTokens: 1000, ...rest });
  add('spare', 'gpt-4o');
  faults.forEach(({ fault }, i) => {
    // Each has a provider of its own: one that refuses its key is asked nothing more for a while.
    for (const attempts of retries)
      for (const stream of [false, true]) {
        const name = matrixModel(i, attempts, stream);
        providers.push(
          provider(name, 'OpenAI', origin, [{ name, upstreamName: `gpt-4o-mini!${fault}`, maxOutputTokens: 1000 }], patient),
        );
        routes.push(
          route(name, name, [name, { name: 'spare', providerRef: { name: 'oa' }, model: 'spare' }], {
            retries: { attempts, backoff: { base: '1ms', max: '5ms' } },
          }),
        );
      }
  });
  add('plain', 'gpt-4.1');
  add('vectors', 'text-embedding-3-small', { capabilities: ['Embeddings'] });
  add('judges', 'omni-moderation-latest', { capabilities: ['Moderation'] });
  add('untold', 'gpt-4.1!usage-missing');
  add('cut', 'gpt-4.1!cut;chunks=20');
  add('unpriced', 'some-model-nobody-has-a-price-for', { price: undefined });
  routes.push(
    ...['plain', 'untold', 'cut', 'unpriced'].map(name => route(name, name, ['oa'], { retries: { attempts: 0 } })),
    route('denied', 'denied', [{ name: 'oa', providerRef: { name: 'oa' }, model: 'unpriced' }], { onUnknownPrice: 'Deny' }),
    ...['vectors', 'judges'].map(name => route(name, name, ['oa'])),
    route('ranks', 'ranks', ['ranks']),
    route('untold-claude', 'untold-claude', ['an']),
    route('claude', 'claude', ['an']),
  );
  return yamlOf(
    providerSecret,
    provider('oa', 'OpenAI', origin, models as Record<string, unknown>[]),
    providers,
    provider('ranks', 'OpenAICompatible', origin, [{ name: 'ranks', capabilities: ['Rerank'] }]),
    provider('an', 'Anthropic', origin, [
      { name: 'claude', upstreamName: 'claude-sonnet-4-5' },
      { name: 'untold-claude', upstreamName: 'claude-sonnet-4-5!usage-missing' },
    ]),
    routes,
    tenantKey('client', clientKey, { budgets: [{ name: 'all', amount: '1000.00', period: 'Total' }] }),
    tenantKey('stingy', STINGY, { tenant: 'stingy', limits: { rpm: 1 } }),
  );
}

describe('the rows of the ledger', { skip: withoutStores }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await startFleet({ size: 1, yaml });
  });
  after(() => fleet?.close());

  const send = (model: string, rest: Record<string, unknown> = {}, key = clientKey): Promise<Answered> =>
    post(fleet.next().url + chatPath, chat(model, rest), { key });
  const rowsOf = async ({ headers }: Pick<Answered, 'headers'>): Promise<readonly LedgerRow[]> =>
    (await fleet.settledRows()).filter(({ request_id }) => request_id === headers.get('x-request-id'));

  test('are one for each attempt at an upstream, whatever was retried and whereto it fell back, and what failed costs nothing', async () => {
    const cases = [false, true].flatMap(stream =>
      faults.flatMap((fault, i) =>
        retries.map(attempts => ({ ...fault, stream, attempts, model: matrixModel(i, attempts, stream) })),
      ),
    );
    const answers: Answered[] = [];
    for (const { model, stream } of cases) answers.push(await send(model, { stream }));
    const all = await fleet.settledRows();
    for (const [i, { model, stream, fault, attempts, isTriedAgain, isUnsure }] of cases.entries()) {
      const what = `${fault}, ${attempts} retries, ${stream ? 'streamed' : 'whole'}`;
      const { status, headers } = answers[i]!;
      assert.equal(status, 200, what);
      const rows = all.filter(({ request_id }) => request_id === headers.get('x-request-id'));
      // What may have been billed already is repeated once at most.
      const failed = 1 + (isTriedAgain ? Math.min(attempts, isUnsure ? 1 : attempts) : 0);
      assert.deepEqual(
        rows.map(row => [row.attempt, row.model, row.failure === null, row.cost > 0, row.possibly_billed, row.fallback_position]),
        Array.from({ length: failed + 1 }, (_, attempt) =>
          attempt < failed ? [attempt, model, false, false, isUnsure, 0] : [attempt, 'spare', true, true, false, 1],
        ),
        what,
      );
    }
    assert.equal(all.length, fleet.simulator.requests().length);
    assert.equal(costOfRows(all), billed(fleet.simulator, { 'gpt-4o': unit }));
  });

  const textOf = (stream: string): string =>
    stream
      .split('\n')
      .filter(line => line.startsWith('data: {'))
      .map(line => JSON.parse(line.slice(6)))
      .map(({ choices, delta }) => choices?.[0]?.delta?.content ?? delta?.text ?? '')
      .join('');
  const isClose = (count: number, exact: number) => Math.abs(count - exact) <= Math.max(2, exact * 0.05);

  test('count a stream without usage with our own tokenizer, five percent off at most, and say so', async () => {
    const says = { stream: true, max_tokens: 900, messages: [{ role: 'user', content: 'Tell me of tolls. [[tokens=700]]' }] };
    const streams = [await send('untold', says), await post(fleet.next().url + messagesPath, message('untold-claude', says))];
    for (const answered of streams) {
      assert.equal(answered.status, 200);
      const [row] = await rowsOf(answered);
      const exact = await estimateTokens(textOf(answered.text));
      assert.equal(row!.estimated, true);
      assert.ok(exact > 100 && isClose(row!.completion_tokens, exact), `${row!.completion_tokens} for ${exact}`);
      assert.ok(row!.prompt_tokens > 0);
      assert.equal(row!.cost, row!.prompt_tokens * unit.input + row!.completion_tokens * unit.output);
    }
  });

  test('have the part of a stream that was cut, counted and flagged', async () => {
    const response = await fetch(fleet.next().url + chatPath, {
      method: 'POST',
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(
        chat('cut', { stream: true, messages: [{ role: 'user', content: 'Tell me of tolls. [[tokens=700]]' }] }),
      ),
    });
    let text = '';
    // The connection ends as badly as the provider's did.
    await assert.rejects(async () => {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
    });
    const [row] = await rowsOf(response);
    const exact = await estimateTokens(textOf(text));
    assert.deepEqual([row!.failure, row!.estimated], ['upstream_reset', true]);
    assert.ok(exact > 10 && isClose(row!.completion_tokens, exact), `${row!.completion_tokens} for ${exact}`);
    assert.equal(row!.cost, row!.prompt_tokens * unit.input + row!.completion_tokens * unit.output);
  });

  test('have no cost where the price is not known, which the report and a metric tell; with onUnknownPrice: Deny there is no request', async () => {
    const denied = await send('denied');
    assert.deepEqual([denied.status, denied.json().error.code], [403, 'unknown_price']);
    const answered = await send('unpriced');
    assert.equal(answered.status, 200);
    const { url, masterKey } = fleet.gateways[0]!;
    assert.equal(answered.headers.get('x-tollgate-cost-usd'), null);
    const [row] = await rowsOf(answered);
    assert.deepEqual([row!.unit_prices, row!.price_version], [null, null]);
    assert.equal(
      (await metricsOf(fleet.gateways[0]!))('tollgate_unpriced_attempts_total', 'provider="default/oa",model="unpriced"'),
      1,
    );
    const { groups } = (await get(`${url}/cost/report?group_by=model`, { key: masterKey })).json();
    const of = groups.find((group: Record<string, unknown>) => group.model === 'unpriced');
    assert.deepEqual([of.unpriced_rows, of.cost_usd], [1, 0]);
  });

  test('leave no way around them: every path that reaches a provider takes limits and writes a row', async () => {
    const { url } = fleet.gateways[0]!;
    const { max_tokens: _limit, ...counted } = message('claude');
    const bodies: readonly (readonly [path: RegExp, body: object])[] = [
      [/count_tokens$/, counted],
      [/messages$/, message('claude')],
      [/responses$/, { model: 'plain', input: 'Say hello.', max_output_tokens: 16 }],
      [/v1\/completions$/, { model: 'plain', prompt: 'Say hello.', max_tokens: 10 }],
      [/embeddings$/, { model: 'vectors', input: 'hello' }],
      [/rerank$/, { model: 'ranks', query: 'why', documents: ['because'] }],
      [/moderations$/, { model: 'judges', input: 'hello' }],
      [/completions$/, chat('plain', { max_tokens: 10 })],
    ];
    const ask = (path: string, key: string) => post(url + path, bodies.find(([known]) => known.test(path))![1], { key });
    assert.equal((await ask(chatPath, STINGY)).status, 200);
    for (const path of paths) {
      const answered = await ask(path, clientKey);
      assert.equal(answered.status, 200, path);
      assert.equal((await rowsOf(answered)).length, 1, path);
      assert.equal((await ask(path, STINGY)).status, 429, path);
    }
    for (const path of ['/v1/batches', '/v1/images/generations', '/v1/files'])
      assert.ok((await post(url + path, chat('plain'))).status >= 400, path);
    assert.equal((await fleet.settledRows('default/stingy')).length, 1);
  });
});
