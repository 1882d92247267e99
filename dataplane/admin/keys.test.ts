// /key/*: what LiteLLM's callers send and read, on a folder of manifests.
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { Calendar } from '#core/accounting/periods.ts';
import { KeyDemands } from '#core/admission/demand-of.ts';
import { refusalOf } from '#core/admission/refusal.ts';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import { uuidV7Source } from '#platform/clock.ts';
import { sha256 } from '#platform/digest.ts';
import { keyFiles } from '../config/key-files.ts';
import { MASTER, NOW, openFolder, row, type Stage, stage } from './testing.ts';

let open: Stage | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});
const started = async (files?: Record<string, string>) => {
  open = await stage(files);
  return open;
};
const filesOf = ({ folder }: Stage) => readdirSync(folder).filter(name => !name.startsWith('.'));

const manifestOf = (name: string) => `# our key; keep this comment
apiVersion: tollgate.dev/v1alpha1
kind: TenantKey
metadata: {name: ${name}} # alone in its file
spec:
  tenant: acme
  alias: ${name}
  digest: sha256:${sha256(`sk-${name}-key-of-a-person-0123456789`)}
  limits: {rpm: 10} # small
  budgets:
  - {name: monthly, amount: "500.00", period: Monthly, timeZone: Europe/Berlin} # the contract
`;

test('names that every object has are no fields, no tags and no metadata', async () => {
  const api = await started();
  const bodies = ['{"__proto__": {"max_budget": 1}}', '{"constructor": 1}', '{"toString": 1}', '{"hasOwnProperty": null}'];
  const named = ['{"metadata": {"__proto__": "x"}}', '{"tags": ["__proto__:x"]}', '{"metadata": {"tags": [" __proto__=x"]}}'];
  for (const path of ['/key/generate', '/key/update', '/key/x/regenerate'])
    for (const body of [...bodies, ...(path === '/key/generate' ? named : [])]) {
      const { status, body: answer } = await api.post(path, JSON.parse(body));
      if (path.endsWith('regenerate')) assert.equal(status, 404);
      else assert.deepEqual([status, answer.error.code], [400, 'invalid_request'], body);
    }
  assert.deepEqual(filesOf(api), []);
});

test('a key that may use no model says so in the words that keep it so', async () => {
  const api = await started();
  const { key, models } = (await api.post('/key/generate', { models: ['no-default-models'] })).body;
  assert.deepEqual(models, ['no-default-models']);
  const { info } = (await api.get('/key/info', key)).body;
  const again = await api.post('/key/update', { key, models: info.models });
  assert.deepEqual([again.status, again.body.models], [200, ['no-default-models']]);
  assert.deepEqual(api.config.current().key(sha256(key))?.entry.models.allow, []);
});

test('a generated key works at once, its secret is shown once and kept nowhere', async () => {
  const api = await started();
  const made = await api.post('/key/generate', {
    key_alias: 'Team A',
    models: ['gpt-*'],
    metadata: { feature: 'chat', nested: { a: 1 } },
  });
  assert.equal(made.status, 200);
  const { key } = made.body;
  assert.match(key, /^sk-[\w-]{43}$/);
  assert.equal(made.body.token, sha256(key));
  assert.equal(made.body.token_id, sha256(key));
  assert.equal(made.body.key_name, `sk-...${key.slice(-4)}`);
  assert.equal(made.body.expires, null);
  assert.deepEqual(made.body.models, ['gpt-*']);
  assert.deepEqual(made.body.metadata, { feature: 'chat', nested: { a: 1 } });
  const [file] = filesOf(api);
  const text = readFileSync(join(api.folder, file!), 'utf8');
  assert.match(file!, /^key-team-a-[0-9a-f]{10}\.yaml$/);
  assert.ok(!text.includes(key) && text.includes(`sha256:${sha256(key)}`));
  assert.deepEqual(api.config.current().key(sha256(key))?.entry.tags, { feature: 'chat' });
  assert.ok(!JSON.stringify(api.ledger.auditEntries).includes(key));
  assert.equal((await api.get('/key/info', key)).status, 200);
});

test('a budget and its duration become a calendar budget, and info tells them as they were sent', async () => {
  const api = await started();
  for (const [duration, period] of [
    ['1h', 'Hourly'],
    ['1d', 'Daily'],
    ['24h', 'Daily'],
    ['7d', 'Weekly'],
    ['30d', 'Monthly'],
    ['1mo', 'Monthly'],
  ] as const) {
    const made = await api.post('/key/generate', { max_budget: 10.1, soft_budget: 8, budget_duration: duration });
    const { info } = (await api.get(`/key/info?key=${made.body.key}`)).body;
    assert.equal(info.max_budget, 10.1);
    assert.equal(info.soft_budget, 8);
    assert.equal(info.budget_duration, duration);
    assert.deepEqual(
      info.budgets.map((b: Record<string, unknown>) => [b.name, b.scope, b.period, b.amount, b.spent, b.reserved, b.remaining]),
      [
        ['max-budget', 'Key', period, 10.1, 0, 0, 10.1],
        ['soft-budget', 'Key', period, 8, 0, 0, 8],
      ],
    );
    assert.equal(info.budget_reset_at, info.budgets[0].reset_at);
  }
  const info = await api.post('/key/generate', { max_budget: 1, budget_duration: '36h' });
  assert.equal(info.status, 400);
  assert.equal(info.body.error.param, 'budget_duration');
});

test('two keys with $10 each: info grows with what is spent, and over the limit its numbers are those of the refusal', async () => {
  const api = await started();
  const newId = uuidV7Source({ now: () => api.time.now, monotonic: () => 0 });
  const [a, b] = [
    (await api.post('/key/generate', { key_alias: 'a', max_budget: 10 })).body.key,
    (await api.post('/key/generate', { key_alias: 'b', max_budget: 10 })).body.key,
  ];
  const entry = api.config.current().key(sha256(a))!.entry;
  const demands = new KeyDemands(entry, [], { calendar: new Calendar(), digest: sha256 });
  const demand = (requestId: string, cost: number) =>
    demands.of({
      modelRequested: 'm',
      requestId,
      bound: { cost: nanoUsd(cost), tokens: tokens(1) },
      leaseUntil: epochMillis(api.time.now + 60_000),
      limitsAlone: false,
    });
  await api.counters.rebuild('default', {
    accounts: demands
      .accounts(epochMillis(api.time.now))
      .map(x => ({ account: x.account, period: x.span.start, settled: nanoUsd(0) })),
    open: [],
    settledLately: [],
  });
  for (const spent of [4.000000001, 8.000000002]) {
    const asked = demand(newId(), 5e9);
    assert.equal((await api.counters.reserve(asked)).kind, 'granted');
    const held = (await api.get('/key/info', a)).body.info;
    assert.equal(held.reserved, 5);
    await api.counters.settle({ ...asked, cost: nanoUsd(4_000_000_001) });
    const { info } = (await api.get('/key/info', a)).body;
    assert.deepEqual([info.spend, info.reserved, info.budgets[0].spent], [spent, 0, spent]);
  }
  const refused = demand(newId(), 5e9);
  const answer = await api.counters.reserve(refused);
  assert.equal(answer.kind, 'exhausted');
  const { message } = refusalOf(answer as never, refused, epochMillis(api.time.now));
  const { info } = (await api.get(`/key/info?key=${a}`)).body;
  assert.match(message, new RegExp(`Current cost: ${info.spend}, Max budget: ${info.max_budget}\\b`));
  assert.deepEqual((await api.get('/key/info', b)).body.info.spend, 0);
});

test('where the counters know nothing, the ledger says what was spent and what is reserved', async () => {
  const api = await started();
  const made = (await api.post('/key/generate', { max_budget: 10, budget_duration: '1d' })).body;
  const keyName = made.tollgate_id;
  const id = uuidV7Source({ now: () => api.time.now, monotonic: () => 0 });
  await api.ledger.write([
    row({ keyName, requestId: id(), cost: nanoUsd(2_500_000_001) }),
    row({ keyName, requestId: id(), state: 'open', cost: nanoUsd(0), reserved: nanoUsd(1e9) }),
    row({ keyName: 'default/other', requestId: id() }),
  ]);
  const { info } = (await api.get('/key/info', made.key)).body;
  assert.deepEqual([info.spend, info.reserved, info.budgets[0].remaining], [2.500000001, 1, 6.499999999]);
  api.ledger.isAway = true;
  const away = await api.get('/key/info', made.key);
  assert.equal(away.status, 503);
  assert.equal(away.body.error.type, 'store_unavailable');
  assert.ok(!away.text.includes('10.1.2.3'));
});

test('every field is honoured, named as ignored, or refused', async () => {
  const api = await started();
  const made = await api.post('/key/generate', {
    key_alias: 'all',
    duration: '30d',
    tpm_limit: 1000,
    rpm_limit: 10,
    max_parallel_requests: 3,
    model_tpm_limit: { 'gpt-4o': 50 },
    model_rpm_limit: { 'gpt-4o': 5 },
    model_max_budget: { 'gpt-4o': { budget_limit: 0.5, time_period: '1d' } },
    budget_limits: [
      { budget_duration: '1h', max_budget: 1 },
      { budget_duration: '30d', max_budget: 20 },
    ],
    user_id: 'u',
    team_id: 't',
    tags: ['a', 'cost:7'],
    blocked: false,
    tenant: 'acme',
    send_invite_email: true,
    aliases: {},
    permissions: {},
    spend: 0,
  });
  assert.equal(made.status, 200, made.text);
  assert.deepEqual(made.body.ignored, ['send_invite_email']);
  const { entry } = api.config.current().key(sha256(made.body.key))!;
  assert.equal(entry.tenant, 'acme');
  assert.equal(entry.expiresAt, NOW + 30 * 86_400_000);
  assert.deepEqual(entry.tags, { a: '', cost: '7', user: 'u', team: 't' });
  assert.deepEqual(entry.limits, { rpm: 10, tpm: 1000, maxConcurrency: 3, perModel: [{ model: 'gpt-4o', rpm: 5, tpm: 50 }] });
  assert.deepEqual(
    entry.budgets.map(b => [b.name, b.amount, b.period, b.models]),
    [
      ['limit-hourly', 1e9, 'Hourly', []],
      ['limit-monthly', 20e9, 'Monthly', []],
      ['model-gpt-4o-1', 0.5e9, 'Daily', ['gpt-4o']],
    ],
  );
  const { info } = (await api.get('/key/info', made.body.key)).body;
  assert.deepEqual(info.model_max_budget, { 'gpt-4o': { budget_limit: 0.5, time_period: '24h' } });
  assert.deepEqual(
    [info.user_id, info.team_id, info.tpm_limit, info.rpm_limit, info.max_parallel_requests],
    ['u', 't', 1000, 10, 3],
  );
  assert.equal(info.token, undefined);
  for (const [body, param] of [
    [{ max_buget: 1 }, 'max_buget'],
    [{ max_budget: -1 }, 'max_budget'],
    [{ max_budget: true }, 'max_budget'],
    [{ max_budget: 9e9 }, 'max_budget'],
    [{ rpm_limit: 1.5 }, 'rpm_limit'],
    [{ guardrails: ['x'] }, 'guardrails'],
    [{ aliases: { a: 'b' } }, 'aliases'],
    [{ spend: 5 }, 'spend'],
    [{ key_type: 'management' }, 'key_type'],
    [{ budget_duration: '1d' }, 'budget_duration'],
    [{ duration: 'soon' }, 'duration'],
    [{ models: 'gpt' }, 'models'],
    [{ key: 'short' }, 'key'],
    [{ key_alias: 'all' }, 'key_alias'],
    [{ constructor: 1 }, 'constructor'],
    [{ key: made.body.key }, 'key'],
    [{ key: MASTER }, 'key'],
  ] as const) {
    const refused = await api.post('/key/generate', body);
    assert.ok(refused.status === 400 || refused.status === 409, `${JSON.stringify(body)} ${refused.text}`);
    assert.equal(refused.body.error.param, param);
  }
  assert.equal(filesOf(api).length, 1);
});

test('names are found by alias, secret, hash, id and name; an update changes what it names and nothing else', async () => {
  const api = await started();
  const made = (
    await api.post('/key/generate', {
      key_alias: 'x',
      max_budget: 5,
      budget_duration: '1d',
      rpm_limit: 5,
      metadata: { old: '1' },
      team_id: 't',
    })
  ).body;
  for (const key of [made.key, made.token, made.token.slice(0, 12), made.tollgate_id])
    assert.equal((await api.get(`/key/info?key=${encodeURIComponent(key)}`)).body.info.key_alias, 'x');
  const changed = await api.post('/key/update', { key_alias: 'x', max_budget: 7, tpm_limit: 100, metadata: { fresh: 2 } });
  assert.equal(changed.status, 200, changed.text);
  const { entry } = api.config.current().key(made.token)!;
  assert.deepEqual(
    [entry.limits, entry.tags],
    [
      { rpm: 5, tpm: 100, perModel: [] },
      { fresh: '2', team: 't' },
    ],
  );
  assert.deepEqual(
    entry.budgets.map(b => [b.name, b.amount, b.period]),
    [['max-budget', 7e9, 'Daily']],
  );
  await api.post('/key/update', { key: made.token, max_budget: null, rpm_limit: null });
  const after = api.config.current().key(made.token)!.entry;
  assert.deepEqual([after.budgets, after.limits.rpm], [[], undefined]);
  assert.equal((await api.post('/key/update', { key: 'sk-nobody', rpm_limit: 1 })).status, 404);
  assert.equal((await api.post('/key/update', { rpm_limit: 1 })).status, 400);
});

test('blocked keys get 403, unblocked ones work again, deleted ones are unknown', async () => {
  const api = await started();
  const { key, token } = (await api.post('/key/generate', {})).body;
  const blocked = await api.post('/key/block', { key });
  assert.deepEqual([blocked.status, blocked.body.blocked, blocked.body.token], [200, true, token]);
  assert.equal((await api.get('/key/info', key)).status, 403);
  assert.equal((await api.post('/key/unblock', { key })).body.blocked, false);
  assert.equal((await api.get('/key/info', key)).status, 200);
  assert.equal((await api.post('/key/delete', { keys: [key, 'sk-nobody'] })).status, 404);
  const deleted = await api.post('/key/delete', { keys: [key] });
  assert.deepEqual(deleted.body, { deleted_keys: [token] });
  assert.equal((await api.get('/key/info', key)).status, 401);
  assert.deepEqual(filesOf(api), []);
  assert.deepEqual(
    api.ledger.auditEntries.map(e => [e.actor, e.action]),
    [
      ['master', 'key.generate'],
      ['master', 'key.block'],
      ['master', 'key.unblock'],
      ['master', 'key.delete'],
    ],
  );
});

test('a regenerated key keeps its object; the earlier secret works until the grace ends', async () => {
  const api = await started();
  const { key, tollgate_id } = (await api.post('/key/generate', { max_budget: 1 })).body;
  const next = await api.post(`/key/${key}/regenerate`, { grace_period: '48h', rpm_limit: 3 });
  assert.equal(next.status, 200, next.text);
  assert.equal(next.body.tollgate_id, tollgate_id);
  assert.equal((await api.get('/key/info', key)).status, 200);
  assert.equal((await api.get('/key/info', next.body.key)).body.info.rpm_limit, 3);
  api.time.now += 48 * 3_600_000;
  assert.equal((await api.get('/key/info', key)).status, 401);
  assert.equal((await api.get('/key/info', next.body.key)).status, 200);
  const last = await api.post(`/key/${next.body.token}/regenerate`, {});
  assert.equal((await api.get('/key/info', next.body.key)).status, 401);
  assert.equal((await api.get('/key/info', last.body.key)).status, 200);
  assert.equal((await api.post(`/key/${last.body.token}/reset_spend`, { reset_to: 0 })).status, 501);
});

test("a person's manifest is edited in place with its comments, as long as it is alone in its file", async () => {
  const api = await started({
    'own.yaml': manifestOf('own'),
    'two.yaml': `${manifestOf('first')}---\n${manifestOf('second')}`,
  });
  const changed = await api.post('/key/update', { key_alias: 'own', max_budget: 600, rpm_limit: 20 });
  assert.equal(changed.status, 200, changed.text);
  const text = readFileSync(join(api.folder, 'own.yaml'), 'utf8');
  for (const comment of ['# our key; keep this comment', '# alone in its file']) assert.ok(text.includes(comment), text);
  const { entry } = api.config.current().key(sha256('sk-own-key-of-a-person-0123456789'))!;
  assert.deepEqual(
    [entry.limits.rpm, entry.budgets[0]],
    [20, { ...entry.budgets[0], name: 'monthly', amount: 600e9, timeZone: 'Europe/Berlin' }],
  );
  const shared = await api.post('/key/update', { key_alias: 'second', rpm_limit: 20 });
  assert.equal(shared.status, 409);
  assert.match(shared.body.error.message, /two\.yaml:\d+/);
});

test('a key that would take the place of another is refused and leaves no file', async () => {
  const api = await started({ 'own.yaml': manifestOf('own').replace('name: own', 'name: own, namespace: team') });
  const taken = await api.post('/key/generate', { tenant: 'acme', namespace: 'elsewhere' });
  assert.equal(taken.status, 409, taken.text);
  assert.deepEqual(filesOf(api), ['own.yaml']);
  const made = await api.post('/key/generate', { tenant: 'acme' });
  assert.match(made.body.tollgate_id, /^team\//);
  assert.equal(api.ledger.auditEntries.at(-2)!.details.outcome, 'refused');
});

test('updates of one key from two processes at once lose nothing', async () => {
  const api = await started();
  const { tollgate_id: id } = (await api.post('/key/generate', { metadata: {} })).body;
  const other = await openFolder(api.folder, api.dataFolder, () => api.time.now);
  const stores = [api.keys, keyFiles({ config: other, folder: api.folder, now: () => api.time.now })];
  const added = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      stores[i % 2]!.update(id, key => ({ ok: true, value: { spec: { tags: { ...key.spec.tags, [`t${i}`]: 'x' } } } })),
    ),
  );
  assert.ok(added.every(result => result.ok));
  await Promise.all([api.config.reload(), other.reload()]);
  assert.equal(Object.keys(api.keys.list()[0]!.spec.tags).length, 12);
  await other.close();
});

test('an alias is given once, by whichever of two processes comes first', async () => {
  const api = await started();
  const other = await openFolder(api.folder, api.dataFolder, () => api.time.now);
  const stores = [api.keys, keyFiles({ config: other, folder: api.folder, now: () => api.time.now })];
  const specOf = (i: number) => ({ tenant: 't', alias: 'one', digest: `sha256:${sha256(`secret ${i}`)}` });
  const made = await Promise.all(
    Array.from({ length: 6 }, (_, i) => stores[i % 2]!.create({ namespace: 'default', name: `k${i}`, spec: specOf(i) })),
  );
  assert.equal(made.filter(result => result.ok).length, 1);
  const second = await stores[1]!.create({ namespace: 'default', name: 'second', spec: { ...specOf(7), alias: 'two' } });
  assert.ok(second.ok);
  const renamed = await stores[0]!.update('default/second', () => ({ ok: true, value: { spec: { alias: 'one' } } }));
  assert.ok(!renamed.ok && renamed.failure.class === 'invalid_request');
  await other.close();
});

test('the list has pages, filters and objects; a tenant key lists and sees itself only', async () => {
  const api = await started();
  const made = [];
  for (const i of [1, 2, 3]) {
    api.time.now += 1000;
    made.push((await api.post('/key/generate', { key_alias: `k${i}`, team_id: i < 3 ? 'red' : 'blue' })).body);
  }
  const page = (await api.get('/key/list?page=1&size=2')).body;
  assert.deepEqual(page, { keys: [made[2].token, made[1].token], total_count: 3, current_page: 1, total_pages: 2 });
  assert.deepEqual((await api.get('/key/list?team_id=blue')).body.keys, [made[2].token]);
  const [full] = (await api.get('/key/list?key_alias=k1&return_full_object=true')).body.keys;
  assert.deepEqual([full.token, full.key_alias, full.spend, full.team_id], [made[0].token, 'k1', 0, 'red']);
  assert.deepEqual((await api.get('/key/list', made[0].key)).body.keys, [made[0].token]);
  assert.equal((await api.get(`/key/info?key=${made[1].token}`, made[0].key)).status, 403);
  assert.equal((await api.get('/key/info?key=sk-nobody', made[0].key)).status, 403);
  assert.equal((await api.post('/key/generate', {}, made[0].key)).status, 403);
  assert.equal((await api.get('/key/list?colour=red')).status, 400);
});

test('a team is a tenant: a key is made for it, stays with it, and makes no keys of others', async () => {
  const api = await started();
  const made = (await api.post('/key/generate', { key_alias: 'a', team_id: 'red' })).body;
  const { entry } = api.config.current().key(made.token)!;
  assert.deepEqual([entry.tenant, entry.tags, made.tenant, made.team_id], ['red', { team: 'red' }, 'red', 'red']);
  const within = (await api.post('/key/generate', { key_alias: 'b', team_id: 'search', tenant: 'red' })).body;
  assert.deepEqual([within.tenant, within.team_id], ['red', 'search']);
  const without = (await api.post('/key/generate', { key_alias: 'c' })).body;
  assert.deepEqual([without.tenant, without.team_id], ['default', 'default']);
  assert.deepEqual((await api.get('/key/list?team_id=default')).body.keys, [without.token]);

  for (const [key, team, status] of [
    [made.key, 'blue', 400],
    [made.key, null, 400],
    [made.key, 'red', 200],
    [without.key, 'red', 400],
    [within.key, 'mail', 200],
    [within.key, 'red', 200],
    [within.key, 'blue', 400],
  ] as const) {
    const answer = await api.post('/key/update', { key, team_id: team });
    assert.equal(answer.status, status, `${team}: ${answer.text}`);
    if (status === 400) assert.equal(answer.body.error.param, 'team_id');
  }
  const moved = await api.post(`/key/${made.token}/regenerate`, { team_id: 'blue' });
  assert.deepEqual([moved.status, moved.body.error?.param], [400, 'team_id']);
  const long = await api.post('/key/generate', { team_id: 't'.repeat(129) });
  assert.deepEqual([long.status, long.body.error?.param], [400, 'team_id']);
  for (const body of [{ team_id: 'red' }, { team_id: 'blue' }, { tenant: 'blue' }])
    assert.equal((await api.post('/key/generate', body, made.key)).status, 403);
  assert.equal((await api.post('/key/update', { key: made.key, team_id: 'blue' }, made.key)).status, 403);
});

test('while the ledger is away a change is on record in the data folder, and comes to the ledger later', async () => {
  const api = await started();
  const { key } = (await api.post('/key/generate', {})).body;
  api.ledger.isAway = true;
  assert.equal((await api.post('/key/block', { key })).status, 200);
  assert.equal(api.ledger.auditEntries.length, 1);
  api.ledger.isAway = false;
  const { auditLog } = await import('./audit.ts');
  await auditLog(api.ledger, api.dataFolder).flush();
  assert.deepEqual(
    api.ledger.auditEntries.map(e => e.action),
    ['key.generate', 'key.block'],
  );
  assert.deepEqual(readdirSync(join(api.dataFolder, 'audit')), []);
});

test('a folder that cannot be written answers 5xx and changes nothing', {
  skip: process.getuid?.() === 0 && 'root writes everywhere',
}, async () => {
  const api = await started();
  chmodSync(api.folder, 0o500);
  const refused = await api.post('/key/generate', {});
  chmodSync(api.folder, 0o700);
  assert.equal(refused.status, 500);
  assert.match(refused.body.error.message, /cannot be written/);
});

test('the folder that is gone answers 5xx in words', async () => {
  const api = await started();
  const gone = keyFiles({ config: api.config, folder: join(api.folder, 'not-there'), now: () => NOW });
  const refused = await gone.create({ namespace: 'default', name: 'a', spec: { tenant: 't', digest: `sha256:${sha256('x')}` } });
  assert.ok(!refused.ok && (refused.failure.status ?? 0) >= 500, JSON.stringify(refused));
});

test('names never leave the folder', async () => {
  const api = await started();
  const refused = await api.keys.create({
    namespace: 'default',
    name: '../../outside',
    spec: { tenant: 't', digest: `sha256:${sha256('x')}` },
  });
  assert.ok(!refused.ok && refused.failure.class === 'invalid_request');
  const made = (await api.post('/key/generate', { key_alias: '../../etc/passwd' })).body;
  assert.match(made.tollgate_id, /^default\/etc-passwd-[0-9a-f]{10}$/);
});
