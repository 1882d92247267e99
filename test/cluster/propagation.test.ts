// How long it takes from `kubectl apply` until every pod serves a change and until its status says so, also after a time in which nothing
// happened and nothing was written; and from a key's end to the last request that it was good for.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { countingWrites, written } from './support/audit.ts';
import { askPod, type Deployment, deploy, type Pod } from './support/deployment.ts';
import { measuring, percentile, percentiles } from './support/figures.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { isSoak, sized } from './support/size.ts';
import { SteadyLoad } from './support/steady-load.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const PODS = isSoak ? 10 : 3;
const CHANGES = sized(500, 40);
const REVOCATIONS = sized(50, 5);
const REQUESTS_PER_SECOND = 200;
const IDLE_SECONDS = sized(600, 5, 'TOLLGATE_IDLE_SECONDS');
const IDLE_TIMES = sized(3, 1, 'TOLLGATE_IDLE_TIMES');
/** What only follows the surroundings of an object is written at most so long after the last write. */
const SETTLED_MS = 11_000;
/** Far from any goal: a machine with other work to do is slow. */
const DEADLINE_MS = 30_000;

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
    await everywhere('tiny', 200);
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const ask = (pod: Pod, model: string, key = KEY) => askPod(pod, model, key);
  const everywhere = (model: string, status: number, key = KEY) =>
    Promise.all(
      deployment.pods.map(pod =>
        until(`${pod.name}: ${model} is ${status}`, async () => (await ask(pod, model, key)) === status, DEADLINE_MS),
      ),
    );

  /** @returns milliseconds from the call of the API server until all pods serve it, and until its status says so */
  async function change(model: string): Promise<{ served: number; programmed: number }> {
    const began = performance.now();
    const backends = [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }];
    await team.route('moving', model, 'models', { backends });
    await everywhere(model, 200);
    const served = performance.now() - began;
    await team.conditions('llmroutes', 'moving', 'Programmed', 'True', DEADLINE_MS);
    return { served, programmed: performance.now() - began };
  }

  test(`apply to served by all of ${PODS} pods, and to Programmed, over ${CHANGES} changes`, async () => {
    const figure = measuring(import.meta.filename);
    const took: { served: number; programmed: number }[] = [];
    for (let count = 0; count < CHANGES; count++) took.push(await change(`moving-${count}`));
    const [served, programmed] = [took.map(each => each.served), took.map(each => each.programmed)];
    figure({
      row: '1',
      goal: 'apply to served by all of 10 pods: p50 < 150 ms, p99 < 500 ms',
      measured: `${PODS} pods: ${percentiles(served)}; Programmed: ${percentiles(programmed)}`,
      isMet: percentile(served, 50) < 150 && percentile(served, 99) < 500,
    });
    for (const { served, programmed } of took) assert.ok(served > 0 && programmed >= served);
  });

  test(`after ${IDLE_SECONDS} s in which nothing happens nothing was written, few watches are open, and a change is as fast`, async () => {
    const figure = measuring(import.meta.filename);
    const settling = await countingWrites(server);
    let quietSince = performance.now();
    for (let count = 0; performance.now() - quietSince < SETTLED_MS; await pause(250)) {
      const { length } = await settling();
      if (length !== count) quietSince = performance.now();
      count = length;
    }
    const took: number[] = [];
    let writes = '';
    for (let count = 0; count < IDLE_TIMES; count++) {
      const since = await countingWrites(server);
      await pause(IDLE_SECONDS * 1000);
      writes += written(await since());
      took.push((await change(`after-idling-${count}`)).served);
    }
    figure({
      row: '2',
      goal: 'the same after 10 idle minutes: p99 < 500 ms',
      measured: `${IDLE_SECONDS} s idle, then a change, ${IDLE_TIMES} times: ${percentiles(took)}`,
      isMet: percentile(took, 99) < 500,
    });
    const watches = (await server.openWatches()).filter(({ userAgent }) => userAgent?.startsWith('tollgate'));
    const counted = watches.map(({ userAgent, objectRef }) => `${userAgent}: ${objectRef!.resource}`);
    const ofOperator = counted.filter(each => each.startsWith('tollgate-operator'));
    const ofPods = counted.filter(each => !each.startsWith('tollgate-operator'));
    const kinds = new Set(ofOperator.filter(each => !each.endsWith(': secrets')));
    const isMet =
      writes === '' && ofOperator.length <= kinds.size + 1 && ofPods.length === 2 * PODS && ofOperator.length > kinds.size;
    figure({
      row: '7',
      goal: 'nothing changes: 0 writes but the Lease; one watch a kind and one a referenced Secret, 2 a pod',
      measured: `${IDLE_SECONDS} s, ${IDLE_TIMES} times: written: ${writes || 'nothing'}; watches: ${kinds.size} kinds by ${ofOperator.length - 1}, 1 Secret by 1, ${PODS} pods by ${ofPods.length}`,
      isMet,
    });
    assert.equal(writes, '');
    assert.equal(ofOperator.length, kinds.size + 1, counted.join('\n'));
    assert.equal(ofPods.length, 2 * PODS, counted.join('\n'));
  });

  test(`deletion of a key to the last request that it was good for, over ${REVOCATIONS} keys under ${REQUESTS_PER_SECOND} requests/s`, async t => {
    const figure = measuring(import.meta.filename);
    const took: number[] = [];
    for (let round = 0; round < REVOCATIONS; round++) {
      const secret = `sk-round-${round}-0123456789abcdef0123456789`;
      await team.key('short', { tenant: 'team', digest: `sha256:${sha256(secret)}` });
      await everywhere('tiny', 200, secret);
      const load = new SteadyLoad(REQUESTS_PER_SECOND, index => ask(deployment.pods[index % PODS]!, 'tiny', secret));
      t.after(() => load.stop());
      await until('the load has begun', () => load.asked.length > 20, DEADLINE_MS);
      const began = performance.now();
      await team.delete('tenantkeys', 'short');
      await everywhere('tiny', 401, secret);
      const asked = await load.stop();
      const accepted = asked.filter(({ status }) => status === 200).map(({ at }) => at);
      assert.ok(accepted.length > 0 && asked.some(({ status }) => status === 401));
      assert.ok(asked.every(({ status }) => status === 200 || status === 401));
      took.push(Math.max(0, Math.max(...accepted) - began));
    }
    figure({
      row: '4',
      goal: 'deletion of a key to the last accepted request, under 200 requests/s: p99 < 1 s',
      measured: `${PODS} pods: ${percentiles(took)}`,
      isMet: percentile(took, 99) < 1_000,
    });
  });
});
