// The API server is away: requests go on, pods that start meanwhile serve what was there, and when it is back changes arrive.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, type Pod } from './support/deployment.ts';
import { measuring, seconds } from './support/figures.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { sized } from './support/size.ts';
import { SteadyLoad } from './support/steady-load.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const AWAY_SECONDS = sized(600, 6, 'TOLLGATE_AWAY_SECONDS');
const REQUESTS_PER_SECOND = 30;
const DEADLINE_MS = 60_000;

describe('while the API server is away', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(190), port: 0 });
    deployment = await deploy({ server, pods: 3, podEnv: { LOG_LEVEL: 'warn' } });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    await team.route('tiny', 'tiny', 'models');
    for (const pod of deployment.pods) await serves(pod, 'tiny');
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const serves = (pod: Pod, model: string) =>
    until(`${pod.name} serves ${model}`, async () => (await askPod(pod, model, KEY)) === 200, DEADLINE_MS);

  /** As a container that crashed: at once, and with its volumes. */
  async function restarted(index: number): Promise<Pod> {
    await deployment.pods[index]!.kill();
    return deployment.startPod(index);
  }

  test(`for ${AWAY_SECONDS} s no request fails, pods that start serve the last configuration, and later changes arrive`, async t => {
    const figure = measuring(import.meta.filename);
    const steady = deployment.pods.slice(0, 2);
    const load = new SteadyLoad(REQUESTS_PER_SECOND, index => askPod(steady[index % 2]!, 'tiny', KEY));
    t.after(() => load.stop());
    await server.kill();
    const began = performance.now();
    const startedIn: number[] = [];
    for (const share of [0.1, 0.9]) {
      await pause(Math.max(0, began + share * AWAY_SECONDS * 1000 - performance.now()));
      const at = performance.now();
      const again = await restarted(2);
      startedIn.push(performance.now() - at);
      assert.equal(await askPod(again, 'tiny', KEY), 200);
      const readiness = (await (await fetch(`${again.internalUrl}/readyz`)).json()) as { degraded: string[] };
      assert.deepEqual(readiness.degraded, ['cluster']);
    }
    await pause(Math.max(0, began + AWAY_SECONDS * 1000 - performance.now()));
    await server.start();
    const back = performance.now();
    const backends = [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }];
    await team.route('later', 'later', 'models', { backends });
    for (const pod of deployment.pods) await serves(pod, 'later');
    const arrived = performance.now() - back;
    await team.conditions('llmroutes', 'later', 'Programmed', 'True', DEADLINE_MS);
    const asked = await load.stop();
    const failed = asked.filter(({ status }) => status !== 200);
    figure({
      row: '12',
      goal: 'API server away for 10 minutes: 0 failed requests; pods started meanwhile serve the last good configuration',
      measured: `${AWAY_SECONDS} s: ${failed.length} of ${asked.length} requests failed; pods started after ${startedIn.map(seconds).join(' and ')} served; a change was everywhere ${seconds(arrived)} after the return`,
      isMet: failed.length === 0,
    });
    assert.ok(asked.length > AWAY_SECONDS);
    assert.deepEqual(failed, []);
    for (const { name, child } of [...steady, { ...deployment.operator!, name: 'operator' }])
      assert.equal(child.exitCode ?? child.signalCode, null, `${name} ended`);
  });
});
