// The cache of several processes on one Redis: what one has kept is the others' too, one of all that ask the same goes upstream, no tenant
// ever sees another's answer, and a Redis that dies costs hits, never a request.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type CacheStage, openCacheStage, otherTenantKey, upstreamCalls } from '#test/support/cache-stage.ts';
import { isWhole } from '#test/support/chaos.ts';
import { chatPath, post } from '#test/support/client.ts';
import { startRedis, type TestRedis, withoutRedis } from '#test/support/redis.ts';
import { clientKey } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';

describe('two processes on one Redis', { skip: withoutRedis }, () => {
  let redis: TestRedis;
  let stage: CacheStage;
  before(async () => {
    redis = await startRedis();
    stage = await openCacheStage(2, { REDIS_URL: redis.url, LOG_LEVEL: 'warn' });
  });
  after(async () => {
    await stage?.close();
    await redis?.stop();
  });

  const send = (process: number, content: string, key = clientKey, model = 'exact') =>
    post(`${stage.gateways[process]!.url}${chatPath}`, { model, messages: [{ role: 'user', content }] }, { key });
  const cacheOf = ({ headers }: { headers: Headers }) => headers.get('x-tollgate-cache');

  test('what one has kept is a hit on the other in a moment', async () => {
    const took: number[] = [];
    for (let i = 0; i < 20; i++) {
      assert.equal(cacheOf(await send(0, `Shared ${i}?`)), 'miss');
      const since = performance.now();
      await until('the other has it', async () => cacheOf(await send(1, `Shared ${i}?`)) === 'hit');
      took.push(performance.now() - since);
    }
    const median = took.toSorted((a, b) => a - b)[10]!;
    console.log(`found by the other after ${median.toFixed(1)} ms in the middle`);
  });

  test('50 that ask the same at one time make one call', async () => {
    const calls: number[] = [];
    for (const round of [1, 2, 3]) {
      const before = upstreamCalls(stage);
      stage.simulator.addFault({ fault: 'slow-first-token', match: { times: 1 } });
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => send(i % 2, `Stampede ${round}?`)));
      assert.ok(answers.every(({ status }) => status === 200));
      calls.push(upstreamCalls(stage) - before);
      stage.simulator.reset();
    }
    // Who has waited its two seconds goes by itself: a machine that stands still for so long shows nothing.
    assert.equal(Math.min(...calls), 1, `${calls}`);
  });

  test('the questions of two tenants: nobody gets the answer of the other', async () => {
    const questions = Array.from({ length: isWhole ? 10_000 : 2_000 }, (_, i) => `What is the toll of road ${i}?`);
    const misses = async (key: string) => {
      let count = 0;
      await each(questions, 32, async (question, i) => {
        if (cacheOf(await send(i % 2, question, key)) === 'miss') count++;
      });
      return count;
    };
    assert.equal(await misses(clientKey), questions.length);
    assert.equal(await misses(otherTenantKey), questions.length);
    let hits = 0;
    await each(questions.slice(0, 200), 16, async (question, i) => {
      if (cacheOf(await send((i + 1) % 2, question, otherTenantKey)) === 'hit') hits++;
    });
    assert.ok(hits >= 195, `${hits} of 200 hit when they are asked again`);
  });

  test('Redis dies under load and comes back: no request fails, and answers are kept again', async () => {
    const { port } = redis;
    const statuses = new Map<number, number>();
    let running = true;
    const load = Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        for (let i = 0; running; i++) {
          const { status } = await send(worker % 2, `Under load ${i % 20}?`);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      }),
    );
    await delay(1500);
    await redis.stop();
    await delay(2000);
    redis = await startRedis({ port });
    await until('answers are kept again', async () => cacheOf(await send(0, 'After the loss?')) === 'hit', 20_000);
    await until('in all processes', async () => cacheOf(await send(1, 'After the loss?')) === 'hit', 20_000);
    running = false;
    await load;
    assert.deepEqual([...statuses.keys()], [200], JSON.stringify([...statuses]));
  });
});

/** So many at a time. */
async function each<T>(items: readonly T[], width: number, run: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      await run(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}
