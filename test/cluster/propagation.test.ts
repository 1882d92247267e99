// How long it takes from `kubectl apply` until every pod serves a change and until its status says so; and from a key's end to the last
// request that it was good for. The figures are of the machine at hand and are told, not judged: what is asserted is that all of it
// comes, in this order, and that what has ended stays so.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until, within } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, type Pod } from './support/deployment.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const SOAK = process.env.TOLLGATE_SOAK !== undefined;
const PODS = SOAK ? 10 : 3;
const CHANGES = SOAK ? 500 : 60;
const REVOCATIONS = SOAK ? 50 : 10;
/** Of one change, on a machine that may be busy with anything. */
const DEADLINE_MS = 60_000;

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
    for (const pod of deployment.pods) await comes('it is served', pod, 'tiny', 200);
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const ask = (pod: Pod, model: string, key = KEY) => askPod(pod, model, key);
  const comes = (what: string, pod: Pod, model: string, status: number, key = KEY) =>
    until(what, async () => (await ask(pod, model, key)) === status, DEADLINE_MS);
  const backends = [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }];

  test(`apply to served by all of ${PODS} pods, and to Programmed, over ${CHANGES} changes`, async () => {
    const served: number[] = [];
    const programmed: number[] = [];
    for (let change = 0; change < CHANGES; change++) {
      const model = `moving-${change}`;
      const began = performance.now();
      await team.route('moving', model, 'models', { backends });
      await Promise.all(deployment.pods.map(pod => comes(`${pod.name} serves ${model}`, pod, model, 200)));
      served.push(performance.now() - began);
      await team.conditions('llmroutes', 'moving', 'Programmed', 'True', DEADLINE_MS);
      programmed.push(performance.now() - began);
      const earlier = await Promise.all(deployment.pods.map(pod => ask(pod, `moving-${change - 1}`)));
      assert.ok(!earlier.includes(200), `a pod still serves what was before change ${change}: ${earlier}`);
    }
    console.log(`served by all ${PODS} pods: ${figures(served)}; Programmed: ${figures(programmed)}`);
  });

  test(`deletion of a key to the last request that it was good for, over ${REVOCATIONS} keys under load`, async () => {
    const took: number[] = [];
    for (let round = 0; round < REVOCATIONS; round++) {
      const secret = `sk-round-${round}-0123456789abcdef0123456789`;
      await team.key('short', { tenant: 'team', digest: `sha256:${sha256(secret)}` });
      for (const pod of deployment.pods) await comes('the key works', pod, 'tiny', 200, secret);
      const lastAccepted: number[] = [];
      const load = deployment.pods.map(async pod => {
        for (let refusals = 0; refusals < 20; await pause(10)) {
          const asked = performance.now();
          const status = await ask(pod, 'tiny', secret);
          if (status === 401) refusals++;
          else {
            assert.equal(refusals, 0, `${pod.name} let a key in that it had refused: ${status}`);
            lastAccepted.push(asked);
          }
        }
      });
      await pause(50);
      const began = performance.now();
      await team.delete('tenantkeys', 'short');
      await within(DEADLINE_MS, 'every pod refuses the key', Promise.all(load));
      took.push(Math.max(0, Math.max(...lastAccepted) - began));
    }
    console.log(`deletion to the last accepted request: ${figures(took)}`);
  });
});

const percentile = (values: readonly number[], percent: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * percent) / 100))]!;
const figures = (values: readonly number[]): string =>
  [50, 90, 99].map(percent => `p${percent} ${Math.round(percentile(values, percent))} ms`).join(', ');
