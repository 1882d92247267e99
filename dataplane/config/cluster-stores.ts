// The places where a data plane in a cluster finds its configuration: the API server, the volume with the same objects, and what it
// kept itself when it last loaded any.
import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import { CREDENTIALS_FIELD, CREDENTIALS_OBJECT, POINTER_FIELD, POINTER_OBJECT, SHARD_FIELD } from '#core/snapshot/layout.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';
import { writeWhole } from '#platform/write-whole.ts';
import type { Loaded, Store } from './cluster-load.ts';

export const configMaps: KubeResource = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
export const secrets: KubeResource = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };

export type ConfigMap = KubeObject & {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
};
export type Secret = KubeObject & { readonly data?: Readonly<Record<string, string>> };

export const pointerIn = (object: ConfigMap | undefined): string | undefined => object?.data?.[POINTER_FIELD];
export const credentialsIn = (object: Secret | undefined): string | undefined => {
  const encoded = object?.data?.[CREDENTIALS_FIELD];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
};

export function apiStore(client: KubeClient, namespace: string): Store {
  const find = <T extends KubeObject>(resource: KubeResource, name: string) => client.find<T>(resource, { namespace, name });
  return {
    pointer: async () => pointerIn(await find<ConfigMap>(configMaps, POINTER_OBJECT)),
    async shard(object) {
      const encoded = (await find<ConfigMap>(configMaps, object))?.binaryData?.[SHARD_FIELD];
      return encoded === undefined ? undefined : Buffer.from(encoded, 'base64');
    },
    credentials: async () => credentialsIn(await find<Secret>(secrets, CREDENTIALS_OBJECT)),
  };
}

/** @param folder a volume with one folder for each object, and in it one file for each of its fields */
export function mountedStore(folder: string): Store {
  const file = (object: string, field: string) => unlessMissing(readFile(path.join(folder, object, field)));
  return {
    pointer: async () => (await file(POINTER_OBJECT, POINTER_FIELD))?.toString('utf8'),
    shard: object => file(object, SHARD_FIELD),
    credentials: async () => (await file(CREDENTIALS_OBJECT, CREDENTIALS_FIELD))?.toString('utf8'),
  };
}

/** The last good configuration, credentials included: files that only their owner can read, in a volume that lives as long as the pod. */
export class KeptStore implements Store {
  readonly #folder: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(dataFolder: string) {
    this.#folder = path.join(dataFolder, 'last-good');
  }

  pointer = async () => (await this.#read(POINTER_FIELD))?.toString('utf8');
  shard = (_object: string, sha256: string) => this.#read(`${sha256}.gz`);
  credentials = async () => (await this.#read(CREDENTIALS_FIELD))?.toString('utf8');

  /** One after the other; shards before the pointer that needs them, and what no pointer needs is removed at the end. */
  keep(pointerText: string, { shards }: Loaded, credentials: string | undefined): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const present = new Set(await readdir(this.#folder));
      const needed = new Set([POINTER_FIELD, CREDENTIALS_FIELD]);
      for (const { sha256, packed } of shards.values()) {
        const name = `${sha256}.gz`;
        needed.add(name);
        if (!present.has(name)) await writeWhole(this.#at(name), packed);
      }
      if (credentials !== undefined) await writeWhole(this.#at(CREDENTIALS_FIELD), credentials);
      await writeWhole(this.#at(POINTER_FIELD), pointerText);
      for (const name of present) if (!needed.has(name)) await unlink(this.#at(name)).catch(() => {});
    });
    const done = this.#writing;
    this.#writing = done.catch(() => {});
    return done;
  }

  #read(name: string): Promise<Buffer | undefined> {
    return unlessMissing(readFile(this.#at(name)));
  }

  #at(name: string): string {
    return path.join(this.#folder, name);
  }
}

const unlessMissing = (reading: Promise<Buffer>): Promise<Buffer | undefined> =>
  reading.catch(error => {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  });
