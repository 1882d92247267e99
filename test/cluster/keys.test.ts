// The life of keys on a real API server: made anew with an overlap, made for a team over HTTP, running out of budget.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, startApiServer, withoutApiServer } from './support/api-server.ts';
import { askPod, type Deployment, deploy, MASTER_KEY, type Pod } from './support/deployment.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { TeamNamespace } from './support/team.ts';

const DEADLINE_MS = 60_000;
const OVERLAP_S = 12;

type Status = {
  readonly keyID?: string;
  readonly activeKeys?: readonly { readonly id: string; readonly notBefore?: string; readonly notAfter?: string }[];
  readonly budgets?: readonly { readonly name: string; readonly level: string; readonly resetAt?: string }[];
};

describe('keys in a cluster', { skip: withoutApiServer || withoutOwnNetwork }, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(180), port: 0 });
    deployment = await deploy({ server, pods: 2 });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.apply('llmproviders', 'models', {
      type: 'OpenAICompatible',
      openAICompatible: { baseURL: `${simulator.origin}/v1` },
      auth: { secretRef: { name: 'upstream', key: 'key' } },
      models: [{ name: 'tiny', maxOutputTokens: 10, price: { inputPerMTok: '1000', outputPerMTok: '1000' } }],
      allowedRoutes: { namespaces: { from: 'All' } },
      ...patient,
    });
    await team.route('tiny', 'tiny', 'models', { allowedKeys: { namespaces: { from: 'All' } } });
  });
  after(async () => {
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const everywhere = async (what: string, status: number, key: string) => {
    for (const pod of deployment.pods)
      await until(`${what} at ${pod.name}`, async () => (await askPod(pod, 'tiny', key)) === status, DEADLINE_MS);
  };
  const statusOf = (name: string) => team.status('tenantkeys', name) as Promise<Status>;
  const administer = async ({ url }: Pod, path: string, body: object, key = MASTER_KEY) => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  test('a generated key that is made anew: both work until the end of the overlap, then the new one alone', async () => {
    const made = {
      tenant: 'team',
      generate: { secretName: 'rotated-key' },
      rotation: { every: '2160h', overlap: `${OVERLAP_S}s` },
    };
    await team.key('rotated', made);
    const first = (await until('the Secret is there', () => team.readSecret('rotated-key'))).key!;
    await everywhere('the first key', 200, first);
    await team.conditions('tenantkeys', 'rotated', 'Programmed', 'True', DEADLINE_MS);

    await team.annotate('tenantkeys', 'rotated', { 'tollgate.dev/rotate-at': new Date().toISOString() });
    const second = await until(
      'another key is in the Secret',
      async () => {
        const { key } = (await team.readSecret('rotated-key'))!;
        return key !== first && key;
      },
      DEADLINE_MS,
    );
    const ends = await until(
      'the status has both keys',
      async () => {
        const { keyID, activeKeys = [] } = await statusOf('rotated');
        const earlier = activeKeys.find(({ id }) => id === sha256(first).slice(0, 12));
        return keyID === sha256(second).slice(0, 12) && earlier?.notAfter !== undefined && Date.parse(earlier.notAfter);
      },
      DEADLINE_MS,
    );
    await everywhere('the second key', 200, second);
    let overlapped = 0;
    for (let status = 200; status === 200; await pause(50)) {
      status = await askPod(deployment.pods[0]!, 'tiny', first);
      // The status has whole seconds; the key ends within the one that it names.
      if (Date.now() < ends) assert.equal(status, 200, `the first key ended ${ends - Date.now()} ms too soon`);
      if (status === 200) overlapped++;
    }
    assert.ok(overlapped > 0 || Date.now() > ends, 'the first key did not work beside the second');
    assert.ok(Date.now() >= ends);
    await everywhere('the end of the first key', 401, first);
    await everywhere('the second key', 200, second);
    const last = await until(
      'the status has the second key alone',
      async () => {
        const { activeKeys = [] } = await statusOf('rotated');
        return activeKeys.length === 1 && activeKeys[0];
      },
      DEADLINE_MS,
    );
    assert.equal(last.id, sha256(second).slice(0, 12));
    // What was asked for once is done once.
    assert.equal((await team.readSecret('rotated-key'))!.key, second);
  });

  test('a Secret of a generated key that is deleted comes back with another key, and one of somebody else stays as it is', async () => {
    await team.key('remade', { tenant: 'team', generate: { secretName: 'remade-key' } });
    const first = (await until('the Secret is there', () => team.readSecret('remade-key'))).key!;
    await everywhere('the first key', 200, first);
    await server.call('DELETE', '/api/v1/namespaces/team/secrets/remade-key');
    const second = (await until('the Secret is back', () => team.readSecret('remade-key'), DEADLINE_MS)).key!;
    assert.notEqual(second, first);
    await everywhere('the second key', 200, second);
    await everywhere('the end of the first key', 401, first);

    const theirs = 'sk-theirs-0123456789abcdef0123456789abcdef';
    await team.secret('their-key', { key: theirs });
    await team.key('foreign', { tenant: 'team', generate: { secretName: 'their-key' } });
    await everywhere('the key that was there', 200, theirs);
    assert.deepEqual(await team.readSecret('their-key'), { key: theirs });
  });

  test('a key made for a team over HTTP is of that tenant, and makes no keys of others', async () => {
    const [pod] = deployment.pods;
    const made = await administer(pod!, '/key/generate', { key_alias: 'of-red', team_id: 'red' });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const key = String(made.body.key);
    assert.deepEqual([made.body.tenant, made.body.team_id], ['red', 'red']);
    const [namespace, name] = String(made.body.tollgate_id).split('/');
    const { spec } = await server.call<{ spec: { tenant: string } }>(
      'GET',
      `/apis/tollgate.dev/v1alpha1/namespaces/${namespace}/tenantkeys/${name}`,
    );
    assert.equal(spec.tenant, 'red');
    await everywhere('the key of the team', 200, key);
    for (const team_id of ['red', 'blue'])
      assert.equal((await administer(pod!, '/key/generate', { team_id }, key)).status, 403, team_id);
    const moved = await administer(pod!, '/key/update', { key, team_id: 'blue' });
    assert.equal(moved.status, 400, JSON.stringify(moved.body));
  });

  test('a budget that runs out is in the status with the time at which it starts anew', async () => {
    const key = 'sk-spender-0123456789abcdef0123456789abcd';
    const budget = { name: 'daily', amount: '0.5', period: 'Daily', warnAtPercent: [1] };
    await team.key('spender', { tenant: 'spenders', digest: `sha256:${sha256(key)}`, budgets: [budget] });
    await everywhere('the key', 200, key);
    const midnights = [Date.now(), Date.now() + DEADLINE_MS].map(at => new Date(Math.ceil((at + 1) / 86_400_000) * 86_400_000));
    const [shown] = await until(
      'the level is in the status',
      async () => {
        const { budgets } = await statusOf('spender');
        return budgets?.[0]?.level === 'Warn' && budgets;
      },
      DEADLINE_MS,
    );
    assert.ok(
      midnights.some(at => Date.parse(shown!.resetAt ?? '') === at.getTime()),
      JSON.stringify(shown),
    );
  });
});
