// Pods whose operator is of another release: what was published with the schema before or after their own is served and acknowledged;
// what is further away is refused, and what was served stays.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SCHEMA_VERSION } from '#core/snapshot/snapshot.ts';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy } from './support/deployment.ts';
import { measuring } from './support/figures.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { type Published, readPublished, type ShardContent } from './support/published.ts';
import { TeamNamespace } from './support/team.ts';

const KEY = 'sk-team-0123456789abcdef0123456789abcdef';
const DEADLINE_MS = 60_000;
type Route = { readonly match: readonly { readonly model: { readonly value: string } }[] };

describe('pods whose operator is of another release', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let published: Published;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(185), port: 0 });
    deployment = await deploy({ server, pods: 2, podEnv: { LOG_LEVEL: 'warn' } });
    const team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    const backends = [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }];
    await team.route('route', 'tiny', 'models', { backends });
    await team.conditions('llmroutes', 'route', 'Programmed', 'True', DEADLINE_MS);
    await deployment.operator!.stop();
    published = await readPublished(server);
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  /** The same for another model, as a release of that version would write it, with things that ours does not know. */
  const asOf = (schemaVersion: number, model: string) => (shard: ShardContent) => {
    const foreign = { ofAnotherRelease: { deep: [1] } };
    const routes = (shard.routes as Route[]).map(route => ({
      ...route,
      ...foreign,
      match: route.match.map(match => ({ ...match, model: { ...match.model, value: model } })),
    }));
    const keys = shard.keys.map(key => ({ ...key, ...foreign }));
    return { ...shard, schemaVersion, routes, keys, kindsOfAnotherRelease: [foreign] };
  };

  async function publish(schemaVersion: number, model: string): Promise<number> {
    const flip = await published.prepare(asOf(schemaVersion, model), { schemaVersion });
    await flip();
    return published.pointer.generation;
  }

  test('serve and acknowledge what is of one schema before and one after', async () => {
    const figure = measuring(import.meta.filename);
    const versions = [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1];
    for (const schemaVersion of versions) {
      const model = `of-${schemaVersion}`;
      const generation = await publish(schemaVersion, model);
      for (const pod of deployment.pods) {
        await until(`${pod.name} serves ${model}`, async () => (await askPod(pod, model, KEY)) === 200, DEADLINE_MS);
        assert.equal((await pod.configz()).generation, generation);
        assert.equal(await askPod(pod, 'tiny', KEY), 404);
      }
    }
    figure({
      row: '15',
      goal: 'configuration of one schema version before and one after: served and acknowledged',
      measured: `versions ${versions.join(' and ')} on pods of ${SCHEMA_VERSION}: both; the other way, older pods beside newer ones: \`skew.test.ts\``,
      isMet: true,
    });
  });

  test('start anew with it', async () => {
    await deployment.pods[0]!.kill();
    assert.equal(await askPod(await deployment.startPod(0), `of-${SCHEMA_VERSION + 1}`, KEY), 200);
  });

  test('keep what they have where it is of two schemas after, and say so', async () => {
    const { generation } = published.pointer;
    await publish(SCHEMA_VERSION + 2, 'too-new');
    for (const pod of deployment.pods) {
      const { lastError } = await until(
        `${pod.name} complains`,
        async () => {
          const report = await pod.configz();
          return report.lastError !== undefined && report;
        },
        DEADLINE_MS,
      );
      assert.match(lastError!, new RegExp(`${SCHEMA_VERSION + 2}`));
      assert.equal((await pod.configz()).generation, generation);
      assert.equal(await askPod(pod, `of-${SCHEMA_VERSION + 1}`, KEY), 200);
      assert.equal(await askPod(pod, 'too-new', KEY), 404);
    }
  });
});
