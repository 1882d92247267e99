// What the store of the semantic cache costs, with 10,000 entries in one partition: a look-up with the built-in embedder, an exact hit, the
// first read of a process that starts, memory in Redis, and until another process knows of an entry.
//   npm run bench -- --only=cache-store
import { type ForkOptions, fork } from 'node:child_process';
import { once } from 'node:events';
import { millis } from '#core/units.ts';
import { staticEmbedder } from '#dataplane/cache/embedders/static.ts';
import { type Cache, openCache } from '#dataplane/cache/open-cache.ts';
import type { NewEntry } from '#dataplane/cache/store.ts';
import { anAnswer, anEntry, digest, vectorOf } from '#dataplane/cache/testing.ts';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { startRedis, type TestRedis, withoutRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { markdown } from './report.ts';

const ENTRIES = 10_000;
const LOOKUPS = 1000;
const HEARD = 200;
const STARTS = 5;
const ABREAST = 100;
const K = 8;
const FLOOR = 0.8;
const BOUNDS = { maxBytes: 2 ** 30, maxIndexBytes: 2 ** 30, now: Date.now };
/** With the compile cache, as `npm start` has it. */
const FOLLOWER: ForkOptions = {
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  env: { ...process.env, NODE_COMPILE_CACHE: 'node_modules/.cache/compile' },
};
const log = { warn: () => undefined, info: () => undefined } as never;

const subjects = ['capital', 'population', 'climate', 'history', 'currency', 'largest river', 'main export', 'time zone'];
const forms = ['What is the', 'Tell me the', 'Describe the', 'How has changed the', 'Give a summary of the'];
const promptOf = (i: number): string =>
  `${forms[i % 5]} ${subjects[(i >> 2) % 8]} of region ${digest(`${i}`).slice(0, 6)} in ${1900 + (i % 120)}?`;
const text = 'The capital of the region is a town of some size, and has been since it was founded. '.repeat(12);

/** @param dimension 64 is the built-in embedder's; others have made-up vectors */
function entryOf(i: number, dimension: number): NewEntry {
  const prompt = promptOf(i);
  const vector = dimension === 64 ? staticEmbedder().embedNow([prompt])[0]! : vectorOf(prompt, dimension);
  return anEntry(prompt, { vector, partition: partitions[dimension]!, ttl: millis(86_400_000) });
}

const partitions: Readonly<Record<number, string>> = { 64: digest('64'), 384: digest('384') };

export async function cacheStoreTable(): Promise<string> {
  const title = `### The cache of answers: ${ENTRIES.toLocaleString('en-US')} entries in one partition`;
  if (withoutRedis) return `${title}\n\nLeft out: ${withoutRedis}.`;
  const server = await startRedis();
  const link = connectRedis({ url: server.url, log, commandTimeoutMs: 2000 });
  await until('redis is up', () => link.state().kind === 'up');
  const rows: string[][] = [['', 'p50', 'p99', 'goal']];
  for (const dimension of [64, 384]) {
    await server.client.flushall();
    const cache = await opened(server, link);
    const before = await usedMemory(server);
    const answers = await fill(cache, dimension);
    const perEntry = ((await usedMemory(server)) - before - answers) / ENTRIES;
    rows.push(...(await rowsOf(server, cache, dimension, perEntry)));
    cache.flights.close();
    await cache.store.close();
  }
  await link.close();
  await server.stop();
  return `${title}\n\nIn ms where nothing else is said. With 384 dimensions the vectors are made up, and making them is not counted.\n\n${markdown(rows)}`;
}

async function rowsOf(server: TestRedis, cache: Cache, dimension: number, perEntry: number): Promise<string[][]> {
  const of = `${dimension} dimensions`;
  const rows = [row(`look-up by meaning, ${of}`, await lookups(cache, dimension), 'p50 4, p99 8')];
  if (dimension === 64) rows.push(row('exact hit, its answer fetched', await exactHits(cache, dimension), 'p50 1'));
  rows.push(row(`a new process knows all, ${of}`, await warmStarts(server), '200'));
  if (dimension === 64) rows.push(row('another process finds what was put in', await heardAfter(server, cache), '50'));
  rows.push([`bytes an entry in Redis besides its answer, ${of}`, perEntry.toFixed(0), '', '1,024']);
  return rows;
}

async function opened(server: TestRedis, link: RedisLink): Promise<Cache> {
  const cache = await openCache({ redis: { url: server.url, timeoutMs: 40, link }, log, ...BOUNDS });
  await until('the log is read', () => !cache.store.stats().isAway);
  return cache;
}

/** @returns bytes of the answers, the compression included */
async function fill({ store }: Cache, dimension: number): Promise<number> {
  let answers = 0;
  for (let at = 0; at < ENTRIES; at += ABREAST) {
    const made = Array.from({ length: ABREAST }, (_, i) => entryOf(at + i, dimension));
    const kept = await Promise.all(made.map(entry => store.put(entry, anAnswer(text))));
    for (const [i, entry] of kept.entries()) {
      if (!entry) throw new Error('an entry was not stored');
      answers += entry.bytes - recordBytes(made[i]!, dimension);
    }
  }
  await until('the log is heard', () => store.stats().entries === ENTRIES);
  return answers;
}

/** About: what is in the log of an entry, of which its `bytes` are the rest. */
const recordBytes = ({ prompt }: NewEntry, dimension: number): number => 210 + prompt.length + dimension;

const usedMemory = async ({ client }: TestRedis): Promise<number> =>
  Number(/used_memory:(\d+)/.exec(await client.info('memory'))![1]);

async function lookups({ store }: Cache, dimension: number): Promise<number[]> {
  const embedder = staticEmbedder();
  const times: number[] = [];
  for (let i = 0; i < LOOKUPS; i++) {
    const prompt = `Please: ${promptOf((i * 7919) % ENTRIES)}`;
    const made = dimension === 64 ? undefined : vectorOf(prompt, dimension);
    const start = performance.now();
    store.nearest(partitions[dimension]!, made ?? embedder.embedNow([prompt])[0]!, K, FLOOR);
    if (i >= LOOKUPS / 10) times.push(performance.now() - start);
    if (i % 20 === 0) await new Promise(setImmediate);
  }
  return times;
}

async function exactHits({ store }: Cache, dimension: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < LOOKUPS; i++) {
    const { partition, key } = anEntry(promptOf((i * 7919) % ENTRIES), { partition: partitions[dimension]! });
    const start = performance.now();
    const entry = store.exact(partition, key);
    const answer = entry && (await store.answer(entry));
    if (!answer) throw new Error('an exact look-up found nothing');
    times.push(performance.now() - start);
  }
  return times;
}

async function warmStarts(server: TestRedis): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const child = fork(import.meta.filename, ['follow', server.url], FOLLOWER);
    const [ms] = (await once(child, 'message')) as [number];
    times.push(ms);
    const gone = once(child, 'exit');
    child.kill();
    await gone;
  }
  return times;
}

async function heardAfter(server: TestRedis, { store }: Cache): Promise<number[]> {
  const child = fork(import.meta.filename, ['follow', server.url], FOLLOWER);
  await once(child, 'message');
  const times: number[] = [];
  for (let i = 0; i < HEARD; i++) {
    const heard = once(child, 'message') as Promise<[number]>;
    const start = epochNow();
    await store.put(anEntry(`news ${i}`, { partition: digest('news') }), anAnswer(text));
    times.push((await heard)[0] - start);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  const gone = once(child, 'exit');
  child.kill();
  await gone;
  return times;
}

/** Comparable between processes, finer than milliseconds. */
const epochNow = (): number => performance.timeOrigin + performance.now();

function row(title: string, times: readonly number[], goal: string): string[] {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(2);
  return [title, at(0.5), at(0.99), goal];
}

/** A process that begins: says how long it took to know all, and then when it finds each new entry. */
async function follow(url: string): Promise<void> {
  const link = connectRedis({ url, log });
  await until('redis is up', () => link.state().kind === 'up');
  const startedAt = performance.now();
  const { store, flights } = await openCache({ redis: { url, timeoutMs: 40, link }, log, ...BOUNDS });
  while (store.stats().isAway) await new Promise(resolve => setTimeout(resolve, 1));
  process.send!(performance.now() - startedAt);
  const { stored } = flights;
  flights.stored = entry => {
    stored.call(flights, entry);
    process.send!(epochNow());
  };
}

if (process.argv[2] === 'follow') await follow(process.argv[3]!);
else if (import.meta.main) console.log(await cacheStoreTable());
