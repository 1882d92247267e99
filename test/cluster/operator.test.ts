// Tollgate in a cluster, end to end: what is applied is served by every pod, its status says so, and nothing else is written.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { countingWrites, written } from './support/audit.ts';
import { askPod, type Deployment, deploy, MASTER_KEY, type Pod } from './support/deployment.ts';
import { measuring } from './support/figures.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { readPublished } from './support/published.ts';
import { TeamNamespace } from './support/team.ts';

/** A shard, the pointer, and the status. */
const A_CHANGE = 'configmaps, configmaps, llmroutes/status';
const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
/** The goal is a second, on a machine that has nothing else to do; the figure is printed. */
const SERVED_MS = 10_000;

describe('Tollgate in a cluster', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(150), port: 0, keys: ['sk-upstream-right'] });
    deployment = await deploy({ server, pods: 3 });
    team = new TeamNamespace(server, 'team');
    await team.create();
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const ask = (pod: Pod, model: string, key = KEY) => askPod(pod, model, key);
  const everywhere = async (what: string, status: number, model: string, key = KEY, deadline = 10_000) => {
    const began = performance.now();
    for (const pod of deployment.pods)
      await until(`${what} at ${pod.name}`, async () => (await ask(pod, model, key)) === status, deadline);
    return performance.now() - began;
  };

  test('a provider, a route and a key are applied, served by every pod, and known to be', async () => {
    await team.secret('upstream', { key: 'sk-upstream-right' });
    await team.secret('client', { key: KEY });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', secretRef: { name: 'client', key: 'key' } });
    await team.route('tiny', 'tiny', 'models');
    await everywhere('the route', 200, 'tiny');
    for (const [kind, name] of [
      ['llmproviders', 'models'],
      ['llmroutes', 'tiny'],
      ['tenantkeys', 'client'],
    ] as const) {
      const conditions = await team.conditions(kind, name, 'Programmed');
      assert.deepEqual(
        conditions.map(({ type, status }) => `${type} ${status}`),
        ['Accepted True', 'ResolvedRefs True', 'Programmed True', 'Ready True'],
        JSON.stringify(conditions),
      );
      assert.ok(conditions.every(({ observedGeneration }) => observedGeneration === 1));
    }
  });

  test('a change is served by every pod in a moment, and costs a shard, a pointer and a status', async () => {
    const figure = measuring(import.meta.filename);
    const writes = await countingWrites(server);
    await team.route('second', 'other-name', 'models', {
      backends: [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }],
    });
    const ms = await everywhere('the second route', 200, 'other-name');
    console.log(`served by every pod after ${ms.toFixed(0)} ms`);
    assert.ok(ms < SERVED_MS, `it took ${ms} ms`);
    await team.conditions('llmroutes', 'second', 'Programmed');
    const made = await writes();
    const byPods = made.filter(({ userAgent }) => !userAgent?.startsWith('tollgate-operator')).length;
    figure({
      row: '6',
      goal: 'one change: <= 3 writes (shard, pointer, status), none of another status, none by pods',
      measured: `written: ${written(made)}; by pods: ${byPods}`,
      isMet: written(made) === A_CHANGE && byPods === 0,
    });
    assert.equal(written(made), A_CHANGE);
    assert.equal(byPods, 0);
  });

  test('a broken object says what is wrong with it, and the others stay', async () => {
    await team.route('broken', 'nothing', 'nowhere');
    const [, resolved] = await team.conditions('llmroutes', 'broken', 'ResolvedRefs', 'False');
    assert.equal(resolved?.reason, 'ProviderNotFound');
    assert.match(resolved?.message ?? '', /spec\.backends\[0\]\.providerRef: there is no LLMProvider team\/nowhere/);
    await everywhere('the first route', 200, 'tiny');
    await team.delete('llmroutes', 'broken');
  });

  test('a Secret that changes is in use within a second, without a restart', async () => {
    await team.secret('upstream', { key: 'sk-upstream-wrong' });
    await until('the wrong key is in use', async () => (await ask(deployment.pods[0]!, 'tiny')) !== 200);
    await team.secret('upstream', { key: 'sk-upstream-right' });
    const ms = await everywhere('the right key', 200, 'tiny');
    assert.ok(ms < 2 * SERVED_MS, `it took ${ms} ms`);
  });

  test('a key that is deleted works nowhere a second later', async () => {
    const secret = 'sk-gone-0123456789abcdef0123456789abcdef';
    await team.key('gone', { tenant: 'team', digest: `sha256:${sha256(secret)}` });
    await everywhere('the key', 200, 'tiny', secret);
    await team.delete('tenantkeys', 'gone');
    const ms = await everywhere('its end', 401, 'tiny', secret);
    console.log(`served by every pod after ${ms.toFixed(0)} ms`);
    assert.ok(ms < SERVED_MS, `it took ${ms} ms`);
  });

  test('a generated key is in its Secret, with its owner, and works', async () => {
    await team.key('made', { tenant: 'team', generate: { secretName: 'made-key', prefix: 'sk-made-' } });
    const secret = await until('the Secret is there', () => team.readSecret('made-key'));
    assert.match(secret.key!, /^sk-made-/);
    await everywhere('the generated key', 200, 'tiny', secret.key!);
    await team.conditions('tenantkeys', 'made', 'Programmed');
    const status = await team.status('tenantkeys', 'made');
    assert.equal(status.keyID, sha256(secret.key!).slice(0, 12));
    assert.equal(status.secretName, 'made-key');
  });

  test('a key made by /key/generate at a data plane is a TenantKey, and works everywhere once it is told', async () => {
    const [pod] = deployment.pods;
    const response = await fetch(`${pod!.url}/key/generate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ key_alias: 'By API', tenant: 'team', max_budget: 5, budget_duration: '30d' }),
    });
    const made = (await response.json()) as { key: string; token: string };
    assert.equal(response.status, 200, JSON.stringify(made));
    const { items } = await server.call<{ items: { metadata: { name: string }; spec: { alias?: string; digest?: string } }[] }>(
      'GET',
      '/apis/tollgate.dev/v1alpha1/namespaces/team/tenantkeys',
    );
    const object = items.find(({ spec }) => spec.alias === 'By API');
    assert.equal(object?.spec.digest, `sha256:${sha256(made.key)}`, JSON.stringify(items));
    for (const each of deployment.pods) assert.equal(await ask(each, 'tiny', made.key), 200, each.name);
    const info = await fetch(`${pod!.url}/key/info?key=${made.key}`, { headers: { authorization: `Bearer ${MASTER_KEY}` } });
    assert.equal(((await info.json()) as { info: { key_alias: string } }).info.key_alias, 'By API');
    const removed = await fetch(`${pod!.url}/key/delete`, {
      method: 'POST',
      headers: { authorization: `Bearer ${MASTER_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ keys: [made.key] }),
    });
    assert.equal(removed.status, 200, await removed.text());
    await everywhere('its end', 401, 'tiny', made.key);
  });

  test('no value of a Secret is in a ConfigMap, a status, an event, a log or a metric', async () => {
    const figure = measuring(import.meta.filename);
    const everywhere = [
      '/api/v1/configmaps',
      '/api/v1/events',
      '/apis/events.k8s.io/v1/events',
      '/apis/coordination.k8s.io/v1/leases',
      '/apis/discovery.k8s.io/v1/endpointslices',
      ...['llmproviders', 'llmroutes', 'tenantkeys'].map(plural => `/apis/tollgate.dev/v1alpha1/${plural}`),
    ];
    const pages = [
      `${deployment.operatorUrl}/metrics`,
      ...deployment.pods.flatMap(({ internalUrl }) => ['/metrics', '/configz', '/statusz'].map(page => internalUrl + page)),
    ];
    const texts = [
      ...(await Promise.all(everywhere.map(async path => JSON.stringify(await server.call('GET', path))))),
      ...(await Promise.all(pages.map(async page => (await fetch(page)).text()))),
      (await readPublished(server)).text,
      deployment.logs(),
    ];
    const made = (await team.readSecret('made-key'))!.key!;
    const canaries = [KEY, 'sk-upstream-right', 'sk-upstream-wrong', made, MASTER_KEY];
    const forms = canaries.flatMap(canary => [canary, Buffer.from(canary).toString('base64').replace(/=+$/, '')]);
    const found = forms.filter(form => texts.some(text => text.includes(form)));
    const bytes = texts.reduce((sum, { length }) => sum + length, 0);
    figure({
      row: '21',
      goal: 'no value of a Secret in ConfigMaps, statuses, events, logs, metrics',
      measured: `${canaries.length} canaries, plain and as base64, in ${Math.round(bytes / 1000)} kB of these: ${found.length} found`,
      isMet: found.length === 0,
    });
    assert.deepEqual(found, []);
    // What is searched is what was meant to be: the digest of a key is there.
    assert.ok(texts.some(text => text.includes(sha256(KEY))));
  });

  test('an operator that is started again rewrites nothing, and leads at once', async () => {
    for (const kind of ['llmproviders', 'llmroutes'] as const)
      await team.conditions(kind, kind === 'llmroutes' ? 'tiny' : 'models', 'Ready', 'True', 20_000);
    await deployment.operator!.stop();
    const writes = await countingWrites(server);
    await deployment.startOperator();
    await team.route('third', 'third-name', 'models', {
      backends: [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }],
    });
    await everywhere('a change after the restart', 200, 'third-name');
    await team.conditions('llmroutes', 'third', 'Programmed');
    assert.equal(written(await writes()), A_CHANGE);
  });
});
