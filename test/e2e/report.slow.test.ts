// What everyone tries who evaluates a gateway: keys by the API, a hundred requests, a report that adds up, a provider that goes down,
// a budget that is spent. With Redis and Postgres, and with nothing but the process itself.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Answered, chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { billed, nano, withoutStores } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type PostgresServer, startPostgres } from '#test/support/postgres.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { provider, providerSecret, route, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

/** Dollars for a million tokens, and nano-dollars a token. */
const prices = {
  fast: { usd: { inputPerMTok: '0.15', outputPerMTok: '0.60' }, unit: { input: 150, output: 600 } },
  smart: { usd: { inputPerMTok: '3', outputPerMTok: '15' }, unit: { input: 3_000, output: 15_000 } },
  /** The same models elsewhere. */
  dear: { usd: { inputPerMTok: '0.60', outputPerMTok: '2.40' }, unit: { input: 600, output: 2_400 } },
  /** A cent a token, so that ten dollars are soon gone. */
  gold: { usd: { inputPerMTok: '10000', outputPerMTok: '10000' }, unit: { input: 10_000_000, output: 10_000_000 } },
} as const;
const upstream = { fast: 'gpt-4o-mini', smart: 'claude-sonnet-4-5', dear: 'gpt-4.1-mini', gold: 'gpt-4o' } as const;

function yaml(first: string, second: string): string {
  const model = (name: string, kind: keyof typeof prices) => ({
    name,
    upstreamName: upstream[kind],
    price: prices[kind].usd,
    maxOutputTokens: 100,
  });
  return yamlOf(
    providerSecret,
    provider('first', 'OpenAI', first, [model('fast', 'fast'), model('gold', 'gold')]),
    provider('claude', 'Anthropic', second, [model('smart', 'smart')]),
    provider('second', 'OpenAI', second, [model('fast', 'dear')]),
    route('fast', 'fast', ['first', 'second'], { fallback: { costGuard: { maxPriceRatio: '5' } } }),
    route('smart', 'smart', ['claude']),
    route('gold', 'gold', ['first']),
  );
}

const surroundings = [
  { name: 'embedded, with nothing but the process', skip: false, withStores: false },
  { name: 'with Redis and Postgres', skip: withoutStores, withStores: true },
] as const;

for (const { name, skip, withStores } of surroundings)
  describe(`keys, costs and reports, ${name}`, { skip }, () => suite(withStores));

function suite(withStores: boolean): void {
  let [first, second]: Simulator[] = [];
  let gateway: Gateway;
  let redis: TestRedis | undefined;
  let postgres: PostgresServer | undefined;
  before(async () => {
    [first, second] = await Promise.all([startSimulator(), startSimulator()]);
    if (withStores) [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
    gateway = await startGateway({
      yaml: yaml(first!.origin, second!.origin),
      env: withStores ? { REDIS_URL: redis!.url, DATABASE_URL: await postgres!.database() } : {},
    });
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all([first?.close(), second?.close(), redis?.stop(), postgres?.stop()]);
  });

  const secrets = new Map<string, string>();
  /** Nano-dollars, as the answers told. */
  const told = new Map<string, number>();
  const total = () => [...told.values()].reduce((sum, cost) => sum + cost, 0);
  const bill = () => {
    const units = Object.fromEntries(
      Object.entries(prices).map(([kind, { unit }]) => [upstream[kind as keyof typeof prices], unit]),
    );
    return billed(first!, units) + billed(second!, units);
  };

  const master = (path: string) => get(gateway.url + path, { key: gateway.masterKey });
  const report = async (query: string, key = gateway.masterKey) =>
    (await get(`${gateway.url}/cost/report?window=24h&${query}`, { key })).json();
  const info = async (alias: string) => (await get(`${gateway.url}/key/info`, { key: secrets.get(alias)! })).json().info;

  async function ask(alias: string, model: string, tokens: number): Promise<Answered> {
    const rest = { messages: [{ role: 'user', content: `Say hello. [[tokens=${tokens}]]` }], max_tokens: 100 };
    const [path, body] = model === 'smart' ? [messagesPath, message(model, rest)] : [chatPath, chat(model, rest)];
    const answered = await post(gateway.url + path, body, { key: secrets.get(alias)! });
    const cost = nano(answered.headers.get('x-tollgate-cost-usd') ?? '0');
    told.set(alias, (told.get(alias) ?? 0) + cost);
    return answered;
  }

  test('keys are made by the API, with ten dollars each for two of them', async () => {
    for (const [alias, budget] of [
      ['search', 10],
      ['support', 10],
      ['batch', undefined],
    ] as const) {
      const body = { key_alias: alias, team_id: `team-${alias}`, ...(budget && { max_budget: budget, budget_duration: '30d' }) };
      const made = await post(`${gateway.url}/key/generate`, body, { key: gateway.masterKey });
      assert.equal(made.status, 200, made.text);
      secrets.set(alias, made.json().key);
      const { spend, max_budget } = await info(alias);
      assert.deepEqual([spend, max_budget], [0, budget ?? null]);
    }
  });

  test('the report of 100 requests of three keys to two models adds up to the nano-dollar, in JSON and in CSV', async () => {
    const aliases = [...secrets.keys()];
    for (let i = 0; i < 100; i += 10)
      await Promise.all(
        Array.from({ length: 10 }, async (_, j) => {
          const answered = await ask(aliases[(i + j) % 3]!, (i + j) % 2 ? 'fast' : 'smart', 1 + ((i + j) % 40));
          assert.equal(answered.status, 200, answered.text);
        }),
      );
    assert.ok(bill() > 0);
    const { totals, groups } = await until('all are in the report', async () => {
      const found = await report('group_by=key,model');
      return found.totals.requests === 100 && found;
    });
    assert.deepEqual([totals.cost_nano_usd, nano(String(totals.cost_usd))], [bill(), total()]);
    assert.equal(bill(), total());
    const sum = (rows: Record<string, number>[], column: string) => rows.reduce((sum, row) => sum + row[column]!, 0);
    assert.equal(groups.length, 6);
    for (const column of ['requests', 'attempts', 'prompt_tokens', 'completion_tokens', 'cost_nano_usd'])
      assert.equal(sum(groups, column), totals[column], column);
    const [header, ...lines] = (await master('/cost/report?window=24h&group_by=key,model&format=csv')).text.trim().split('\r\n');
    const at = header!.split(',').indexOf('cost_nano_usd');
    assert.equal(
      lines.reduce((sum, line) => sum + Number(line.split(',')[at]), 0),
      bill(),
    );
    assert.equal(totals.fallback_cost_usd, 0);
  });

  test('/key/info shows what a key spent, and a key sees its own costs alone', async () => {
    for (const [alias, cost] of told) {
      assert.equal(nano(String((await info(alias)).spend)), cost, alias);
      const own = await report('group_by=key', secrets.get(alias)!);
      assert.equal(own.totals.cost_nano_usd, cost);
      assert.equal(own.groups.length, 1);
    }
    const before = (await info('search')).spend;
    await ask('search', 'fast', 10);
    await until('spend has grown', async () => nano(String((await info('search')).spend)) === told.get('search'));
    assert.ok((await info('search')).spend > before);
  });

  test('over its limit a key gets 402 with the numbers of /key/info, and the other key goes on', async () => {
    let answered = await ask('search', 'gold', 90);
    for (let i = 0; answered.status === 200 && i < 40; i++) answered = await ask('search', 'gold', 90);
    assert.equal(answered.status, 402, answered.text);
    const { spend, max_budget } = await until('nothing is held', async () => {
      const found = await info('search');
      return found.reserved === 0 && found;
    });
    const refused = await ask('search', 'gold', 90);
    assert.equal(refused.status, 402);
    const { message, type, code } = refused.json().error;
    assert.deepEqual([type, code], ['budget_exceeded', 'budget_exceeded']);
    assert.ok(message.startsWith(`Budget has been exceeded! Current cost: ${spend}, Max budget: ${max_budget} (`), message);
    assert.deepEqual([nano(String(spend)), max_budget], [told.get('search'), 10]);
    assert.ok(spend <= 10);
    assert.equal((await ask('support', 'gold', 90)).status, 200);
  });

  test('when the first provider goes down, the report shows what its dearer fallback costs', async () => {
    const billedBefore = bill();
    await first!.close();
    let cost = 0;
    for (let i = 0; i < 20; i++) {
      const before = total();
      const { status, headers, json } = await ask('batch', 'fast', 20);
      assert.deepEqual(
        [status, headers.get('x-tollgate-fallback'), headers.get('x-tollgate-provider')],
        [200, 'true', 'default/second'],
      );
      const { prompt_tokens, completion_tokens } = json().usage;
      assert.equal(total() - before, prompt_tokens * prices.dear.unit.input + completion_tokens * prices.dear.unit.output);
      cost += total() - before;
    }
    const found = await until('all are in the report', async () => {
      const now = await report('group_by=provider');
      return nano(String(now.totals.cost_usd)) === total() && now;
    });
    assert.equal(nano(String(found.totals.fallback_cost_usd)), cost);
    assert.equal(bill() - billedBefore, cost);
    const of = (name: string) => found.groups.find((group: Record<string, unknown>) => group.provider === `default/${name}`);
    assert.deepEqual([of('second').cost_nano_usd, of('second').requests], [cost, 20]);
    assert.equal(nano(String(of('second').fallback_cost_usd)), cost);
    // Five failures open its breaker, whatever was under way with them; it is not asked again within these few moments.
    assert.ok(of('first').failures >= 5 && of('first').failures <= 7, `${of('first').failures} failures`);
  });
}
