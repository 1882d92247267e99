// Caches of several processes over one Redis, for tests: each with connections of its own.
import assert from 'node:assert/strict';
import { redisCache } from '#dataplane/cache/redis.ts';
import type { CacheStore } from '#dataplane/cache/store.ts';
import { anAnswer, anEntry, digest } from '#dataplane/cache/testing.ts';
import { connectRedis, type RedisLink } from '#platform/redis.ts';
import { until } from './until.ts';

export const log = { warn: () => undefined, info: () => undefined };
export const p = digest('p');

export type Process = { readonly store: CacheStore; readonly link: RedisLink; stop(): Promise<void> };

export async function startProcess(url: string, bounds: { maxBytes?: number; maxIndexBytes?: number } = {}): Promise<Process> {
  const connect = () => connectRedis({ url, log, commandTimeoutMs: 1000 });
  const link = connect();
  const store = redisCache({ link, reader: connect(), maxBytes: 1e8, maxIndexBytes: 1e8, now: Date.now, ...bounds });
  await until('the log is read', () => !store.stats().isAway);
  const stop = async () => {
    await store.close();
    await link.close();
  };
  return { store, link, stop };
}

export const textIn = async ({ store }: Process, prompt: string): Promise<string | undefined> => {
  const entry = store.exact(p, digest(prompt));
  const part = entry && (await store.answer(entry))?.reply.parts[0];
  return part?.kind === 'text' ? part.text : undefined;
};
export const keep = async ({ store }: Process, prompt: string, changes = {}, text = `to ${prompt}`) => {
  const entry = await store.put(anEntry(prompt, changes), anAnswer(text));
  assert.ok(entry, `${prompt} is stored`);
  return entry;
};
