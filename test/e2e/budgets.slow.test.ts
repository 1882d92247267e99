// What budgets do besides refusing: over three processes, with one Redis and one Postgres, against a provider that keeps its own bill.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answered, chat, chatPath, message, messagesPath, post } from '#test/support/client.ts';
import { costOfRows, type Fleet, metricsOf, startFleet, withoutStores } from '#test/support/fleet.ts';
import { startGateway } from '#test/support/gateway.ts';
import { price, provider, providerSecret, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, startUpstream, type Upstream } from '#test/support/upstream.ts';

const keys = [
  'pair-one',
  'pair-two',
  'warned',
  'smaller',
  'clamped',
  'doubled',
  'lowered',
  'stopped',
  'priced',
  'rotated',
] as const;
type Key = (typeof keys)[number];
const secretOf = (key: Key): string => `sk-test-${key}-2f1d9c4be87a4f0fa6de9b1c5d3e7f80`;

const monthly = (amount: string, rest: object = {}) => [{ name: 'monthly', amount, period: 'Monthly', ...rest }];
const key = (name: Key, budgets: object[], rest: object = {}, secret = secretOf(name)): Resource[] =>
  tenantKey(name, secret, { tenant: name.split('-')[0], budgets, ...rest });

/** What the edit changes. */
type Edited = { readonly amount: string; readonly suspended: boolean; readonly output: string; readonly rotated: string };
const unedited: Edited = { amount: '1.00', suspended: false, output: '2', rotated: secretOf('rotated') };
const NEW_SECRET = 'sk-test-rotated-anew-2f1d9c4be87a4f0fa6de9b1c5d3e7f';

/** 1 microdollar a token in, 2 out. */
function yaml(origin: string, { amount, suspended, output, rotated }: Edited = unedited): string {
  const served = (name: string, upstreamName = 'gpt-4o', rest = {}) => ({ name, upstreamName, maxOutputTokens: 400, ...rest });
  const both = [...monthly('0.01'), { name: 'all', scope: 'Tenant', amount: '0.002', period: 'Monthly' }];
  return yamlOf(
    providerSecret,
    provider('oa', 'OpenAI', origin, [
      served('plain'),
      served('large'),
      served('small', 'gpt-4o-mini'),
      served('twice', 'gpt-4o!usage2x'),
      served('slow', 'gpt-4o!slow;tps=20'),
      served('slow-priced', 'gpt-4o!slow;tps=20', { price: { ...price, outputPerMTok: output } }),
    ]),
    ['plain', 'twice', 'slow', 'slow-priced'].map(model => route(model, model, ['oa'])),
    route('large', 'large', ['oa', { name: 'smaller', providerRef: { name: 'oa' }, model: 'small', downgrade: true }]),
    route('fitted', 'fitted', [{ name: 'oa', providerRef: { name: 'oa' }, model: 'plain' }], { clampMaxTokens: true }),
    key('pair-one', both),
    key('pair-two', both),
    key('warned', monthly('0.001', { onExhausted: 'Warn', warnAtPercent: [50] })),
    key('smaller', monthly('0.0002', { onExhausted: 'Downgrade' })),
    key('clamped', monthly('0.001')),
    key('doubled', monthly('0.00015')),
    key('lowered', monthly(amount)),
    key('stopped', monthly('1.00'), { suspended }),
    key('priced', monthly('1.00')),
    key('rotated', monthly('0.0005'), {}, rotated),
  );
}

const says = (content: string) => ({ messages: [{ role: 'user', content }] });
const tokens = (count: number) => says(`Say hello. [[tokens=${count}]]`);

describe('budgets over three processes', { skip: withoutStores }, () => {
  let fleet: Fleet;
  let hook: Upstream;
  before(async () => {
    hook = await startUpstream(json(200, 'ok'));
    fleet = await startFleet({ yaml, env: { ALERT_WEBHOOK_URL: `${hook.url}/services/T/B/X` } });
  });
  after(async () => {
    await fleet?.close();
    await hook?.close();
  });

  const ask = (of: Key, model: string, rest: Record<string, unknown> = {}, gateway = fleet.next()): Promise<Answered> =>
    post(gateway.url + chatPath, chat(model, rest), { key: secretOf(of) });
  const many = (count: number, one: (i: number) => Promise<Answered>) =>
    Promise.all(Array.from({ length: count }, (_, i) => one(i)));
  const rowsOf = (...of: Key[]) => fleet.settledRows(...of.map(name => `default/${name}`));

  /** Sums of a tenant in Redis, by account: `s` settled, `r` reserved. */
  async function sumsOf(tenant: string, kind: 's' | 'r'): Promise<Map<string, number>> {
    const fields = Object.entries(await fleet.redis.client.hgetall(`tollgate:{${tenant}}:spend`));
    const of = fields.filter(([field]) => field.startsWith(`${kind}:`));
    return new Map(of.map(([field, value]) => [field.split(':').slice(2).join(':'), Number(value)]));
  }

  test('those of a key and of its tenant are taken all or none, and the keys add up to the tenant', async () => {
    const answers = await many(60, i => ask(i % 2 ? 'pair-one' : 'pair-two', 'plain', { ...tokens(40), max_tokens: 60 }));
    const refused = answers.filter(({ status }) => status !== 200);
    assert.ok(refused.length > 0 && refused.length < 60);
    for (const { status, json } of refused) assert.deepEqual([status, json().error.param], [402, 'all']);
    const rows = await rowsOf('pair-one', 'pair-two');
    assert.equal(rows.length, 60 - refused.length);
    const ofKey = (name: Key) => costOfRows(rows.filter(row => row.key_name === `default/${name}`));
    await until('nothing is reserved', async () => [...(await sumsOf('pair', 'r')).values()].every(value => value === 0));
    const settled = await sumsOf('pair', 's');
    const level = (start: string) => [...settled].find(([account]) => account.startsWith(start))?.[1];
    assert.deepEqual(
      [level('key:default/pair-one|'), level('key:default/pair-two|'), level('tenant|')],
      [ofKey('pair-one'), ofKey('pair-two'), costOfRows(rows)],
    );
  });

  test('Warn lets requests go on, and each threshold is told once by all processes together', async () => {
    const answers = await many(30, () => ask('warned', 'plain', tokens(40)));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.ok(costOfRows(await rowsOf('warned')) > 1_000_000);
    const told = () =>
      hook.asked.map(({ body }) => JSON.parse(body.toString())).filter(({ text }) => text.includes('default/warned'));
    await until('both thresholds are told', () => told().length >= 2, 5_000);
    await many(6, () => ask('warned', 'plain', tokens(40)));
    await rowsOf('warned');
    assert.deepEqual(
      told()
        .map(({ metadata }) => metadata.event_type)
        .sort(),
      ['tollgate_budget_exhausted', 'tollgate_budget_threshold'],
    );
    assert.match(told().find(({ metadata }) => metadata.event_type === 'tollgate_budget_threshold').text, /has reached 50%/);
  });

  test('Downgrade leaves only backends marked downgrade, and refuses where there is none', async () => {
    const first = await ask('smaller', 'large', { ...tokens(50), max_tokens: 60 });
    assert.deepEqual([first.status, first.headers.get('x-tollgate-model')], [200, 'large']);
    await rowsOf('smaller');
    for (let i = 0; i < 4; i++) {
      const { status, headers, json } = await ask('smaller', 'large', { ...tokens(50), max_tokens: 60 });
      assert.deepEqual([status, headers.get('x-tollgate-model')], [200, 'small']);
      assert.match(json().choices[0].message.content, /gpt-4o-mini/);
    }
    const refused = await ask('smaller', 'plain', tokens(50));
    assert.deepEqual([refused.status, refused.json().error.code], [402, 'budget_exceeded']);
    const rows = await rowsOf('smaller');
    assert.deepEqual(
      rows.map(({ model, attempt }) => [model, attempt]),
      [['large', 0], ...Array(4).fill(['small', 0])],
    );
  });

  test('clampMaxTokens makes the answer fit what is left', async () => {
    fleet.simulator.reset();
    const { status, json } = await ask('clamped', 'fitted', { ...tokens(3000), max_tokens: 5000 });
    assert.deepEqual([status, json().choices[0].finish_reason], [200, 'length']);
    const [asked] = fleet.simulator.requests();
    const sent =
      (asked!.body as Record<string, number>).max_tokens ?? (asked!.body as Record<string, number>).max_completion_tokens!;
    assert.equal(json().usage.completion_tokens, sent);
    const [row] = await rowsOf('clamped');
    assert.ok(row!.reserved <= 1_000_000 && row!.cost <= row!.reserved, JSON.stringify(row));
    // A token more would not have fitted.
    assert.ok(row!.reserved + 2_000 > 1_000_000);
    const more = await ask('clamped', 'fitted', { ...tokens(3000), max_tokens: 5000 });
    assert.ok(more.status === 402 || more.json().usage.completion_tokens < 40);
  });

  test('what costs more than was reserved is settled in full and flagged, and the next request is refused', async () => {
    const twice = { ...tokens(50), max_tokens: 50 };
    const { status, json } = await ask('doubled', 'twice', twice);
    assert.equal(status, 200);
    const { prompt_tokens, completion_tokens } = json().usage;
    assert.equal(completion_tokens, 100);
    const [row] = await rowsOf('doubled');
    const cost = prompt_tokens * 1000 + 200_000;
    assert.deepEqual([row!.cost, row!.exceeded, row!.reserved < cost], [cost, true, true]);
    for (const gateway of fleet.gateways) {
      const refused = await ask('doubled', 'twice', twice, gateway);
      assert.equal(refused.status, 402);
      assert.match(refused.json().error.message, new RegExp(`Current cost: ${cost / 1e9}, Max budget: 0.00015 `));
    }
    const exceeded = await Promise.all(
      fleet.gateways.map(async g => (await metricsOf(g))('tollgate_reservations_exceeded_total')),
    );
    assert.equal(
      exceeded.reduce((sum: number, count) => sum + (count ?? 0), 0),
      1,
    );
  });

  test('an edit of a budget, a key or a price holds in all processes within two seconds; what is under way ends as it began', async () => {
    const streams = (['lowered', 'stopped', 'priced'] as const).map(name => {
      const model = name === 'priced' ? 'slow-priced' : 'slow';
      return ask(name, model, { ...tokens(60), stream: true, stream_options: { include_usage: true } });
    });
    await until('all three are open', async () => (await fleet.rows()).filter(row => row.state === 'open').length === 3);
    const hundred = { ...tokens(100), max_tokens: 110 };
    assert.equal((await ask('rotated', 'plain', hundred)).status, 200);
    const edited = performance.now();
    const edit = { amount: '0.00001', suspended: true, output: '20', rotated: NEW_SECRET };
    fleet.configure(yaml(fleet.simulator.origin, edit));
    for (const gateway of fleet.gateways) {
      await until('the budget is lower', async () => (await ask('lowered', 'plain', tokens(1), gateway)).status === 402, 2_000);
      await until('the key is suspended', async () => (await ask('stopped', 'plain', tokens(1), gateway)).status === 403, 2_000);
      await until('the secret is no more', async () => (await ask('rotated', 'plain', tokens(1), gateway)).status === 401, 2_000);
    }
    const took = performance.now() - edited;
    assert.ok(took < 2_000, `${took} ms`);
    // What the old secret spent is spent for the new one.
    const withNew = () => post(fleet.next().url + chatPath, chat('plain', hundred), { key: NEW_SECRET });
    assert.equal((await withNew()).status, 200);
    const both = await rowsOf('rotated');
    assert.equal(new Set(both.map(row => row.key_id)).size, 2);
    const refused = await withNew();
    assert.equal(refused.status, 402);
    assert.match(refused.json().error.message, new RegExp(`Current cost: ${costOfRows(both) / 1e9}, `));
    for (const { status, text } of await Promise.all(streams)) {
      assert.equal(status, 200);
      assert.match(text, /\[DONE\]/);
      assert.match(text, /"completion_tokens":60/);
    }
    const after = await ask('priced', 'slow-priced', tokens(10));
    const rows = (await rowsOf('lowered', 'stopped', 'priced')).filter(row => row.completion_tokens === 60);
    assert.equal(rows.length, 3);
    for (const row of rows) {
      assert.equal(row.cost, row.prompt_tokens * 1_000 + 60 * 2_000);
      assert.equal(row.unit_prices!.output, 2_000_000);
    }
    assert.equal(Number(after.headers.get('x-tollgate-cost-usd')) * 1e9, after.json().usage.prompt_tokens * 1_000 + 10 * 20_000);
  });
});

describe('a spent budget', () => {
  for (const status of [400, 429])
    test(`is answered with ${status} where BUDGET_EXCEEDED_STATUS says so`, async () => {
      const nowhere = 'http://127.0.0.1:9';
      const budgets = monthly('0.000001');
      const gateway = await startGateway({
        yaml: yamlOf(
          providerSecret,
          provider('oa', 'OpenAI', nowhere, ['m']),
          route('m', 'm', ['oa']),
          tenantKey('client', undefined, { budgets }),
        ),
        env: { BUDGET_EXCEEDED_STATUS: String(status) },
      });
      try {
        const openai = await post(gateway.url + chatPath, chat('m'));
        const anthropic = await post(gateway.url + messagesPath, message('m'));
        for (const answered of [openai, anthropic]) {
          assert.equal(answered.status, status);
          assert.equal(answered.headers.get('x-should-retry'), 'false');
          assert.match(answered.json().error.message, /^Budget has been exceeded! Current cost: 0, Max budget: 0.000001 /);
        }
        assert.equal(openai.json().error.type, 'budget_exceeded');
        assert.equal(anthropic.json().error.type, 'billing_error');
      } finally {
        await gateway.stop();
      }
    });
});

describe('a fallback', () => {
  test('that the budget does not cover is not sent, and the client has the failure of who was asked', async () => {
    const [away, dear] = await Promise.all([
      startUpstream(json(503, { error: { message: 'away' } })),
      startUpstream(json(500, { error: { message: 'nobody asks it' } })),
    ]);
    const named = (name: string, url: string, outputPerMTok: string): Resource => {
      const resource = provider(name, 'OpenAI', url, ['m']);
      return { ...resource, spec: { ...(resource.spec as object), models: [{ name: 'm', price: { ...price, outputPerMTok } }] } };
    };
    const gateway = await startGateway({
      yaml: yamlOf(
        providerSecret,
        named('away', away.url, '400'),
        named('dear', dear.url, '700'),
        route('m', 'm', ['away', { name: 'dear', providerRef: { name: 'dear' }, model: 'm', priority: 1 }], {
          retries: { attempts: 0 },
        }),
        tenantKey('client', undefined, { budgets: monthly('0.5') }),
      ),
    });
    try {
      const { status, json: read } = await post(gateway.url + chatPath, chat('m', { max_tokens: 1000 }));
      assert.deepEqual([status, read().error.code], [503, 'upstream_overloaded']);
      assert.deepEqual([away.asked.length, dear.asked.length], [1, 0]);
    } finally {
      await gateway.stop();
      await Promise.all([away.close(), dear.close()]);
    }
  });
});
