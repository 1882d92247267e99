// What a status says is so: a pod that stands still is never said to serve a change, and engines follow their pods.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { type Deployment, deploy, type Pod } from './support/deployment.ts';
import { measuring } from './support/figures.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { sized } from './support/size.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const CHANGES = sized(1_000, 40);
const DEADLINE_MS = 60_000;

describe('statuses in a cluster that looks after one namespace', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let engine: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    engine = await startSimulator({ host: ownNetwork!.address(160), port: 0, wire: 'vllm', models: ['tiny'] });
    team = new TeamNamespace(server, 'team');
    await team.create();
    deployment = await deploy({ server, pods: 3, watchNamespaces: ['team'] });
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
  });
  after(async () => {
    await deployment?.stop();
    await engine?.close();
    await server?.stop();
  });

  const ask = async (pod: Pod, model: string) => {
    const response = await fetch(`${pod.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Say hello.' }] }),
    });
    await response.arrayBuffer();
    return response.status;
  };
  const announceEngine = (endpoints: readonly object[]) =>
    server.apply('/apis/discovery.k8s.io/v1/namespaces/team/endpointslices/vllm-1', {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'vllm-1', labels: { 'kubernetes.io/service-name': 'vllm' } },
      addressType: 'IPv4',
      endpoints,
      ports: [{ name: 'http', port: Number(new URL(engine.origin).port), protocol: 'TCP' }],
    });

  test('engines of a Service are found by their own addresses, and follow it', async () => {
    await team.apply('llmproviders', 'engines', {
      type: 'VLLM',
      vLLM: { serviceRef: { name: 'vllm', port: 80 } },
      models: [{ name: 'tiny', price: { gpuHour: '1', gpus: 1 } }],
      ...patient,
    });
    await team.route('tiny', 'tiny', 'engines');
    const [, missing] = await team.conditions('llmproviders', 'engines', 'ResolvedRefs', 'False');
    assert.equal(missing?.reason, 'ServiceNotFound');
    await server.apply('/api/v1/namespaces/team/services/vllm', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'vllm' },
      spec: { ports: [{ name: 'http', port: 80, targetPort: 8000 }], clusterIP: 'None' },
    });
    const endpoint = { addresses: [new URL(engine.origin).hostname], conditions: { ready: true } };
    await announceEngine([endpoint]);
    for (const pod of deployment.pods) await until(`${pod.name} finds the engine`, async () => (await ask(pod, 'tiny')) === 200);
    await team.conditions('llmproviders', 'engines', 'Ready', 'True', 20_000);
    const status = await until(
      'the endpoint is counted',
      async () => {
        const { endpoints } = (await team.status('llmproviders', 'engines')) as { endpoints?: { total: number; ready: number } };
        return endpoints?.ready === 1 && endpoints;
      },
      20_000,
    );
    assert.equal(status.total, 1);
    await announceEngine([{ ...endpoint, conditions: { ready: false } }]);
    for (const pod of deployment.pods)
      await until(`${pod.name} loses the engine`, async () => (await ask(pod, 'tiny')) !== 200, DEADLINE_MS);
    await announceEngine([endpoint]);
    for (const pod of deployment.pods)
      await until(`${pod.name} has it again`, async () => (await ask(pod, 'tiny')) === 200, DEADLINE_MS);
  });

  test(`Programmed is never true while a pod lacks the change: ${CHANGES} changes, one pod paused now and then`, async () => {
    const figure = measuring(import.meta.filename);
    const paused = deployment.pods[1]!;
    let lies = 0;
    for (let change = 0; change < CHANGES; change++) {
      const isPaused = change % 10 === 9;
      if (isPaused) paused.child.kill('SIGSTOP');
      const name = `model-${change}`;
      await team.route('moving', name, 'engines', { backends: [{ name: 'b', providerRef: { name: 'engines' }, model: 'tiny' }] });
      if (isPaused) {
        const conditions = await team.conditions('llmroutes', 'moving', 'Programmed', 'False');
        const programmed = conditions.find(({ type }) => type === 'Programmed');
        assert.equal(programmed?.reason, 'Propagating');
        assert.match(programmed?.message ?? '', /pod-1/);
        paused.child.kill('SIGCONT');
      }
      await team.conditions('llmroutes', 'moving', 'Programmed');
      const served = await Promise.all(deployment.pods.map(pod => ask(pod, name)));
      if (served.some(status => status !== 200)) lies++;
    }
    figure({
      row: '3',
      goal: 'Programmed=True never lies: 0 of 1,000 changes with a paused pod',
      measured: `${CHANGES} changes, a pod paused in ${Math.floor(CHANGES / 10)}: ${lies} lies`,
      isMet: lies === 0,
    });
    assert.equal(lies, 0);
  });
});
