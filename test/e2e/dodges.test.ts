// What a tenant may try so that its requests count for less than they cost, and that an honest one is not refused for it. One gateway as a user starts it: SQLite, no Redis.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startSimulator } from '#simulator/index.ts';
import { chat, chatPath, get, message, messagesPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { provider, providerSecret, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

const secretOf = (name: string): string => `sk-test-${name}-2f1d9c4be87a4f0fa6de9b1c5d3e7f80`;
const key = (name: string, spec: object) => tenantKey(name, secretOf(name), { tenant: name, ...spec });
const once = (amount: string, more: object = {}) => ({ name: 'once', amount, period: 'Total', ...more });

let simulator: Awaited<ReturnType<typeof startSimulator>>;
let gateway: Gateway;
before(async () => {
  simulator = await startSimulator({ port: 0 });
  const served = (name: string, upstreamName = 'gpt-4o', price = { inputPerMTok: '1', outputPerMTok: '2' }) => ({
    name,
    upstreamName,
    price,
  });
  gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      provider('oa', 'OpenAI', simulator.origin, [served('small'), served('big'), served('silent', 'gpt-4o!usage-missing')]),
      provider('an', 'Anthropic', simulator.origin, [served('claude', 'claude-haiku-4-5')]),
      ['small', 'big', 'silent'].map(model => route(model, model, ['oa'])),
      route('claude', 'claude', ['an']),
      key('apart', { budgets: [once('0.000001', { models: ['big'] })], limits: { perModel: [{ model: 'big', rpm: 1 }] } }),
      key('poor', { budgets: [once('0.001')] }),
      key('spent', { budgets: [once('0')] }),
      key('serial', { limits: { maxConcurrency: 1 }, budgets: [once('0.0006')] }),
      key('exact', { budgets: [once('1')] }),
      key('rich', { budgets: [once('10')] }),
    ),
  });
});
after(async () => {
  await gateway?.stop();
  await simulator?.close();
});

const asks = (name: string, body: unknown, path = chatPath) => post(gateway.url + path, body, { key: secretOf(name) });
const reported = async (name: string) => {
  const rows = await get(`${gateway.url}/spend/logs`, { key: secretOf(name) });
  return rows.json() as unknown as { completion_tokens: number; end_user: string; metadata: { estimated: boolean } }[];
};

test('a budget of one model cannot be left out by asking for another that falls back to it', async () => {
  assert.equal((await asks('apart', chat('big'))).status, 402);
  const dodge = await asks('apart', chat('small', { fallbacks: ['big'], mock_testing_fallbacks: true }));
  assert.deepEqual([dodge.status, dodge.json().error.code, dodge.json().error.param], [403, 'model_not_allowed', 'fallbacks']);
  const direct = await asks('apart', chat('small', { fallbacks: ['oa/big'], mock_testing_fallbacks: true }));
  assert.equal(direct.status, 403);
  const fair = await asks('apart', chat('small', { fallbacks: ['claude'], mock_testing_fallbacks: true }));
  assert.deepEqual([fair.status, fair.headers.get('x-tollgate-fallback')], [200, 'true']);
});

test('a picture by address is reserved for, however its words are written', async () => {
  const picture = [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }];
  const plain = JSON.stringify(chat('big', { max_tokens: 5, messages: [{ role: 'user', content: picture }] }));
  for (const body of [plain, plain.replaceAll('image_url', '\\u0069mage_url')])
    assert.equal((await asks('poor', body)).status, 402);
  assert.equal((await asks('poor', chat('big', { max_tokens: 5 }))).status, 200);
});

test('a long name of an end user is no failure of a store', async () => {
  const user = 'u'.repeat(1_000_000);
  assert.equal((await asks('rich', chat('small', { max_tokens: 5, user }))).status, 200);
  const { status, text } = await asks('rich', message('claude', { metadata: { user_id: user } }), messagesPath);
  assert.equal(status, 400);
  assert.match(text, /metadata\.user_id/, 'the provider says so');
  await until('both rows are in the ledger', async () => (await reported('rich')).length === 2);
  for (const { end_user } of await reported('rich')) assert.equal(end_user, 'u'.repeat(512));
});

test('an answer without usage counts as its stream does', async () => {
  const ask = (stream: boolean) => asks('poor', chat('silent', { max_tokens: 40, stream }));
  const before = (await reported('poor')).length;
  for (const stream of [false, true]) assert.equal((await ask(stream)).status, 200);
  await until('both rows are in the ledger', async () => (await reported('poor')).length === before + 2);
  const [streamed, whole] = await reported('poor');
  assert.deepEqual([streamed!.metadata.estimated, whole!.metadata.estimated], [true, true]);
  assert.ok(
    streamed!.completion_tokens > 5 && Math.abs(streamed!.completion_tokens - whole!.completion_tokens) <= 2,
    JSON.stringify([streamed, whole]),
  );
});

test('tokens can be counted without money', async () => {
  const counted = await asks('spent', chat('claude'), `${messagesPath}/count_tokens`);
  assert.equal(counted.status, 200);
  assert.ok(counted.json().input_tokens > 0);
  assert.equal((await asks('spent', message('claude'), messagesPath)).status, 402);
});

test('one request after the other is never refused for what the one before held', async () => {
  const body = chat('small', { max_tokens: 150, messages: [{ role: 'user', content: '[[tokens=1]]' }] });
  for (let i = 0; i < 20; i++) {
    const { status, text } = await asks('serial', { ...body, stream: i % 2 === 0 });
    assert.equal(status, 200, `${i}: ${text}`);
  }
});

test('what an answer cost is in /key/info when the answer is there, and nothing is held for it', async () => {
  const info = async () => (await get(`${gateway.url}/key/info`, { key: secretOf('exact') })).json().info;
  let nano = 0;
  for (let i = 0; i < 10; i++) {
    const { headers } = await asks('exact', chat('small', { max_tokens: 5 }));
    nano += Math.round(Number(headers.get('x-tollgate-cost-usd')) * 1e9);
    const { spend, reserved } = await info();
    assert.deepEqual([Math.round(spend * 1e9), reserved], [nano, 0]);
  }
});
