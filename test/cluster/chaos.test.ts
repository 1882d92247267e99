// Operators and pods that are killed and stopped at moments of chance, under a stream of changes: what a status says of all pods is so,
// no generation has two contents, and a key that is deleted is refused everywhere before long.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { POINTER_FIELD, POINTER_OBJECT } from '#core/snapshot/layout.ts';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, type Process, SYSTEM } from './support/deployment.ts';
import { type ConfigMap, configMaps, kubeOf } from './support/kube.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { sized } from './support/size.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const MISHAPS = sized(60, 6);
const DEADLINE_MS = 60_000;
/** Address of the second operator. */
const SECOND = 9;
/** A leader that is killed is replaced within 17 s, one of a machine that is busy a little later. */
const TAKEOVER_MS = 45_000;
const SEED = Number(process.env.TOLLGATE_SEED ?? Date.now() % 1_000_000);

describe('Tollgate whose processes are killed and stopped', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  let second: Process;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(172), port: 0 });
    deployment = await deploy({ server, pods: 3 });
    second = await deployment.startOperatorAt(SECOND);
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
  });
  after(async () => {
    await second?.kill();
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const route = (model: string) =>
    team.route('moving', model, 'models', { backends: [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }] });
  const chance = seeded(SEED);

  /** Something happens to one process; what is returned mends it. */
  async function mishap(): Promise<{ readonly what: string; readonly stopped: string | undefined; mend(): Promise<void> }> {
    const index = Math.floor(chance() * 3);
    const pod = deployment.pods[index]!;
    const leader = chance() < 0.5 ? deployment.operator! : second;
    switch (Math.floor(chance() * 4)) {
      case 0:
        pod.child.kill('SIGSTOP');
        return { what: `${pod.name} stands still`, stopped: pod.name, mend: async () => void pod.child.kill('SIGCONT') };
      case 1: {
        // Its port refuses until it is there again, as while a kubelet starts it anew.
        await pod.kill();
        return { what: `${pod.name} is killed`, stopped: pod.name, mend: async () => void (await deployment.startPod(index)) };
      }
      case 2:
        leader.child.kill('SIGSTOP');
        return { what: 'an operator stands still', stopped: undefined, mend: async () => void leader.child.kill('SIGCONT') };
      default: {
        await leader.kill();
        return {
          what: 'an operator is killed',
          stopped: undefined,
          mend: async () => {
            if (leader === second) second = await deployment.startOperatorAt(SECOND);
            else await deployment.startOperator();
          },
        };
      }
    }
  }

  test(`says nothing that is not so, through ${MISHAPS} mishaps (TOLLGATE_SEED=${SEED})`, async t => {
    const kube = await kubeOf(await server.access());
    const contents = new Map<number, Set<string>>();
    const pointers = kube.reflector<ConfigMap>(configMaps, {
      selection: { namespace: SYSTEM, fieldSelector: `metadata.name=${POINTER_OBJECT}` },
    });
    pointers.onChange(({ object }) => {
      const text = object.data?.[POINTER_FIELD] ?? '';
      const { generation } = JSON.parse(text) as { generation: number };
      contents.set(generation, (contents.get(generation) ?? new Set()).add(text));
    });
    pointers.start();
    t.after(async () => {
      await pointers.stop();
      await kube.client.close();
    });
    for (let round = 0; round < MISHAPS; round++) {
      const key = `sk-round-${round}-0123456789abcdef0123456789abcdef`;
      await team.key('passing', { tenant: 'team', digest: `sha256:${sha256(key)}` });
      await team.conditions('tenantkeys', 'passing', 'Programmed', 'True', TAKEOVER_MS);
      const happening = await mishap();
      t.diagnostic(`${round}: ${happening.what}`);
      const model = `model-${round}`;
      await team.delete('tenantkeys', 'passing');
      await route(model);
      if (happening.stopped !== undefined) {
        // It is ready for all that the cluster knows: nobody may say that it serves the change.
        const conditions = await team.conditions('llmroutes', 'moving', 'Programmed', 'False', TAKEOVER_MS);
        assert.match(conditions.find(({ type }) => type === 'Programmed')?.message ?? '', new RegExp(happening.stopped));
      } else await pause(chance() * 2_000);
      await happening.mend();
      await team.conditions('llmroutes', 'moving', 'Programmed', 'True', TAKEOVER_MS);
      const [served, revoked] = await Promise.all([
        Promise.all(deployment.pods.map(pod => askPod(pod, model, KEY))),
        Promise.all(deployment.pods.map(pod => askPod(pod, model, key))),
      ]);
      assert.deepEqual(served, [200, 200, 200], `round ${round}: ${happening.what}`);
      assert.deepEqual(revoked, [401, 401, 401], `round ${round}: ${happening.what}`);
    }
    const twice = [...contents].filter(([, texts]) => texts.size > 1);
    assert.deepEqual(twice, []);
    await until('the last is known', () => contents.size > MISHAPS, DEADLINE_MS);
  });
});

/** Mulberry32: the same chances for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
