// Thousands of keys: made in one go, and there before the operator is. What they cost the API server, how long they take to be known to
// be served, what they weigh, and what a request notices while all of them are loaded anew.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '#platform/digest.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { cpuSeconds, residentMiB } from '#test/bench/process-cost.ts';
import { patient } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { type ApiServer, type AuditLine, startApiServer, withoutApiServer } from './support/api-server.ts';
import { countingWrites, written } from './support/audit.ts';
import { type Crowd, crowdOfKeys } from './support/crowd.ts';
import { askPod, type Deployment, deploy } from './support/deployment.ts';
import { measuring, percentile, percentiles, seconds } from './support/figures.ts';
import { ownNetwork, withoutOwnNetwork } from './support/network.ts';
import { readPublished } from './support/published.ts';
import { isSoak, sized } from './support/size.ts';
import { type Asked, SteadyLoad } from './support/steady-load.ts';
import { TeamNamespace } from './support/team.ts';

/** Far from any goal. */
const DEADLINE_MS = isSoak ? 300_000 : 60_000;
/** All shards and the pointer. */
const WRITES_AT_ONCE = 17;
/** A crowd that goes on is taken up so often. */
const CROWD_MS = 4_000;
const KEY = 'sk-team-0123456789abcdef0123456789abcdef';

const writesTo = (lines: readonly AuditLine[], resource: string): number =>
  lines.filter(({ objectRef }) => objectRef?.resource === resource).length;

type Burst = {
  readonly row: string;
  readonly size: number;
  readonly goal: string;
  readonly seconds: number;
  readonly writes: number;
};
const bursts: readonly Burst[] = [
  {
    row: '5a',
    size: sized(2_000, 500, 'TOLLGATE_CROWD'),
    goal: '2,000 keys in one go: programmed < 10 s after the last, <= 40 writes of configuration, one of status a key',
    seconds: 10,
    writes: 40,
  },
  {
    row: '5b',
    size: sized(10_000, 0, 'TOLLGATE_LARGE_CROWD'),
    goal: '10,000 keys in one go: programmed < 30 s after the last, <= 200 writes of configuration, one of status a key',
    seconds: 30,
    writes: 200,
  },
];

for (const burst of bursts.filter(({ size }) => size > 0))
  describe(`${burst.size} keys in one go`, { skip: withoutApiServer || withoutOwnNetwork }, () => {
    let server: ApiServer;
    let deployment: Deployment;
    let keys: Crowd;
    before(async () => {
      server = await startApiServer();
      deployment = await deploy({ server, pods: 3, podEnv: { LOG_LEVEL: 'warn' } });
      const team = new TeamNamespace(server, 'team');
      await team.create();
      keys = await crowdOfKeys(server, team, burst.size);
    });
    after(async () => {
      await keys?.close();
      await deployment?.stop();
      await server?.stop();
    });

    test('are all programmed soon, by few writes of configuration and one of status each', async () => {
      const figure = measuring(import.meta.filename);
      const writes = await countingWrites(server);
      const cpu = () => [deployment.operator!.child.pid!, server.pid].map(pid => cpuSeconds(pid) ?? 0) as [number, number];
      const before = cpu();
      const began = performance.now();
      await keys.apply();
      const applied = performance.now();
      await keys.programmed(DEADLINE_MS);
      const ms = performance.now() - applied;
      const now = cpu();
      const made = await writes();
      const [ofConfiguration, ofStatus] = [writesTo(made, 'configmaps'), writesTo(made, 'tenantkeys')];
      const used = `CPU: operator ${(now[0] - before[0]).toFixed(1)} s, API server ${(now[1] - before[1]).toFixed(1)} s`;
      figure({
        row: burst.row,
        goal: burst.goal,
        measured: `${burst.size} keys, applied in ${seconds(applied - began)}: ${seconds(ms)}, ${ofConfiguration} writes, ${ofStatus} of status; ${used}`,
        isMet: ms < burst.seconds * 1000 && ofConfiguration <= burst.writes && ofStatus === burst.size,
      });
      // A machine that takes long to apply them makes more than one crowd of them.
      const most = WRITES_AT_ONCE * (3 + (applied - began) / CROWD_MS);
      assert.ok(ofConfiguration <= most, `${ofConfiguration} writes of configuration`);
      assert.equal(ofStatus, burst.size);
    });
  });

const SIZE = sized(10_000, 500, 'TOLLGATE_LARGE_CROWD');
const ROUTES = sized(500, 25);
const STARTS = sized(5, 1);
const RELOADS = sized(20, 4);
/** Requests of so long after a reload was let loose are compared with those of as long before it. */
const WINDOW_MS = 400;

describe(`${SIZE} keys and ${ROUTES} routes that were there before the operator`, {
  skip: withoutApiServer || withoutOwnNetwork,
}, () => {
  let server: ApiServer;
  let simulator: Simulator;
  let deployment: Deployment;
  let team: TeamNamespace;
  let keys: Crowd;
  before(async () => {
    server = await startApiServer();
    simulator = await startSimulator({ host: ownNetwork!.address(180), port: 0 });
    deployment = await deploy({ server, pods: 3, podEnv: { LOG_LEVEL: 'warn' } });
    team = new TeamNamespace(server, 'team');
    await team.create();
    await team.secret('upstream', { key: 'sk-upstream' });
    await team.provider('models', { openAICompatible: { baseURL: `${simulator.origin}/v1` } }, 'upstream', ['tiny'], patient);
    await team.key('client', { tenant: 'team', digest: `sha256:${sha256(KEY)}` });
    await team.route('tiny', 'tiny', 'models');
    await team.conditions('llmroutes', 'tiny', 'Programmed', 'True', DEADLINE_MS);
    await deployment.operator!.stop();
    const backends = [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }];
    for (let index = 0; index < ROUTES; index++) await team.route(`route-${index}`, `model-${index}`, 'models', { backends });
    keys = await crowdOfKeys(server, team, SIZE);
    await keys.apply();
  });
  after(async () => {
    await keys?.close();
    await deployment?.stop();
    await simulator?.close();
    await server?.stop();
  });

  const ask = (model = 'tiny') => askPod(deployment.pods[0]!, model, KEY);

  test('are programmed when the operator comes, by few writes of configuration and one of status each', async () => {
    const figure = measuring(import.meta.filename);
    const writes = await countingWrites(server);
    const began = performance.now();
    await deployment.startOperator();
    await keys.programmed(DEADLINE_MS);
    const ms = performance.now() - began;
    const made = await writes();
    const [ofConfiguration, ofStatus] = [writesTo(made, 'configmaps'), writesTo(made, 'tenantkeys')];
    figure({
      row: '5c',
      goal: '10,000 keys at the start of the operator: <= 40 writes of configuration, one of status a key',
      measured: `${SIZE} keys, ${ROUTES} routes: ${ofConfiguration} writes, ${ofStatus} of status; programmed ${seconds(ms)} after it was started`,
      isMet: ofConfiguration <= 40 && ofStatus === SIZE,
    });
    assert.ok(ofConfiguration <= 40, `${ofConfiguration} writes of configuration`);
    assert.equal(ofStatus, SIZE);
  });

  test('are not touched by one that is broken, which says itself what is wrong with it', async () => {
    const figure = measuring(import.meta.filename);
    await team.conditions('llmroutes', `route-${ROUTES - 1}`, 'Programmed', 'True', DEADLINE_MS);
    const writes = await countingWrites(server);
    await team.key('broken', { tenant: 'crowd', secretRef: { name: 'nowhere', key: 'key' } });
    const [, resolved] = await team.conditions('tenantkeys', 'broken', 'ResolvedRefs', 'False', DEADLINE_MS);
    assert.equal(resolved?.reason, 'SecretNotFound');
    assert.match(resolved?.message ?? '', /spec\.secretRef.*team\/nowhere/);
    const made = written(await writes());
    assert.equal(await ask(), 200);
    const fresh = 'sk-fresh-0123456789abcdef0123456789abcdef';
    await team.key('fresh', { tenant: 'crowd', digest: `sha256:${sha256(fresh)}` });
    await until('a later key works', async () => (await askPod(deployment.pods[0]!, 'tiny', fresh)) === 200, DEADLINE_MS);
    figure({
      row: '22',
      goal: 'one bad object: all others stay live; its error names field and object',
      measured: `beside ${SIZE} keys: "${resolved?.message}"; written: ${made}; the others serve, and take changes`,
      isMet: made === 'tenantkeys/status',
    });
    await team.delete('tenantkeys', 'broken');
    assert.equal(made, 'tenantkeys/status');
  });

  test('are known to an operator and served by a pod soon after these start anew', async () => {
    const figure = measuring(import.meta.filename);
    const [operator, pod]: [number[], number[]] = [[], []];
    let ownCpu = 0;
    const timed = async (start: () => Promise<unknown>) => {
      const began = performance.now();
      await start();
      return performance.now() - began;
    };
    for (let count = 0; count < STARTS; count++) {
      await deployment.operator!.stop();
      operator.push(await timed(() => deployment.startOperator()));
      ownCpu = Math.max(ownCpu, cpuSeconds(deployment.operator!.child.pid!) ?? 0);
      await deployment.pods[0]!.kill();
      pod.push(await timed(() => deployment.startPod(0)));
      assert.equal(await ask(), 200);
    }
    figure({
      row: '9',
      goal: 'start to ready at 10,000 keys: operator < 5 s, data plane < 2 s',
      measured: `${SIZE} keys, ${STARTS} times, slowest: operator ${seconds(Math.max(...operator))} (its own CPU: ${ownCpu.toFixed(1)} s), data plane ${seconds(Math.max(...pod))}`,
      isMet: Math.max(...operator) < 5_000 && Math.max(...pod) < 2_000,
    });
  });

  test('weigh no more than they should', async () => {
    const figure = measuring(import.meta.filename);
    // A change, so that the operator has compiled and published all since it started.
    await team.route('last', 'last', 'models', { backends: [{ name: 'b', providerRef: { name: 'models' }, model: 'tiny' }] });
    await team.conditions('llmroutes', 'last', 'Programmed', 'True', DEADLINE_MS);
    const [operator, pod] = [deployment.operator!, deployment.pods[0]!].map(({ child }) => residentMiB(child.pid!) ?? 0);
    figure({
      row: '8',
      goal: 'memory of the operator at 10,000 keys and 500 routes: RSS < 250 MiB',
      measured: `${SIZE} keys, ${ROUTES} routes: ${operator!.toFixed(0)} MiB without a limit set from outside; a data-plane pod ${pod!.toFixed(0)} MiB`,
      isMet: operator! < 250,
    });
    assert.ok(operator! > 0 && operator! < 1_000, `${operator} MiB`);
  });

  test('are loaded anew beside requests that hardly notice', async t => {
    await deployment.operator!.stop();
    // One pod: on this machine others would load at the same moment, on the same cores.
    const [pod, ...others] = deployment.pods;
    await Promise.all(others.map(other => other.kill()));
    const published = await readPublished(server);
    const figure = measuring(import.meta.filename);
    const load = new SteadyLoad(100, () => ask());
    t.after(() => load.stop());
    const flips: number[] = [];
    const loadedIn: number[] = [];
    for (let count = 0; count < RELOADS; count++) {
      const expiresAt = Date.now() + 86_400_000;
      const flip = await published.prepare(shard => ({ ...shard, keys: shard.keys.map(key => ({ ...key, expiresAt })) }));
      await pause(2 * WINDOW_MS);
      const began = performance.now();
      flips.push(began);
      await flip();
      const { generation } = published.pointer;
      await until('it is loaded', async () => (await pod!.configz()).generation === generation, DEADLINE_MS);
      loadedIn.push(performance.now() - began);
      await pause(WINDOW_MS);
    }
    const asked = await load.stop();
    assert.ok(
      asked.length > 0 && asked.every(({ status }) => status === 200),
      JSON.stringify(asked.filter(a => a.status !== 200)),
    );
    const between = (from: number, to: number) => asked.filter(({ at }: Asked) => at >= from && at < to).map(({ ms }) => ms);
    const without = flips.flatMap(at => between(at - WINDOW_MS, at));
    const beside = flips.flatMap(at => between(at, at + WINDOW_MS));
    const added = percentile(beside, 99) - percentile(without, 99);
    figure({
      row: '14',
      goal: 'all 10,000 keys loaded anew: adds < 5 ms to the p99 of requests',
      measured: `${SIZE} keys, ${RELOADS} times, 100 requests/s: adds ${added.toFixed(1)} ms (${percentiles(without)}; beside it ${percentiles(beside)}); loaded in ${percentile(loadedIn, 50).toFixed(0)} ms`,
      isMet: added < 5,
    });
  });
});
