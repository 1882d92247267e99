// What people find with `kubectl describe`: events about objects of ours, on a real API server.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { until } from '#test/support/until.ts';
import { kubectlPath } from '../../tools/places.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { type Deployment, deploy } from './support/deployment.ts';
import { withoutOwnNetwork } from './support/network.ts';
import { TeamNamespace } from './support/team.ts';

const CANARY = 'sk-canary-0123456789abcdef0123456789abcdef';
const DEADLINE_MS = 30_000;

type Event = {
  readonly type: string;
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly reportingController: string;
  readonly regarding: { readonly kind: string; readonly name: string; readonly uid: string };
};

describe('events about objects', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    deployment = await deploy({ server, pods: 1 });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: CANARY });
  });
  after(async () => {
    await deployment?.stop();
    await server?.stop();
  });

  const all = async () => (await server.call<{ items: Event[] }>('GET', '/apis/events.k8s.io/v1/namespaces/team/events')).items;
  const about = async (name: string) => (await all()).filter(({ regarding }) => regarding.name === name);
  const told = (name: string, reason: string) =>
    until(`${reason} is told of ${name}`, async () => (await about(name)).find(event => event.reason === reason), DEADLINE_MS);
  const programmed = (plural: 'llmproviders' | 'llmroutes' | 'tenantkeys', name: string) =>
    team.conditions(plural, name, 'Programmed', 'True', DEADLINE_MS);

  test('are none while all goes well', async () => {
    await team.provider('models', { openAICompatible: { baseURL: 'http://10.250.0.200/v1' } }, 'upstream', ['tiny']);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(CANARY)}` });
    await team.route('well', 'tiny', 'models');
    await programmed('llmproviders', 'models');
    await programmed('tenantkeys', 'client');
    await programmed('llmroutes', 'well');
  });

  test('say what is wrong with one, and that it is mended, each once', async () => {
    await team.route('broken', 'other', 'nowhere');
    const event = await told('broken', 'ProviderNotFound');
    const { metadata } = await server.call<{ metadata: { uid: string } }>(
      'GET',
      '/apis/tollgate.dev/v1alpha1/namespaces/team/llmroutes/broken',
    );
    assert.deepEqual([event.type, event.action, event.regarding.kind], ['Warning', 'Resolve', 'LLMRoute']);
    assert.equal(event.regarding.uid, metadata.uid);
    assert.equal(event.reportingController, 'tollgate.dev/operator');
    assert.match(event.note, /there is no LLMProvider team\/nowhere/);
    await team.route('broken', 'other', 'models', { backends: [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }] });
    await told('broken', 'ResolvedRefs');
    await told('broken', 'Programmed');
    const reasons = (await about('broken')).map(({ reason }) => reason).sort();
    assert.deepEqual(reasons, ['Programmed', 'ProviderNotFound', 'ResolvedRefs']);
  });

  test('tell of keys that are made, made anew and over', async () => {
    const rotation = { every: '2160h', overlap: '1h' };
    await team.key('made', { tenant: 'team', generate: { secretName: 'made-key' }, rotation });
    const first = await told('made', 'KeyGenerated');
    assert.match(first.note, /made-key/);
    await programmed('tenantkeys', 'made');
    await team.annotate('tenantkeys', 'made', { 'tollgate.dev/rotate-at': new Date().toISOString() });
    assert.match((await told('made', 'KeyRotated')).note, /works for another 1h/);
    const expiresAt = new Date(Date.now() + 3_000).toISOString();
    await team.key('short', { tenant: 'team', digest: `sha256:${'0'.repeat(64)}`, expiresAt });
    assert.equal((await told('short', 'Expired')).type, 'Normal');
  });

  test('are found by kubectl describe', { skip: kubectlPath() ? false : 'there is no kubectl: npm run tools' }, async () => {
    const { kubeconfig } = await server.access();
    const { stdout, stderr } = spawnSync(kubectlPath()!, ['-n', 'team', 'describe', 'llmroute', 'broken'], {
      env: { KUBECONFIG: kubeconfig, HOME: server.folder },
      encoding: 'utf8',
    });
    assert.match(stdout, /Warning\s+ProviderNotFound\s.*tollgate\.dev\/operator/, stderr);
  });

  test('have no value of a Secret, and do not go on when nothing changes', async () => {
    const made = (await team.readSecret('made-key'))!.key!;
    const before = await all();
    assert.ok(!before.some(({ regarding }) => ['well', 'client', 'models'].includes(regarding.name)), JSON.stringify(before));
    for (const canary of [CANARY, made]) assert.ok(!JSON.stringify(before).includes(canary));
    await pause(1_000);
    assert.equal((await all()).length, before.length);
  });
});
