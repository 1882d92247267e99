// Clients that leave in the middle of a stream: whatever the byte, the row is there, and it costs what was used.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { ask, chat, chatPath, message, messagesPath, post } from '#test/support/client.ts';
import { billed, costOfRows, type Fleet, type LedgerRow, startFleet, withoutStores } from '#test/support/fleet.ts';
import { clientKey, provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

/** Nano-dollars a token, as `price` of the resources has them. */
const unit = { input: 1_000, output: 2_000 };
const TOKENS = 60;
const OFFSETS = 25;
const SETTLED_WITHIN_MS = 5_000;

const dialects = [
  { name: 'OpenAI', provider: 'oa', path: chatPath, body: chat, models: { Drain: 'gpt-4o', Abort: 'gpt-4o-mini' } },
  {
    name: 'Anthropic',
    provider: 'an',
    path: messagesPath,
    body: message,
    models: { Drain: 'claude-sonnet-4-5', Abort: 'claude-opus-4-1' },
  },
] as const;
type Spoken = (typeof dialects)[number];
type Policy = 'Drain' | 'Abort';

const yaml = (origin: string): string =>
  yamlOf(
    providerSecret,
    provider('oa', 'OpenAI', origin, Object.values(dialects[0].models)),
    provider('an', 'Anthropic', origin, Object.values(dialects[1].models)),
    dialects.flatMap(({ provider: name, models }) =>
      Object.entries(models).map(([onClientDisconnect, model]) => route(model, model, [name], { onClientDisconnect })),
    ),
    tenantKey('client', clientKey, { budgets: [{ name: 'all', amount: '100.00', period: 'Total' }] }),
  );

describe('a client that leaves in the middle of a stream', { skip: withoutStores }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await startFleet({ size: 2, simulator: { settings: { tokensPerSecond: 300 } }, yaml });
  });
  after(() => fleet?.close());

  const bodyOf = ({ body, models }: Spoken, policy: Policy) =>
    JSON.stringify(
      body(models[policy], {
        stream: true,
        max_tokens: 100,
        messages: [{ role: 'user', content: `Tell me of tolls. [[tokens=${TOKENS}]]` }],
      }),
    );

  /** Reads so many bytes of the answer, then closes the connection. @returns the request's id */
  async function leaveAt(offset: number, spoken: Spoken, policy: Policy): Promise<string> {
    const asking = request(fleet.next().url + spoken.path, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
    });
    asking.on('error', () => {});
    asking.end(bodyOf(spoken, policy));
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    response.on('error', () => {});
    let seen = 0;
    if (offset > 0)
      await new Promise<void>(resolve => {
        response.on('data', (chunk: Buffer) => {
          seen += chunk.length;
          if (seen >= offset) resolve();
        });
        response.on('end', resolve);
      });
    asking.destroy();
    return String(response.headers['x-request-id']);
  }

  /** At offsets all over the stream, five at a time; the rows, settled in time. */
  async function leaveEverywhere(spoken: Spoken, policy: Policy): Promise<readonly LedgerRow[]> {
    const whole = await post(fleet.next().url + spoken.path, bodyOf(spoken, policy));
    const length = Buffer.byteLength(whole.text);
    // The last one sees everything but the last byte.
    const offsets = Array.from({ length: OFFSETS }, (_, i) => Math.round((i * (length - 1)) / (OFFSETS - 1)));
    const ids: string[] = [];
    for (let i = 0; i < OFFSETS; i += 5)
      ids.push(...(await Promise.all(offsets.slice(i, i + 5).map(offset => leaveAt(offset, spoken, policy)))));
    const rows = await until(
      'every row is settled',
      async () => {
        const own = (await fleet.rows()).filter(({ request_id }) => ids.includes(request_id));
        return own.length === OFFSETS && own.every(({ state }) => state === 'settled') && own;
      },
      SETTLED_WITHIN_MS,
    );
    const left = rows.filter(({ failure }) => failure === 'client_closed');
    // On a busy machine a short answer is over before its client is seen to be gone.
    assert.ok(left.length > OFFSETS / 2, `${left.length} of ${OFFSETS} were seen to leave`);
    assert.ok(rows.every(row => row.cost > 0 && row.cost <= row.reserved && !row.exceeded));
    return rows;
  }

  for (const spoken of dialects) {
    test(`${spoken.name}, Drain: the answer is read to its end, and the cost is exact at every offset`, async () => {
      for (const { estimated, completion_tokens } of await leaveEverywhere(spoken, 'Drain'))
        assert.deepEqual([estimated, completion_tokens], [false, TOKENS]);
      const rows = (await fleet.settledRows()).filter(({ model }) => model === spoken.models.Drain);
      assert.equal(costOfRows(rows), billed(fleet.simulator, { [spoken.models.Drain]: unit }));
    });

    test(`${spoken.name}, Abort: the provider is stopped, and what was used is counted and flagged`, async () => {
      const rows = await leaveEverywhere(spoken, 'Abort');
      const left = rows.filter(({ failure }) => failure === 'client_closed');
      const exact = left.filter(({ estimated }) => !estimated);
      // Who left after the last usage figure is known to the token.
      for (const { completion_tokens } of exact) assert.equal(completion_tokens, TOKENS);
      const estimated = left.filter(row => row.estimated);
      assert.ok(estimated.length > OFFSETS / 2);
      // Later leavers had more: the counts follow what was streamed.
      const counts = estimated.map(row => row.completion_tokens);
      assert.ok(Math.max(...counts) > Math.max(2 * Math.min(...counts), TOKENS / 3), counts.join(' '));
      assert.ok(Math.max(...counts) <= 2 * TOKENS);
      const { aborted, completion_tokens, requests } = fleet.simulator.bill()[spoken.models.Abort]!;
      assert.ok(aborted >= left.length - 3, `${aborted} of ${left.length} stopped`);
      assert.ok(completion_tokens < requests * TOKENS);
    });
  }

  test('holds nothing of its budget afterwards, and is counted in it', async () => {
    const rows = await fleet.settledRows();
    const sums = Object.entries(await fleet.redis.client.hgetall('tollgate:{acme}:spend'));
    const sum = (kind: string) =>
      sums.filter(([field]) => field.startsWith(kind)).reduce((total, [, value]) => total + Number(value), 0);
    assert.deepEqual([sum('r:'), sum('s:')], [0, costOfRows(rows)]);
    assert.equal((await ask(`${fleet.gateways[0]!.url}/health/readiness`, {})).status, 200);
  });
});
