// A cluster in a bad state: definitions that are not there yet, rights that are taken away, namespaces that are going, objects that are
// stuffed. What is sound goes on, and what was kept up goes on when it can.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { applyCrds } from './support/crds.ts';
import { askPod, type Deployment, deploy } from './support/deployment.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const DEADLINE_MS = 60_000;
const STUFFED = 40;
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';

type Binding = { readonly metadata: { readonly name: string }; readonly subjects?: readonly { readonly name: string }[] };

describe('an operator in a cluster in a bad state', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer({ crds: false });
    simulator = await startSimulator({ host: ownNetwork!.address(195), port: 0 });
    team = new TeamNamespace(server, 'team');
    await team.create();
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const backends = [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }];
  const served = (model: string, key = KEY) =>
    until(`${model} is served`, async () => (await askPod(deployment.pods[0]!, model, key)) === 200, DEADLINE_MS);
  const programmed = (plural: 'llmroutes' | 'tenantkeys', name: string) =>
    team.conditions(plural, name, 'Programmed', 'True', DEADLINE_MS);

  test('waits for definitions that are installed after its start', async () => {
    const deploying = deploy({ server, pods: 1 });
    deploying.catch(() => {});
    await pause(3_000);
    await applyCrds(server);
    deployment = await deploying;
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    await team.route('tiny', 'tiny', 'models');
    await served('tiny');
  });

  test('serves objects whose annotations others have stuffed, and leaves these as they are', async () => {
    const before = await residentBytes(deployment);
    const stuffing = 'x'.repeat(240 * 1024);
    for (let index = 0; index < STUFFED; index++) {
      const metadata = { name: `stuffed-${index}`, annotations: { 'example.org/stuffing': stuffing } };
      const spec = { tenant: 'team', digest: `sha256:${sha256(`sk-stuffed-${index}`)}` };
      await server.apply(`/apis/tollgate.dev/v1alpha1/namespaces/team/tenantkeys/${metadata.name}`, {
        apiVersion: 'tollgate.dev/v1alpha1',
        kind: 'TenantKey',
        metadata,
        spec,
      });
    }
    await programmed('tenantkeys', `stuffed-${STUFFED - 1}`);
    await served('tiny', `sk-stuffed-${STUFFED - 1}`);
    const grown = (await residentBytes(deployment)) - before;
    console.log(`${STUFFED} objects with 240 KiB of annotations each: ${(grown / 2 ** 20).toFixed(0)} MiB more`);
    const { annotations } = (
      await server.call<{ metadata: { annotations: Record<string, string> } }>(
        'GET',
        '/apis/tollgate.dev/v1alpha1/namespaces/team/tenantkeys/stuffed-0',
      )
    ).metadata;
    assert.equal(annotations['example.org/stuffing']?.length, stuffing.length);
  });

  test('goes on with all others while a namespace is going', async () => {
    const going = new TeamNamespace(server, 'going');
    await going.create();
    await going.key('made', { tenant: 'going', generate: { secretName: 'made-key' } });
    const { key } = await until('the key is made', () => going.readSecret('made-key'), DEADLINE_MS);
    await served('tiny', KEY);
    // No controller empties it here, so it stays as it is in between: nothing new may be made in it.
    await server.call('DELETE', '/api/v1/namespaces/going');
    await server.call('DELETE', '/api/v1/namespaces/going/secrets/made-key');
    await team.route('meanwhile', 'meanwhile', 'models', { backends });
    await programmed('llmroutes', 'meanwhile');
    await until(
      'the key of the namespace ends',
      async () => (await askPod(deployment.pods[0]!, 'tiny', key!)) === 401,
      DEADLINE_MS,
    );
    assert.equal(await going.readSecret('made-key'), undefined);
    await going.delete('tenantkeys', 'made');
  });

  test('catches up when rights that were taken away are given back', async () => {
    const { items } = await server.call<{ items: Binding[] }>('GET', BINDINGS);
    const taken = items.filter(({ subjects = [] }) => subjects.some(({ name }) => name === 'tollgate-operator'));
    assert.ok(taken.length > 0);
    for (const { metadata } of taken) await server.call('DELETE', `${BINDINGS}/${metadata.name}`);
    await team.route('unseen', 'unseen', 'models', { backends });
    await pause(5_000);
    assert.equal(await askPod(deployment.pods[0]!, 'tiny', KEY), 200);
    const conditions = (await team.status('llmroutes', 'unseen')).conditions ?? [];
    assert.ok(!conditions.some(({ type, status }) => type === 'Programmed' && status === 'True'), JSON.stringify(conditions));
    for (const { metadata, ...binding } of taken)
      await server.apply(`${BINDINGS}/${metadata.name}`, {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: metadata.name },
        ...binding,
      });
    await served('unseen');
    await programmed('llmroutes', 'unseen');
    assert.equal(deployment.operator!.child.exitCode, null);
  });
});

async function residentBytes({ operator }: Deployment): Promise<number> {
  const status = await readFile(`/proc/${operator!.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}
