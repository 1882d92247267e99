// Batches over several processes of one Redis and one Postgres: made at one and settled by another, once, also when the one that made it was
// killed, or Redis has lost all that it knew.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { costOfRows, type Fleet, type LedgerRow, metricsOf, startFleet, withoutStores } from '#test/support/fleet.ts';
import type { Gateway } from '#test/support/gateway.ts';
import { clientKey, patient, price, provider, providerSecret, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

const POOR = 'sk-test-poor-2f1d9c4be87a4f0fa6de9b1c5d3e7f8000';
const MAX_TOKENS = 1000;

const yaml = (origin: string): string =>
  yamlOf(
    providerSecret,
    provider('openai', 'OpenAI', origin, [{ name: 'talks', upstreamName: 'gpt-5-mini', price }], patient),
    tenantKey(),
    // Room for one batch and a half.
    tenantKey('poor', POOR, { tenant: 'poor', budgets: [{ name: 'all', amount: '0.003300', period: 'Total' }] }),
  );

const sdk = ({ url }: Gateway, apiKey = clientKey): OpenAI => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
const status = (call: PromiseLike<unknown>): Promise<number> =>
  Promise.resolve(call).then(
    () => 200,
    error => error.status as number,
  );

async function upload(of: OpenAI): Promise<string> {
  const body = { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'Hello' }], max_tokens: MAX_TOKENS };
  const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body });
  return (await of.files.create({ file: await toFile(Buffer.from(line), 'b.jsonl'), purpose: 'batch' })).id;
}
const batchOf = (of: OpenAI, input_file_id: string) =>
  of.batches.create({ input_file_id, endpoint: '/v1/chat/completions', completion_window: '24h' });

describe('a batch over several processes', { skip: withoutStores }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await startFleet({ yaml });
  });
  after(() => fleet?.close());

  /** Of batches themselves: the requests that make them cost nothing. */
  const batchRows = async (key = 'client'): Promise<readonly LedgerRow[]> =>
    (await fleet.rows()).filter(({ reserved, key_name }) => reserved > 0 && key_name === `default/${key}`);
  /** The one that came last, once it is settled. */
  const settledRow = (before: readonly LedgerRow[], key?: string): Promise<LedgerRow> =>
    until('its row is settled', async () => {
      const rows = (await batchRows(key)).filter(row => before.every(({ request_id }) => request_id !== row.request_id));
      assert.ok(rows.length <= 1, JSON.stringify(rows));
      return rows[0]?.state === 'settled' && rows[0];
    });

  test('is made of a file that another one took, and settled by who sees its end, once', async () => {
    const [one, other, third] = fleet.gateways.map(gateway => sdk(gateway)) as [OpenAI, OpenAI, OpenAI];
    const before = await batchRows();
    const { id } = await batchOf(other, await upload(one));
    await third.batches.retrieve(id);
    const over = await third.batches.retrieve(id);
    assert.equal(over.status, 'completed');
    const row = await settledRow(before);
    const { input_tokens, output_tokens } = over.usage!;
    assert.equal(row.cost, (input_tokens * 1_000 + output_tokens * 2_000) / 2);
    assert.match(await (await one.files.content(over.output_file_id!)).text(), /"custom_id":"a"/);
    for (const client of [one, other, third]) await client.batches.retrieve(id);
    // A later one that nobody asks for: when its maker has seen its end, it has looked for that of the first.
    const between = await batchRows();
    await batchOf(other, await upload(other));
    await settledRow(between);
    const told = await Promise.all(fleet.gateways.map(metricsOf));
    const labels = 'provider="default/openai",model="talks"';
    const counted = told.reduce((sum, metric) => sum + (metric('tollgate_cost_usd_total', labels) ?? 0), 0);
    assert.equal(Math.round(counted * 1e9), costOfRows(await batchRows()));
  });

  test('is held for until it is settled, also when Redis has lost all it knew', async () => {
    const [one, other] = fleet.gateways.map(gateway => sdk(gateway, POOR)) as [OpenAI, OpenAI];
    const before = await batchRows('poor');
    const first = await upload(one);
    // Nobody sees its end for now: what the provider says it does not know is not forgotten.
    fleet.simulator.addFault({ fault: '404', match: { path: '/v1/batches/', times: 3 } });
    const { id } = await batchOf(one, first);
    assert.equal(await status(batchOf(one, first)), 402);
    await fleet.redis.client.flushall();
    const answers: number[] = [];
    await until(
      'the sums are known again',
      async () => answers.push(await status(batchOf(one, first))) && answers.at(-1) === 402,
    );
    assert.ok(!answers.includes(200), answers.join());
    // Who made it tells Redis of it.
    await until('its end', async () => (await status(one.batches.retrieve(id))) === 200);
    const row = await settledRow(before, 'poor');
    assert.ok(row.cost > 0 && row.cost < row.reserved / 2, String(row.cost));
    await until('it is found by another one', async () => (await status(other.batches.retrieve(id))) === 200);
    await until('the budget has room for another one', async () => (await status(batchOf(one, first))) === 200);
  });

  test('that was made by one that is killed is settled by who asks another one for it', async () => {
    const [one, other] = fleet.gateways.map(gateway => sdk(gateway)) as [OpenAI, OpenAI];
    const before = await batchRows();
    const { id } = await batchOf(one, await upload(one));
    await fleet.gateways[0]!.kill();
    await until('its end', async () => (await other.batches.retrieve(id)).status === 'completed');
    const row = await settledRow(before);
    assert.ok(row.cost > 0 && row.cost < row.reserved / 2, String(row.cost));
  });
});
