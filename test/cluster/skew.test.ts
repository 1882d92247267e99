// Releases side by side, as in an upgrade: pods of the schema before this one beside those of this one; and configuration that somebody
// deleted, or that came back from an old backup, under pods that have seen newer.
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { POINTER_FIELD, POINTER_OBJECT } from '#core/snapshot/layout.ts';
import { SCHEMA_VERSION } from '#core/snapshot/snapshot.ts';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, type Pod, SYSTEM } from './support/deployment.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const DEADLINE_MS = 60_000;
const root = path.join(import.meta.dirname, '..', '..');

type ConfigMap = { readonly metadata: { readonly uid: string }; readonly data: Readonly<Record<string, string>> };

describe('releases side by side', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(190), port: 0, keys: ['sk-upstream'] });
    deployment = await deploy({ server, pods: 1 });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    await change('first');
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const configMap = `/api/v1/namespaces/${SYSTEM}/configmaps/${POINTER_OBJECT}`;
  const published = async () => {
    const { data } = await server.call<ConfigMap>('GET', configMap);
    return JSON.parse(data[POINTER_FIELD]!) as { schemaVersion: number; generation: number };
  };
  const serves = (pod: Pod, model: string) =>
    until(`${pod.name} serves ${model}`, async () => (await askPod(pod, model, KEY)) === 200, DEADLINE_MS);
  /** A route that every announced pod is known to serve. */
  async function change(model: string): Promise<void> {
    await team.route('moving', model, 'models', { backends: [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }] });
    await team.conditions('llmroutes', 'moving', 'Programmed', 'True', DEADLINE_MS);
  }

  test('a pod of the schema before is written for as long as there is one, and all pods serve every change', async () => {
    assert.equal((await published()).schemaVersion, SCHEMA_VERSION);
    const old = await deployment.startPod(1, await releaseBefore(server.folder));
    const report = (await (await fetch(`${old.internalUrl}/configz`)).json()) as { schemaVersion: number };
    assert.equal(report.schemaVersion, SCHEMA_VERSION - 1);
    await serves(old, 'first');
    await deployment.announce();
    await until('the older schema is written', async () => (await published()).schemaVersion === SCHEMA_VERSION - 1, DEADLINE_MS);
    await change('beside');
    for (const pod of deployment.pods) assert.equal(await askPod(pod, 'beside', KEY), 200, pod.name);

    await deployment.announce(deployment.pods.slice(0, 1));
    await old.stop();
    await until('the schema of today is written', async () => (await published()).schemaVersion === SCHEMA_VERSION, DEADLINE_MS);
    await change('after');
    assert.equal(await askPod(deployment.pods[0]!, 'after', KEY), 200);
  });

  test('configuration that was deleted is published again, also by an operator that is started after that', async () => {
    const [pod] = deployment.pods;
    const before = await published();
    await server.call('DELETE', configMap);
    await server.call('DELETE', `/api/v1/namespaces/${SYSTEM}/secrets/tollgate-credentials`);
    const again = await until('it is there again', published, DEADLINE_MS);
    assert.ok(again.generation > before.generation, `${again.generation} after ${before.generation}`);
    await change('deleted');
    assert.equal(await askPod(pod!, 'deleted', KEY), 200);

    await deployment.operator!.stop();
    await server.call('DELETE', configMap);
    await deployment.startOperator();
    // Generations begin anew, below what the pod has: only what it has read since counts.
    await change('begun anew');
    assert.equal(await askPod(pod!, 'begun anew', KEY), 200, 'said to be served, and is not');
    assert.ok((await published()).generation < again.generation);
    await team.secret('upstream', { key: 'sk-upstream-wrong' });
    const isRefused = async () => (await askPod(pod!, 'begun anew', KEY)) !== 200;
    await until('a credential that changes then is in use', isRefused, DEADLINE_MS);
  });
});

/** These sources with the number of the schema before. */
async function releaseBefore(folder: string): Promise<string> {
  const release = path.join(folder, 'release-before');
  await mkdir(release);
  for (const part of ['core', 'platform', 'dataplane', 'cli', 'operator', 'package.json'])
    await cp(path.join(root, part), path.join(release, part), { recursive: true });
  await symlink(path.join(root, 'node_modules'), path.join(release, 'node_modules'));
  const file = path.join(release, 'core/snapshot/snapshot.ts');
  const now = `SCHEMA_VERSION = ${SCHEMA_VERSION}`;
  const source = await readFile(file, 'utf8');
  assert.ok(source.includes(now));
  await writeFile(file, source.replace(now, `SCHEMA_VERSION = ${SCHEMA_VERSION - 1}`));
  return release;
}
