// Engines that stand still, die, sleep and restart behind a real gateway: found in time, never by mistake, and no request fails that had
// a healthy replica.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineStateName } from '#core/engines/state.ts';
import { startEngine } from '#simulator/index.ts';
import { ask, chatsAt, type EngineFleet, engineYaml, startEngineFleet, stateOf, toldAt } from '#test/support/engine-fleet.ts';
import { startGateway } from '#test/support/gateway.ts';
import { freePort } from '#test/support/ports.ts';
import { until } from '#test/support/until.ts';

const interval = 250;
const wedgedAfter = 3000;

describe('replicas in trouble', { timeout: 300_000 }, () => {
  let fleet: EngineFleet;
  before(async () => {
    fleet = await startEngineFleet({
      replicas: 4,
      gateways: 1,
      engine: { maxNumSeqs: 8, cost: { step: 10, perSequence: 0, perPrefillToken: 0.1 } },
      probes: { interval: `${interval}ms`, wedgedAfter: `${wedgedAfter / 1000}s`, staleAfter: '2s', queueDepth: 5 },
    });
  });
  after(() => fleet?.close());

  /** A request every so often until told to stop; resolves with the statuses. */
  function steadily(everyMs: number): () => Promise<readonly number[]> {
    let isOver = false;
    const answers: Promise<number>[] = [];
    const sending = (async () => {
      while (!isOver) {
        answers.push(ask(fleet.gateways[0]!, 20));
        await delay(everyMs);
      }
    })();
    return async () => {
      isOver = true;
      await sending;
      return Promise.all(answers);
    };
  }

  test('wedged is found within wedgedAfter and two scrapes; what waited for it is answered by others; a long prefill and a full queue are no false alarms', async t => {
    const [wedged, prefilling, full] = fleet.replicas;
    // 12.8 s in which nothing moves but the KV usage.
    prefilling!.occupy({ count: 1, promptTokens: 128_000, outputTokens: 10 });
    full!.occupy({ count: 60, promptTokens: 100, outputTokens: 300 });
    wedged!.occupy({ count: 2, promptTokens: 100, outputTokens: 100_000 });
    await fleet.becomes(full!, 'Saturated');
    const finish = steadily(100);
    await delay(1000);
    wedged!.change({ state: 'wedged' });
    const since = Date.now();
    await fleet.becomes(wedged!, 'Wedged', 4 * wedgedAfter);
    const found = toldAt(fleet.gateways[0]!, wedged!, 'Wedged')!;
    const scrapes = wedged!.scrapes.filter(at => at >= since && at <= found).length;
    t.diagnostic(`wedged after ${scrapes} scrapes of ${interval} ms`);
    assert.ok(scrapes <= wedgedAfter / interval + 2, `${scrapes} scrapes`);
    const before = chatsAt(wedged!);
    await delay(2 * wedgedAfter);
    assert.equal(chatsAt(wedged!), before, 'it gets nothing more');
    const statuses = await finish();
    t.diagnostic(`${statuses.length} requests meanwhile, ${statuses.filter(status => status !== 200).length} failed`);
    assert.deepEqual(new Set(statuses), new Set([200]));
    for (const replica of [prefilling!, full!])
      assert.equal(toldAt(fleet.gateways[0]!, replica, 'Wedged'), undefined, 'a false alarm');
    for (const replica of fleet.replicas) replica.change({ restart: {} });
    for (const replica of fleet.replicas) await fleet.becomes(replica, 'Ready');
  });

  test('one that stands still since it had nothing to do looks idle, and gets next to nothing all the same', async t => {
    const [still] = fleet.replicas;
    still!.change({ state: 'wedged' });
    const before = chatsAt(still!);
    const answers: Promise<number>[] = [];
    for (let at = 0; at < 100; at++) {
      answers.push(ask(fleet.gateways[0]!, 5));
      await delay(50);
    }
    const there = chatsAt(still!) - before;
    t.diagnostic(`of 100 requests ${there} went there`);
    assert.ok(there <= 10, `${there} of 100`);
    still!.change({ restart: {} });
    assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]));
    await fleet.becomes(still!, 'Ready');
  });

  test('dead, starting and sleeping replicas get nothing, and no request fails', async t => {
    const [one] = fleet.replicas;
    for (const [change, state] of [
      [{ state: 'dead' }, 'Loading'],
      [{ restart: { startup: 3000 } }, 'Loading'],
      [{ state: 'sleeping' }, 'Sleeping'],
    ] as const) {
      one!.change({ restart: { startup: 0 } });
      await fleet.becomes(one!, 'Ready');
      const finish = steadily(50);
      await delay(500);
      one!.change(change);
      await fleet.becomes(one!, state);
      const before = chatsAt(one!);
      await delay(500);
      assert.equal(chatsAt(one!), before, `${state}: it gets nothing more`);
      const statuses = await finish();
      t.diagnostic(
        `${JSON.stringify(change)}: ${statuses.length} requests, ${statuses.filter(status => status !== 200).length} failed`,
      );
      assert.deepEqual(new Set(statuses), new Set([200]), JSON.stringify(change));
    }
  });
});

describe('a replica as a process', { timeout: 120_000 }, () => {
  test('stopped it is stale, going on it is ready, killed it is down; requests are answered by the other one', async t => {
    const [healthy, replica] = [await startEngine(), await startProcess()];
    t.after(() => Promise.all([healthy.close(), replica.stop()]));
    const gateway = await startGateway({
      yaml: engineYaml([healthy, replica], { probes: { interval: `${interval}ms`, staleAfter: '1s' } }),
    });
    t.after(() => gateway.stop());
    const becomes = (state: EngineStateName) =>
      until(`the replica is ${state}`, async () => (await stateOf(gateway, replica)) === state, 20_000);
    await becomes('Ready');
    replica.process.kill('SIGSTOP');
    await becomes('Stale');
    assert.equal(await ask(gateway, 5), 200);
    replica.process.kill('SIGCONT');
    await becomes('Ready');
    replica.process.kill('SIGKILL');
    await becomes('Loading');
    for (let at = 0; at < 10; at++) assert.equal(await ask(gateway, 5), 200);
  });
});

async function startProcess() {
  const port = await freePort();
  const args = ['cli/main.ts', 'simulate', '--engine', '--quiet', '--port', String(port)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const exited = once(child, 'exit');
  return {
    origin: `http://127.0.0.1:${port}`,
    process: child,
    stop: () => {
      child.kill('SIGKILL');
      return exited;
    },
  };
}
