// How long it takes from `kubectl apply` until every pod serves a change and until its status says so; and from a key's end to the last
// request that it was good for. The figures are for the machine at hand; the bounds here are generous.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, type Pod } from './support/deployment.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const SOAK = process.env.TOLLGATE_SOAK !== undefined;
const PODS = SOAK ? 10 : 3;
const CHANGES = SOAK ? 500 : 60;
const REVOCATIONS = SOAK ? 50 : 10;

describe('the way of a change', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(170), port: 0 });
    deployment = await deploy({ server, pods: PODS, podEnv: { LOG_LEVEL: 'warn' } });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    await team.route('tiny', 'tiny', 'models');
    for (const pod of deployment.pods) await until('it is served', async () => (await ask(pod, 'tiny')) === 200);
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const ask = (pod: Pod, model: string, key = KEY) => askPod(pod, model, key);
  const backends = [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }];

  test(`apply to served by all of ${PODS} pods, and to Programmed, over ${CHANGES} changes`, async () => {
    const served: number[] = [];
    const programmed: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      const model = `moving-${change}`;
      const began = performance.now();
      await team.route('moving', model, 'models', { backends });
      const all = deployment.pods.map(pod => until(`${pod.name} serves ${model}`, async () => (await ask(pod, model)) === 200));
      await Promise.all(all);
      served.push(performance.now() - began);
      await team.conditions('llmroutes', 'moving', 'Programmed');
      programmed.push(performance.now() - began);
    }
    console.log(`served by all ${PODS} pods: ${figures(served)}; Programmed: ${figures(programmed)}`);
    assert.ok(percentile(served, 99) < 1_000, figures(served));
    assert.ok(percentile(programmed, 99) < 2_000, figures(programmed));
  });

  test(`deletion of a key to the last request that it was good for, over ${REVOCATIONS} keys under load`, async () => {
    const took: number[] = [];
    for (let round = 0; round < REVOCATIONS; round++) {
      const secret = `sk-round-${round}-0123456789abcdef0123456789`;
      await team.key('short', { tenant: 'team', digest: `sha256:${sha256(secret)}` });
      for (const pod of deployment.pods) await until('the key works', async () => (await ask(pod, 'tiny', secret)) === 200);
      let last = 0;
      let isOver = false;
      const load = deployment.pods.map(async pod => {
        for (let refusals = 0; !isOver && refusals < 20; ) {
          const asked = performance.now();
          if ((await ask(pod, 'tiny', secret)) === 200) last = Math.max(last, asked);
          else refusals++;
          await pause(10);
        }
      });
      await pause(50);
      const began = performance.now();
      await team.delete('tenantkeys', 'short');
      await Promise.race([Promise.all(load), pause(5_000)]);
      isOver = true;
      took.push(Math.max(0, last - began));
    }
    console.log(`deletion to the last accepted request: ${figures(took)}`);
    assert.ok(percentile(took, 99) < 1_000, figures(took));
  });
});

const percentile = (values: readonly number[], percent: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * percent) / 100))]!;
const figures = (values: readonly number[]): string =>
  [50, 90, 99].map(percent => `p${percent} ${Math.round(percentile(values, percent))} ms`).join(', ');
