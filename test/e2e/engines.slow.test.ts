// Self-hosted engines behind real gateways: load spreads, prefixes stay where they are, one that is full is passed by.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ask, chatsAt, type Replica, randomFrom, startEngineFleet } from '#test/support/engine-fleet.ts';
import { withoutRedis } from '#test/support/redis.ts';

const REPLICAS = 4;
const PROCESSES = 5;

const interval = 250;
const probes = { interval: `${interval}ms`, wedgedAfter: '60s' };

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('four replicas behind five gateways', { skip: withoutRedis, timeout: 300_000 }, () => {
  test('bursts spread: the longest queue is at most 1.3 times the shortest', async t => {
    // 8 seats of 60 tokens in 20 steps of 30 ms: 13 requests a second and replica.
    const cost = { step: 30, perSequence: 0, perPrefillToken: 0 };
    const fleet = await startEngineFleet({
      replicas: REPLICAS,
      gateways: PROCESSES,
      engine: { maxNumSeqs: 8, cost },
      probes,
      route: { strategy: 'LeastLoad' },
    });
    t.after(() => fleet.close());
    const queues = watchQueues(fleet.replicas);
    const random = randomFrom(7);
    const answers: Promise<number>[] = [];
    const send = () => void answers.push(ask(fleet.gateways[Math.floor(random() * PROCESSES)]!, 20));
    // 55 a second where they can do 53: queues grow, and every second 25 arrive at once.
    await paced(20, 1, () => {
      for (let at = 0; at < 25; at++) send();
      return paced(30, 30, send);
    });
    const means = queues();
    const statuses = await Promise.all(answers);
    t.diagnostic(`requests at each replica on average: ${means.map(mean => mean.toFixed(1)).join(', ')}`);
    t.diagnostic(`chats: ${fleet.replicas.map(chatsAt).join(', ')}`);
    assert.deepEqual(new Set(statuses), new Set([200]));
    const ratio = Math.max(...means) / Math.min(...means);
    t.diagnostic(`longest over shortest queue: ${ratio.toFixed(2)}`);
    assert.ok(ratio <= 1.3, `${ratio}`);
  });

  test('prefix hits at five processes are at least 80 % of those at one', async t => {
    const one = await prefixHits(t, 1, 'PrefixAffinity');
    const five = await prefixHits(t, PROCESSES, 'PrefixAffinity');
    const spread = await prefixHits(t, PROCESSES, 'LeastLoad');
    const shown = [one, five, spread].map(share => share.toFixed(3));
    t.diagnostic(
      `share of prompt tokens found in a cache: ${shown[0]} with one process, ${shown[1]} with five, ${shown[2]} by load alone`,
    );
    assert.ok(five >= 0.8 * one, `${five} of ${one}`);
    assert.ok(one > 1.2 * spread, 'what the caches hold depends on where prompts go');
  });

  test('one replica is saturated: at least 95 % of requests go to the others within one scrape', async t => {
    const fleet = await startEngineFleet({
      replicas: REPLICAS,
      gateways: PROCESSES,
      engine: { maxNumSeqs: 8, cost: { step: 10, perSequence: 0, perPrefillToken: 0 } },
      probes,
      route: { strategy: 'LeastLoad' },
    });
    t.after(() => fleet.close());
    const full = fleet.replicas[0]!;
    full.occupy({ count: 40, promptTokens: 100, outputTokens: 20_000 });
    const since = Date.now();
    // One scrape of each gateway: those under way when it filled up may come first.
    await fleet.becomes(full, 'Saturated');
    const scrapes = full.scrapes.filter(at => at >= since).length / PROCESSES;
    t.diagnostic(`seen by all after ${scrapes} scrapes each`);
    const count = 200;
    const answers: Promise<number>[] = [];
    await paced(count, 100, () => answers.push(ask(fleet.next(), 10)));
    const statuses = await Promise.all(answers.map((answer, at) => Promise.race([answer, delay(20_000 + at, 0)])));
    const there = chatsAt(full);
    t.diagnostic(`of ${count} requests ${there} went to the full replica`);
    assert.ok(there <= 0.05 * count, `${there} of ${count}`);
    assert.ok(statuses.filter(status => status === 200).length >= count - there);
  });
});

/** So many times, so often a second, by the clock: what is late is made up for. */
async function paced(count: number, perSecond: number, act: () => unknown): Promise<void> {
  const start = performance.now();
  for (let at = 0; at < count; at++) {
    const early = start + (at * 1000) / perSecond - performance.now();
    if (early > 0) await delay(early);
    await act();
  }
}

/** Requests that are at each replica, waiting or running: the mean since it was called first. */
function watchQueues(replicas: readonly Replica[]): () => readonly number[] {
  const sums = replicas.map(() => 0);
  let looks = 0;
  const timer = setInterval(() => {
    looks += 1;
    for (const [at, replica] of replicas.entries()) sums[at]! += inQueue(replica);
  }, 20);
  return () => {
    clearInterval(timer);
    return sums.map(total => total / looks);
  };
}

const inQueue = (replica: Replica): number => sum(replica.reading().engines.map(({ running, waiting }) => running + waiting));

/** Share of the prompts' tokens that the caches held, for the same requests through so many processes. */
async function prefixHits(t: { after(fn: () => unknown): void }, gateways: number, strategy: string): Promise<number> {
  const fleet = await startEngineFleet({
    replicas: REPLICAS,
    gateways,
    // The 32 prefixes have 90 blocks each: a cache holds half of them, and its own quarter also where chance makes that larger.
    engine: {
      maxNumSeqs: 8,
      blockSize: 16,
      numGpuBlocks: 1500,
      maxModelLen: 8192,
      cost: { step: 10, perSequence: 0.2, perPrefillToken: 0.02 },
    },
    probes,
    route: { strategy },
  });
  const close = once(() => fleet.close());
  t.after(close);
  const random = randomFrom(11);
  const systems = Array.from({ length: 32 }, (_, at) => `Instruction ${at} of the house. `.repeat(200));
  const answers: Promise<number>[] = [];
  await paced(400, 25, () => {
    // Some are asked for much more often than others.
    const system = systems[Math.floor(random() ** 2 * systems.length)]!;
    answers.push(ask(fleet.gateways[Math.floor(random() * gateways)]!, 16, system));
  });
  assert.deepEqual(new Set(await Promise.all(answers)), new Set([200]));
  const counters = fleet.replicas.flatMap(replica => replica.reading().engines.map(engine => engine.counters));
  await close();
  return sum(counters.map(({ prefixHits }) => prefixHits)) / sum(counters.map(({ prefixQueries }) => prefixQueries));
}

function once(act: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= act());
}
