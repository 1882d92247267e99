// What people and tools do to a cluster that runs Tollgate: objects made anew within a moment, statuses and published objects edited by
// hand, Secrets of any size or out of reach, pods that go back to older configuration, and whatever reaches the operator's port.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { CONFIG_OBJECTS, POINTER_OBJECT } from '#core/snapshot/layout.ts';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, SYSTEM } from './support/deployment.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { readPublished } from './support/published.ts';
import { TeamNamespace } from './support/team.ts';
import { type Front, startFront } from './support/wire.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const DEADLINE_MS = 60_000;
/** More than a first look at Secrets takes while the operator runs. */
const SECRETS_AWAY_MS = 6_000;
/** In one namespace: a watch each. */
const KEYS_BY_SECRET = 30;
const tooMany = { status: 429, body: { kind: 'Status', code: 429, reason: 'TooManyRequests', message: 'too many requests' } };

describe('Tollgate in a cluster that is full of surprises', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let front: Front;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(170), port: 0 });
    front = await startFront(server);
    const operatorEnv = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: `${front.port}` };
    deployment = await deploy({ server, pods: 2, operatorEnv });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await provider('models', 'upstream');
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    await route('tiny');
    await programmed('tiny');
  });
  after(async () => {
    await deployment?.stop();
    await front?.close();
    await simulator?.close();
    await server?.stop();
  });

  const provider = (name: string, secret: string) =>
    team.provider(name, { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, secret, ['tiny'], patient);
  const route = (name: string, model = name) =>
    team.route(name, model, 'models', { backends: [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }] });
  const programmed = (name: string, status = 'True') => team.conditions('llmroutes', name, 'Programmed', status, DEADLINE_MS);
  const asked = (model: string, key = KEY) => Promise.all(deployment.pods.map(pod => askPod(pod, model, key)));
  const system = (plural: string, name: string) => `/api/v1/namespaces/${SYSTEM}/${plural}/${name}`;

  test('requests that are no requests do not end the operator', async () => {
    const { hostname, port } = new URL(deployment.operatorUrl);
    for (const target of ['//', '//[', 'http://[', '*', '/key/\u0000', '/key/%', '/%00', '?', '/metrics/../..']) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {}).resume();
      socket.end(`GET ${target} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n`);
      await once(socket, 'close');
    }
    assert.equal((await fetch(`${deployment.operatorUrl}/readyz`)).status, 200, deployment.operator!.logs());
  });

  test('an object that is deleted and made anew as it was has a status again', async () => {
    for (let round = 0; round < 10; round++) {
      await team.delete('tenantkeys', 'client');
      await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
      await team.conditions('tenantkeys', 'client', 'Programmed', 'True', DEADLINE_MS);
    }
    assert.deepEqual(await asked('tiny'), [200, 200]);
  });

  test('what others write into a status is mended', async () => {
    const url = '/apis/tollgate.dev/v1alpha1/namespaces/team/llmroutes/tiny/status';
    const lie = {
      type: 'Programmed',
      status: 'False',
      reason: 'Lie',
      message: '',
      observedGeneration: 1,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    await server.call('PATCH', url, { status: { conditions: [lie] } }, { 'content-type': 'application/merge-patch+json' });
    await programmed('tiny');
    await server.call('PATCH', url, { status: null }, { 'content-type': 'application/merge-patch+json' });
    await programmed('tiny');
  });

  test('Secrets of all sizes, and more credentials than there is room for, keep nothing else up', async () => {
    const long = (index: number) => `sk-${String(index).padStart(4, '0')}${'x'.repeat(16_000)}`;
    await team.secret('huge', { key: 'x'.repeat(900_000) });
    await provider('huge', 'huge');
    await team.key('huge', { tenant: 'team', secretRef: { name: 'huge', key: 'key' } });
    const [, refs] = await team.conditions('llmproviders', 'huge', 'ResolvedRefs', 'False', DEADLINE_MS);
    assert.match(refs?.message ?? '', /too long to be a credential/);
    await team.conditions('tenantkeys', 'huge', 'ResolvedRefs', 'False', DEADLINE_MS);
    const many = Array.from({ length: 70 }, (_, index) => index);
    for (const index of many) {
      await team.secret(`long-${index}`, { key: long(index) });
      await provider(`long-${index}`, `long-${index}`);
    }
    await route('beside');
    await programmed('beside');
    assert.deepEqual(await asked('beside'), [200, 200]);
    const reasons = await until(
      'each provider is told',
      async () => {
        const statuses = await Promise.all(many.map(index => team.status('llmproviders', `long-${index}`)));
        const told = statuses.map(({ conditions = [] }) => conditions.find(({ type }) => type === 'Programmed')?.reason);
        return told.every(reason => reason === 'Programmed' || reason === 'ConfigTooLarge') && told;
      },
      DEADLINE_MS,
    );
    const without = reasons.filter(reason => reason === 'ConfigTooLarge').length;
    assert.ok(without > 0 && without < many.length / 2, `${without} of ${many.length} without`);
    for (const index of many) await team.delete('llmproviders', `long-${index}`);
  });

  test('an operator that starts while Secrets cannot be read takes nothing from what is served', async () => {
    const keys = Array.from({ length: KEYS_BY_SECRET }, (_, index) => `sk-by-secret-${index}-0123456789abcdef0123456789`);
    for (const [index, key] of keys.entries()) {
      await team.secret(`key-${index}`, { key });
      await team.key(`by-secret-${index}`, { tenant: 'team', secretRef: { name: `key-${index}`, key: 'key' } });
    }
    for (const index of keys.keys()) await team.conditions('tenantkeys', `by-secret-${index}`, 'Programmed', 'True', DEADLINE_MS);
    await deployment.operator!.stop();
    front.set((method, url) => (method === 'GET' && /namespaces\/team\/secrets/.test(url) ? tooMany : undefined));
    await deployment.startOperator();
    const until = performance.now() + SECRETS_AWAY_MS;
    while (performance.now() < until) {
      assert.deepEqual(await asked('tiny', keys[0]), [200, 200]);
      assert.deepEqual(await asked('tiny', keys.at(-1)), [200, 200]);
      await pause(50);
    }
    front.set(() => undefined);
    await route('afterwards');
    await programmed('afterwards');
    for (const key of keys) assert.deepEqual(await asked('afterwards', key), [200, 200]);
  });

  test('published objects that are edited or deleted by hand are published again, and no generation twice', async () => {
    const { pointer } = await readPublished(server);
    const shards = Object.values(pointer.shards).map(({ object }) => object);
    assert.ok(shards.every(object => CONFIG_OBJECTS.includes(object)));
    for (const object of shards) await server.call('DELETE', system('configmaps', object));
    const again = await until(
      'all shards are there again',
      async () => {
        const now = await readPublished(server).catch(() => undefined);
        return now && now.pointer.generation > pointer.generation && now;
      },
      DEADLINE_MS,
    );
    const edited = { data: { pointer: '{}', 'config.json': '{}' } };
    await server.call('PATCH', system('configmaps', POINTER_OBJECT), edited, { 'content-type': 'application/merge-patch+json' });
    await route('after-edits');
    await programmed('after-edits');
    const last = await readPublished(server);
    assert.ok(last.pointer.generation > again.pointer.generation);
    assert.deepEqual(await asked('after-edits'), [200, 200]);
  });

  test('a pod that goes back to older configuration is not said to serve the newer', async t => {
    const real = deployment.pods[0]!;
    let lag = 0;
    const pages: Record<string, () => Promise<object>> = {
      '/configz': async () => {
        const report = await real.configz();
        return { ...report, generation: report.generation - lag };
      },
      '/statusz': async () => ({ engines: {}, budgets: [], authFailed: [] }),
    };
    const { hostname: address, port } = { hostname: ownNetwork!.address(171), port: new URL(real.internalUrl).port };
    const fake: Server = createServer(async (req, res) => res.end(JSON.stringify(await pages[req.url ?? '']?.()))).listen(
      Number(port),
      address,
    );
    await once(fake, 'listening');
    t.after(() => fake.close());
    await deployment.announce([...deployment.pods, { ...real, name: 'pod-going-back', address }]);
    await route('going-back');
    await programmed('going-back');
    lag = 1_000;
    const conditions = await programmed('going-back', 'False');
    assert.match(conditions.find(({ type }) => type === 'Programmed')?.message ?? '', /pod-going-back/);
    lag = 0;
    await programmed('going-back');
    await deployment.announce();
  });
});
