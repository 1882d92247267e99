// Several processes over the same replicas, each with readings that are up to a scrape old: a model of the herd that stale readings
// make, and of the caches that affinity fills. Everything random comes from one seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashText } from '../plan/hash.ts';
import { millis } from '../units.ts';
import { choose } from './choose.ts';
import { readingOf } from './reading.ts';
import { type EngineSettings, newEndpoint, probed } from './state.ts';

const settings: EngineSettings = {
  interval: millis(250),
  staleAfter: millis(2_000),
  queueDepth: 5,
  kvCacheUtilization: 0.8,
  wedgedAfter: millis(60_000),
  models: [],
};

type Load = {
  readonly processes: number;
  /** What each process believes. */
  readonly pods: number;
  readonly perSecond: number;
  /** That many more at once, every second. */
  readonly burst: number;
  /** How many beginnings prompts have in common. */
  readonly prefixes: number;
  readonly affinity: boolean;
};

const REPLICAS = 4;
const SEATS = 16;
const CACHED_PREFIXES = 12;
const SECONDS = 60;
const STEP_MS = 5;

class Engine {
  /** When each request at work is done. */
  running: number[] = [];
  waiting = 0;
  /** Prefixes, the least recently used first. */
  readonly #cache = new Set<number>();
  hits = 0;
  queueSum = 0;

  take(prefix: number): void {
    this.waiting++;
    if (this.#cache.delete(prefix)) this.hits++;
    this.#cache.add(prefix);
    if (this.#cache.size > CACHED_PREFIXES) this.#cache.delete(this.#cache.values().next().value!);
  }

  step(now: number, random: () => number): void {
    this.running = this.running.filter(until => until > now);
    for (; this.running.length < SEATS && this.waiting > 0; this.waiting--) this.running.push(now + 500 + 1_000 * random());
    this.queueSum += this.running.length + this.waiting;
  }
}

/** @returns the longest over the shortest mean queue, and the share of requests that found their prefix */
function simulated({ processes, pods, perSecond, burst, prefixes, affinity }: Load): { ratio: number; hits: number } {
  const random = mulberry(processes * 7 + pods);
  const engines = Array.from({ length: REPLICAS }, () => new Engine());
  const views = Array.from({ length: processes }, () =>
    engines.map((_, i) => ({
      endpoint: `http://10.0.0.${i}`,
      hash: hashText(`http://10.0.0.${i}`),
      state: newEndpoint(0),
      sent: 0,
      inFlight: 0,
      suspectUntil: 0,
    })),
  );
  let requests = 0;
  const request = (now: number) => {
    const view = views[Math.floor(random() * processes)]!;
    const number = Math.floor(random() ** 2 * prefixes);
    const prefix = affinity ? hashText(String(number)) : undefined;
    const chosen = choose(view, { model: 'm', tried: [], prefix, random: random() }, { settings, pods, now })!;
    const index = view.indexOf(chosen);
    view[index]!.sent++;
    engines[index]!.take(number);
    requests++;
  };
  const scrape = (now: number) => {
    views.forEach((view, process) => {
      view.forEach((replica, i) => {
        if ((now + process * 37 + i * 61) % settings.interval >= STEP_MS) return;
        const { running, waiting } = engines[i]!;
        const told = {
          engine: '',
          running: running.length,
          waiting,
          kv: (0.7 * running.length) / SEATS,
          progress: now,
          awake: true,
        };
        const reading = readingOf([told], { startedAt: 1, adapters: undefined });
        replica.state = probed(replica.state, { kind: 'read', reading }, now, settings);
        replica.sent = 0;
      });
    });
  };
  for (let now = 0; now < SECONDS * 1_000; now += STEP_MS) {
    scrape(now);
    for (let i = now % 1_000 === 0 ? -burst : 0; i < 0; i++) request(now);
    if (random() < (perSecond * STEP_MS) / 1_000) request(now);
    for (const engine of engines) engine.step(now, random);
  }
  const queues = engines.map(engine => engine.queueSum);
  return {
    ratio: Math.max(...queues) / Math.min(...queues),
    hits: engines.reduce((sum, { hits }) => sum + hits, 0) / requests,
  };
}

/** Mulberry32, by Tommy Ettinger (public domain). */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const five = { processes: 5, pods: 5, burst: 40, prefixes: 40, affinity: false };

test('five processes under bursts keep the queues of four replicas within 1.3 of each other', () => {
  for (const perSecond of [10, 20, 26]) {
    const { ratio } = simulated({ ...five, perSecond });
    assert.ok(ratio <= 1.3, `${perSecond} a second: ${ratio}`);
  }
});

test('five processes find at least 80 % of the prefixes in caches that one process finds, and more than without affinity', () => {
  for (const perSecond of [10, 40]) {
    const together = { ...five, perSecond, burst: 10, affinity: true };
    const hits = simulated(together).hits;
    const alone = simulated({ ...together, processes: 1, pods: 1 }).hits;
    const anywhere = simulated({ ...together, affinity: false }).hits;
    assert.ok(
      hits >= 0.8 * alone && hits > 1.5 * anywhere,
      `${perSecond} a second: ${hits}, alone ${alone}, anywhere ${anywhere}`,
    );
  }
});
