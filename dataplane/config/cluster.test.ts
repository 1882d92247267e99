// A data plane's configuration in a cluster, over an API that is a few objects in memory: what is taken up, what is refused, what stays.
// The same over a real API server is in test/cluster.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { entriesByShard, pointerText, shardText } from '#core/snapshot/codec.ts';
import {
  CREDENTIALS_FIELD,
  CREDENTIALS_OBJECT,
  otherBuffer,
  POINTER_FIELD,
  POINTER_OBJECT,
  SHARD_FIELD,
} from '#core/snapshot/layout.ts';
import type { Snapshot } from '#core/snapshot/snapshot.ts';
import { sha256 } from '#platform/digest.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import { KubeError } from '#platform/kube/errors.ts';
import type { KubeObject } from '#platform/kube/resource.ts';
import { anyKey } from '#test/support/snapshots.ts';
import { until } from '#test/support/until.ts';
import { type ClusterConfig, clusterConfig } from './cluster.ts';

type Fields = Record<string, unknown>;

/** ConfigMaps and Secrets by name, with watches; it can be away. */
class SmallApi {
  readonly objects = new Map<string, KubeObject & Fields>();
  #version = 0;
  #watchers = new Set<(name: string) => void>();
  isAway = false;

  put(name: string, fields: Fields): void {
    this.objects.set(name, { metadata: { name, resourceVersion: String(++this.#version) }, ...fields });
    for (const wake of this.#watchers) wake(name);
  }

  get client(): KubeClient {
    const inTouch = () => {
      if (this.isAway) throw new KubeError('unreachable', 'it is away');
    };
    return {
      find: async (_: unknown, { name }: { name: string }) => {
        inTouch();
        return this.objects.get(name);
      },
      watch: async (_: unknown, { fieldSelector = '' }: { fieldSelector?: string }, signal: AbortSignal) => {
        inTouch();
        return this.#eventsOf(fieldSelector.replace('metadata.name=', ''), signal);
      },
    } as unknown as KubeClient;
  }

  async *#eventsOf(wanted: string, signal: AbortSignal) {
    let wake = () => {};
    const seen = (name: string) => name === wanted && wake();
    this.#watchers.add(seen);
    signal.addEventListener('abort', () => wake());
    while (!signal.aborted) {
      await new Promise<void>(resolve => {
        wake = resolve;
      });
      if (!signal.aborted) yield { kind: 'modified', object: this.objects.get(wanted)! };
    }
    this.#watchers.delete(seen);
  }
}

const keys = fc.sample(fc.uniqueArray(anyKey, { selector: k => `${k.namespace}/${k.name}`, minLength: 12 }), {
  numRuns: 1,
  seed: 11,
})[0]!;
const snapshotOf = (count: number): Snapshot => ({
  schemaVersion: 1,
  providers: {},
  routes: [],
  keys: keys.slice(0, count),
  tenants: {},
});

type Published = { pointer: string; shards: { object: string; packed: Buffer }[] };
const inUse = new Map<string, string>();

function published(snapshot: Snapshot, generation: number, credentials = 0): Published {
  const shards = [...entriesByShard(snapshot, sha256)].map(([name, entries]) => {
    const text = shardText(entries);
    const object = otherBuffer(name, inUse.get(name));
    inUse.set(name, object);
    return { name, object, sha256: sha256(text), packed: gzipSync(text) };
  });
  const refs = Object.fromEntries(shards.map(({ name, object, sha256 }) => [name, { object, sha256 }]));
  return { pointer: pointerText({ schemaVersion: 1, generation, credentials, shards: refs }), shards };
}

function publish(api: SmallApi, { pointer, shards }: Published): void {
  for (const { object, packed } of shards) api.put(object, { binaryData: { [SHARD_FIELD]: packed.toString('base64') } });
  api.put(POINTER_OBJECT, { data: { [POINTER_FIELD]: pointer } });
}

const credentialsText = (version: number, values: Record<string, string>) => JSON.stringify({ version, values });
const putCredentials = (api: SmallApi, version: number, values: Record<string, string>) =>
  api.put(CREDENTIALS_OBJECT, {
    data: { [CREDENTIALS_FIELD]: Buffer.from(credentialsText(version, values)).toString('base64') },
  });

describe('configuration in a cluster', () => {
  let folder: string;
  let api: SmallApi;
  let config: ClusterConfig | undefined;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'tollgate-cluster-config-'));
  });
  beforeEach(() => {
    config?.close();
    api = new SmallApi();
  });
  after(async () => {
    config?.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  });
  const start = async (name: string, mount?: string) => {
    const dataFolder = path.join(folder, name);
    const quiet = { onLoad: () => {}, onFailure: () => {} };
    config?.close();
    config = await clusterConfig({
      client: api.client,
      namespace: 'n',
      mount,
      dataFolder,
      digest: sha256,
      now: Date.now,
      random: Math.random,
      ...quiet,
    });
    return config;
  };
  const generationIs = (served: ClusterConfig, generation: number) =>
    until(`generation ${generation} is served`, () => served.current().generation === generation);

  test('is served as it is published, and a change is one reference', async () => {
    publish(api, published(snapshotOf(6), 1));
    const served = await start('a');
    assert.equal(served.current().generation, 1);
    const before = served.current();
    publish(api, published(snapshotOf(9), 2));
    await generationIs(served, 2);
    assert.equal(before.snapshot.keys.length, 6);
    assert.equal(served.current().snapshot.keys.length, 9);
    const key = keys[8]!;
    assert.equal(served.current().key(key.digests[0]!)?.entry.name, key.name);
    assert.deepEqual(served.degraded?.(), []);
  });

  test('is not taken up half written; what was in force stays until the rest is there', async () => {
    publish(api, published(snapshotOf(3), 1));
    const served = await start('b');
    const next = published(snapshotOf(12), 2);
    api.put(POINTER_OBJECT, { data: { [POINTER_FIELD]: next.pointer } });
    await until('the missing shards are noticed', () => served.lastError() !== undefined);
    assert.equal(served.current().generation, 1);
    publish(api, next);
    await generationIs(served, 2);
    assert.equal(served.lastError(), undefined);
  });

  test('of a version that cannot be read here leaves the last good one in force, and says so', async () => {
    publish(api, published(snapshotOf(3), 1));
    const served = await start('c');
    const text = pointerText({ schemaVersion: 99, generation: 2, credentials: 0, shards: {} });
    api.put(POINTER_OBJECT, { data: { [POINTER_FIELD]: text } });
    await until('the version is refused', () => /schema version 99/.test(served.lastError() ?? ''));
    assert.equal(served.current().generation, 1);
    publish(api, published(snapshotOf(4), 3));
    await generationIs(served, 3);
  });

  test('waits for the credentials that it needs, and changed ones are in use without a new generation', async () => {
    putCredentials(api, 1, { 'n/s/k': 'old' });
    publish(api, published(snapshotOf(3), 1, 1));
    const served = await start('d');
    assert.equal(served.current().credential('n/s/k'), 'old');
    putCredentials(api, 2, { 'n/s/k': 'new' });
    await until('the new credential is in use', () => served.current().credential('n/s/k') === 'new');
    assert.equal(served.current().generation, 1);
    publish(api, published(snapshotOf(4), 2, 3));
    await until('the older credentials are noticed', () => /older/.test(served.lastError() ?? ''));
    assert.equal(served.current().generation, 1);
    putCredentials(api, 3, { 'n/s/k': 'newest' });
    await generationIs(served, 2);
  });

  test('survives a restart without the API server, credentials included, in files that only their owner can read', async () => {
    putCredentials(api, 1, { 'n/s/k': 'kept' });
    publish(api, published(snapshotOf(12), 7, 1));
    await start('e');
    const kept = path.join(folder, 'e', 'last-good');
    await until('it is kept', async () => (await readdir(kept).catch((): string[] => [])).includes(POINTER_FIELD));
    for (const name of await readdir(kept)) assert.equal((await stat(path.join(kept, name))).mode & 0o077, 0, name);
    api.isAway = true;
    const served = await start('e');
    assert.equal(served.current().generation, 7);
    assert.equal(served.current().credential('n/s/k'), 'kept');
    assert.deepEqual(served.degraded?.(), ['cluster']);
    api.isAway = false;
    publish(api, published(snapshotOf(3), 8, 1));
    await generationIs(served, 8);
  });

  test('comes from the mounted volume where nothing was kept', async () => {
    api.isAway = true;
    const mount = path.join(folder, 'mount');
    const { pointer, shards } = published(snapshotOf(5), 4, 1);
    const put = async (object: string, field: string, content: string | Buffer) => {
      await mkdir(path.join(mount, object), { recursive: true });
      await writeFile(path.join(mount, object, field), content);
    };
    for (const { object, packed } of shards) await put(object, SHARD_FIELD, packed);
    await put(CREDENTIALS_OBJECT, CREDENTIALS_FIELD, credentialsText(1, { 'n/s/k': 'mounted' }));
    await put(POINTER_OBJECT, POINTER_FIELD, pointer);
    const served = await start('f', mount);
    assert.equal(served.current().generation, 4);
    assert.equal(served.current().credential('n/s/k'), 'mounted');
  });
});
