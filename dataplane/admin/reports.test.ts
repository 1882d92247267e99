// Reports: the shapes that LiteLLM's callers and finance read, to the nano-dollar.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { epochMillis, nanoUsd } from '#core/units.ts';
import { sha256 } from '#platform/digest.ts';
import { NOW, row, type Stage, stage } from './testing.ts';

let open: Stage | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const id = (n: number) => `019aa5d1-0000-7000-8000-00000000000${n}`;

/** Two keys; three requests, one of them with a fallback that costs more. */
async function withRows() {
  open = await stage();
  const a = (await open.post('/key/generate', { key_alias: 'a', team_id: 'red', tenant: 'acme' })).body;
  const b = (await open.post('/key/generate', { key_alias: 'b', team_id: 'blue', tenant: 'acme' })).body;
  const [red, blue] = [{ team: 'red', feature: 'chat' }, { team: 'blue' }];
  await open.ledger.write([
    row({
      tenant: 'acme',
      keyName: a.tollgate_id,
      tags: red,
      requestId: id(1),
      cost: nanoUsd(100_000_001),
      upstreamId: 'chatcmpl-a',
    }),
    row({
      tenant: 'acme',
      keyName: a.tollgate_id,
      tags: red,
      requestId: id(2),
      cost: nanoUsd(0),
      failure: 'upstream_error',
      upstreamStatus: 500,
    }),
    row({
      tenant: 'acme',
      keyName: a.tollgate_id,
      tags: red,
      requestId: id(2),
      attempt: 1,
      fallbackPosition: 1,
      model: 'big',
      provider: 'default/dear',
      cost: nanoUsd(300_000_000),
    }),
    row({
      tenant: 'acme',
      keyName: b.tollgate_id,
      tags: blue,
      requestId: id(3),
      userId: '=cmd()',
      cost: nanoUsd(9_000_000_000_000_000),
      at: epochMillis(NOW - 26 * 3_600_000),
    }),
  ]);
  return { api: open, a, b };
}

test('the cost report adds up exactly, also above 2^53, in every window', async () => {
  const { api } = await withRows();
  const day = await api.get('/cost/report?window=24h&group_by=team,model');
  assert.equal(day.status, 200, day.text);
  assert.deepEqual(day.body.group_by, ['team', 'model']);
  assert.deepEqual(day.body.totals, {
    requests: 2,
    attempts: 3,
    failures: 1,
    prompt_tokens: 30,
    completion_tokens: 15,
    cost_usd: 0.400000001,
    cost_nano_usd: 400_000_001,
    cache_hits: 0,
    cache_hit_rate: 0,
    cost_saved_by_cache_usd: 0,
    fallback_cost_usd: 0.3,
    estimated_rows: 0,
    unpriced_rows: 0,
  });
  assert.deepEqual(
    day.body.groups.map((g: Record<string, unknown>) => [g.team, g.model, g.cost_nano_usd]),
    [
      ['red', 'big', 300_000_000],
      ['red', 'gpt-4o', 100_000_001],
    ],
  );
  await api.ledger.write([
    row({
      keyName: 'default/gone',
      requestId: id(4),
      cost: nanoUsd(9_000_000_000_000_001),
      at: epochMillis(NOW - 26 * 3_600_000),
    }),
  ]);
  for (const window of ['7d', 'month', '2026-11-20..2026-11-21', '2026-11-20T00:00:00Z..2026-11-22T00:00:00Z']) {
    const { text } = await api.get(`/cost/report?window=${window}&tz=Europe/Berlin`);
    assert.match(text, /"cost_usd":18000000\.400000002,"cost_nano_usd":18000000400000002,/);
  }
  for (const bad of [
    'window=9d',
    'window=2026-02-30..2026-03-01',
    'window=2026-11-21..2026-11-20',
    'tz=Mars',
    'group_by=colour',
    'format=xml',
    'widnow=7d',
    'window=7d&window=24h',
  ])
    assert.equal((await api.get(`/cost/report?${bad}`)).status, 400, bad);
});

test('CSV has the same columns, and nothing that a spreadsheet would run', async () => {
  const { api } = await withRows();
  const { text, headers } = await api.get('/cost/report?window=7d&group_by=user&format=csv');
  assert.match(headers.get('content-type')!, /^text\/csv/);
  const [header, dearest] = text.split('\r\n');
  assert.equal(
    header,
    'user,requests,attempts,failures,prompt_tokens,completion_tokens,cost_usd,cost_nano_usd,cache_hits,cache_hit_rate,cost_saved_by_cache_usd,fallback_cost_usd,estimated_rows,unpriced_rows',
  );
  assert.match(dearest!, /^"'=cmd\(\)",1,1,0,10,5,9000000,9000000000000000,/);
});

test('a tenant key sees its own costs, whatever it asks for', async () => {
  const { api, a, b } = await withRows();
  for (const path of [
    '/cost/report?window=7d',
    '/cost/report?window=7d&tenant=acme&team=blue',
    `/cost/report?window=7d&key=${a.tollgate_id}`,
  ]) {
    const { totals } = (await api.get(path, b.key)).body;
    assert.ok(totals.cost_nano_usd === 9_000_000_000_000_000, path);
  }
  assert.deepEqual(
    (await api.get('/spend/keys', a.key)).body.map((k: { token: string }) => k.token),
    [a.token],
  );
  assert.equal((await api.get('/spend/logs?request_id=chatcmpl-a', b.key)).body.length, 0);
  assert.equal((await api.get('/cost/report', 'sk-nobody')).status, 401);
});

test('spend of all time, or between two dates', async () => {
  const { api } = await withRows();
  for (const what of ['keys', 'users', 'models', 'tags']) {
    assert.equal((await api.get(`/spend/${what}?start_date=1999-01-01&end_date=1999-01-02`)).text, '[]', what);
    assert.notEqual((await api.get(`/spend/${what}`)).body.length, 0, what);
  }
});

test('what a key spent is found when it is gone: by its name, and by its secret or the hash of that', async () => {
  const { api, a, b } = await withRows();
  const keyId = sha256(a.key).slice(0, 12);
  await api.ledger.write([row({ keyName: a.tollgate_id, keyId, requestId: '019a0000-0000-7000-8000-00000000000f' })]);
  assert.equal((await api.post('/key/delete', { keys: [a.key] })).status, 200);
  assert.equal((await api.get(`/spend/logs?api_key=${a.tollgate_id}`)).body.length, 4);
  for (const reference of [a.key, a.token]) assert.equal((await api.get(`/spend/logs?api_key=${reference}`)).body.length, 1);
  assert.deepEqual((await api.get(`/spend/logs?api_key=${a.key}`, b.key)).body, []);
  assert.deepEqual((await api.get('/spend/logs?api_key=sk-nobody')).body, []);
});

test('spend by key, model, provider, user and tag', async () => {
  const { api, a, b } = await withRows();
  const spent = (await api.get('/global/spend/keys?limit=10')).body;
  assert.deepEqual(
    spent.map((k: Record<string, unknown>) => [k.api_key, k.key_alias, k.total_spend]),
    [
      [b.token, 'b', 9_000_000],
      [a.token, 'a', 0.400000001],
    ],
  );
  for (const path of ['/spend/models', '/global/spend/models?limit=10'])
    assert.deepEqual(
      (await api.get(path)).body.map((m: Record<string, unknown>) => [m.model, m.total_tokens]),
      [
        ['gpt-4o', 45],
        ['big', 15],
      ],
    );
  assert.deepEqual((await api.get('/global/spend/provider')).body.at(-1), { provider: 'default/dear', spend: 0.3 });
  assert.deepEqual((await api.get('/spend/users')).body[0], { user_id: '=cmd()', spend: 9_000_000 });
  const tags = (await api.get('/spend/tags')).body;
  assert.deepEqual(
    tags.find((t: Record<string, unknown>) => t.individual_request_tag === 'feature:chat'),
    { individual_request_tag: 'feature:chat', log_count: 3, total_spend: 0.400000001 },
  );
});

test('rows of the log by id, by key and by page; sums by day', async () => {
  const { api, a } = await withRows();
  const [log] = (await api.get('/spend/logs?request_id=chatcmpl-a')).body;
  assert.deepEqual(
    [log.request_id, log.api_key, log.spend, log.total_tokens, log.cache_hit, log.call_type, log.status],
    ['chatcmpl-a', a.token, 0.100000001, 15, 'False', 'acompletion', 'success'],
  );
  assert.equal((await api.get(`/spend/logs?request_id=${id(2)}`)).body.length, 2);
  assert.deepEqual((await api.get('/spend/logs?request_id=nothing')).body, []);
  const page = (await api.get('/spend/logs/v2?start_date=2026-11-20 00:00:00&end_date=2026-11-22 00:00:00&page=2&page_size=3'))
    .body;
  assert.deepEqual([page.data.length, page.total, page.page, page.page_size, page.total_pages], [1, 4, 2, 3, 2]);
  const days = (await api.get(`/spend/logs?start_date=2026-11-20&end_date=2026-11-21&api_key=${a.key}`)).body;
  assert.deepEqual(days, [
    {
      startTime: '2026-11-21',
      spend: 0.400000001,
      users: { '': 0.400000001 },
      models: { 'gpt-4o': 0.100000001, big: 0.3 },
      [a.token]: 0.400000001,
    },
  ]);
});

test('the global report by team, customer and key; daily activity', async () => {
  const { api, a } = await withRows();
  const dates = 'start_date=2026-11-21&end_date=2026-11-21';
  const [day] = (await api.get(`/global/spend/report?${dates}&group_by=team`)).body;
  assert.equal(day.group_by_day, '2026-11-21T00:00:00+00:00');
  assert.deepEqual(day.teams[0].metadata[0], { model: 'big', spend: 0.3, total_tokens: 15, api_key: a.token });
  const [byKey] = (await api.get(`/global/spend/report?${dates}&group_by=api_key`)).body;
  assert.deepEqual([byKey.api_key, byKey.total_cost, byKey.model_details.length], [a.token, 0.400000001, 2]);
  const activity = (await api.get(`/user/daily/activity?${dates}`)).body;
  assert.deepEqual(
    [activity.results[0].date, activity.results[0].metrics.api_requests, activity.results[0].breakdown.models.big.spend],
    ['2026-11-21', 2, 0.3],
  );
  assert.equal(activity.results[0].breakdown.api_keys[a.token].metadata.key_alias, 'a');
  assert.equal(activity.metadata.total_spend, 0.400000001);
  assert.equal(activity.metadata.total_api_requests, 2);
});

test('errors are in the envelope with the id of the request; methods, bodies and a ledger that is away', async () => {
  const { api } = await withRows();
  const authorization = { authorization: 'Bearer sk-master-for-the-tests-of-the-admin-api' };
  const broken = await api.send('/key/generate', { method: 'POST', headers: authorization, body: '{"a":1,' });
  assert.deepEqual(
    [broken.status, broken.body.error.type, broken.body.request_id],
    [400, 'invalid_request_error', broken.headers.get('x-request-id')],
  );
  for (const body of ['[]', '{"max_budget":1,"max_budget":2}', `{"metadata":${'{"a":'.repeat(20)}1${'}'.repeat(20)}}`])
    assert.equal((await api.send('/key/generate', { method: 'POST', headers: authorization, body })).status, 400, body);
  assert.equal(
    (await api.send('/key/generate', { method: 'POST', headers: authorization, body: 'x'.repeat(1_100_000) })).status,
    413,
  );
  const wrongMethod = await api.get('/key/generate');
  assert.deepEqual([wrongMethod.status, wrongMethod.headers.get('allow')], [405, 'POST']);
  assert.equal((await api.send('/key/list', { method: 'OPTIONS' })).status, 204);
  const head = await api.send('/key/list', { method: 'HEAD', headers: authorization });
  assert.deepEqual([head.status, head.text], [200, '']);
  assert.equal((await api.get('/key/nothing')).status, 404);
  assert.equal((await api.get('/key/%ZZ/regenerate')).status, 400);
  assert.equal((await api.post('/global/spend/reset', {})).status, 501);
  api.ledger.isAway = true;
  const away = await api.get('/cost/report');
  assert.deepEqual([away.status, away.body.error.code], [503, 'store_unavailable']);
});
