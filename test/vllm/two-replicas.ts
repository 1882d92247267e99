// `npm run test:vllm`: two real vLLM servers behind the real gateway, routed by what they say of themselves. One stands still, then one
// dies: the states are right, and no request fails that had a healthy replica. Not part of `npm test`; install.ts says what it needs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineStateName } from '#core/engines/state.ts';
import { chat, chatPath, post } from '#test/support/client.ts';
import { engineYaml, stateOf } from '#test/support/engine-fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { until } from '#test/support/until.ts';
import { install, needs, withoutVllm } from './install.ts';
import { startReplica, type VllmReplica } from './replica.ts';

const SEATS = 4;
const QUEUE_DEPTH = 3;
const WEDGED_AFTER_MS = 3000;

const skip = withoutVllm();
if (skip) console.log(`Skipped: ${skip}. ${needs}`);

describe('two replicas of a real vLLM', { skip, timeout: 3_600_000 }, () => {
  let replicas: readonly VllmReplica[];
  let gateway: Gateway;

  before(async () => {
    await install();
    replicas = await Promise.all([startReplica(SEATS), startReplica(SEATS)]);
    gateway = await startGateway({
      yaml: engineYaml(replicas, {
        probes: { interval: '250ms', wedgedAfter: `${WEDGED_AFTER_MS / 1000}s`, queueDepth: QUEUE_DEPTH },
        route: { strategy: 'LeastLoad' },
      }),
    });
    await bothAre('Ready');
  });
  after(async () => {
    await gateway?.stop();
    await Promise.all((replicas ?? []).map(replica => replica.stop()));
  });

  const ask = (maxTokens = 32) =>
    post(gateway.url + chatPath, chat('tiny', { max_tokens: maxTokens, ignore_eos: true, temperature: 0 }));

  /** So many requests at a time that the gateway knows nothing of but by the metrics, until told to stop. */
  const occupy = (replica: VllmReplica, count: number): (() => Promise<unknown>) => {
    const gone = new AbortController();
    const body = chat('tiny', { max_tokens: 950, ignore_eos: true });
    const oneAfterTheOther = async () => {
      while (!gone.signal.aborted) await post(replica.origin + chatPath, body, { signal: gone.signal }).catch(() => delay(100));
    };
    const all = Array.from({ length: count }, oneAfterTheOther);
    return () => {
      gone.abort();
      return Promise.all(all);
    };
  };

  const becomes = (replica: VllmReplica, state: EngineStateName, deadlineMs = 30_000) =>
    until(`a replica is ${state}`, async () => (await stateOf(gateway, replica)) === state, deadlineMs);
  const bothAre = (state: EngineStateName) => Promise.all(replicas.map(replica => becomes(replica, state)));

  /** Requests that ended well at a replica, by its own count. */
  const served = async ({ origin }: VllmReplica): Promise<number> => {
    const text = await (await fetch(`${origin}/metrics`)).text();
    return Number(/^vllm:request_success_total\{.*finished_reason="length".*\} (\S+)$/m.exec(text)![1]);
  };

  /** A request every so often until told to stop; resolves with the statuses. */
  function steadily(everyMs: number): () => Promise<readonly number[]> {
    let isOver = false;
    const answers: Promise<number>[] = [];
    const sending = (async () => {
      while (!isOver) {
        answers.push(ask().then(({ status }) => status));
        await delay(everyMs);
      }
    })();
    return async () => {
      isOver = true;
      await sending;
      return Promise.all(answers);
    };
  }

  test('both take part, and every request is answered', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask()));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    const counts = await Promise.all(replicas.map(served));
    console.log(`served: ${counts.join(' and ')}`);
    assert.equal(counts[0]! + counts[1]!, 40);
    assert.ok(Math.min(...counts) >= 5, counts.join());
  });

  test('a replica that is busy for others is saturated, and requests go to the other one', async () => {
    const [busy, idle] = replicas;
    const release = occupy(busy!, SEATS + 3 * QUEUE_DEPTH);
    await becomes(busy!, 'Saturated');
    const before = await served(idle!);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => delay(at * 50).then(() => ask())));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    const there = (await served(idle!)) - before;
    console.log(`of 20 requests ${there} went to the idle replica`);
    assert.ok(there >= 19, `${there} of 20`);
    await release();
    await bothAre('Ready');
  });

  test('an EngineCore that is stopped is wedged in time, and no request fails', async () => {
    const [stopped] = replicas;
    const release = occupy(stopped!, 2);
    const finish = steadily(200);
    await delay(1000);
    stopped!.signalEngineCore('SIGSTOP');
    const since = performance.now();
    assert.equal((await fetch(`${stopped!.origin}/health`)).status, 200, 'its health says nothing of it');
    await becomes(stopped!, 'Wedged', WEDGED_AFTER_MS + 15_000);
    console.log(`wedged after ${Math.round(performance.now() - since)} ms`);
    await delay(2000);
    const statuses = await finish();
    console.log(`${statuses.length} requests meanwhile, ${statuses.filter(status => status !== 200).length} failed`);
    assert.deepEqual(new Set(statuses), new Set([200]));
    stopped!.signalEngineCore('SIGCONT');
    await becomes(stopped!, 'Ready');
    await release();
  });

  test('an EngineCore that is killed is out, and no request fails', async () => {
    const [killed] = replicas;
    const finish = steadily(200);
    await delay(1000);
    killed!.signalEngineCore('SIGKILL');
    await becomes(killed!, 'Loading');
    await delay(2000);
    const statuses = await finish();
    console.log(`${statuses.length} requests meanwhile, ${statuses.filter(status => status !== 200).length} failed`);
    assert.deepEqual(new Set(statuses), new Set([200]));
  });
});
