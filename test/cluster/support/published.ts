// What the operator published, read back and written again in another form, as an operator of another release or with other content would
// have written it. The operator itself has to be gone.
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Pointer } from '#core/snapshot/codec.ts';
import { otherBuffer, POINTER_FIELD, POINTER_OBJECT, SHARD_FIELD } from '#core/snapshot/layout.ts';
import { sha256 } from '#platform/digest.ts';
import type { ApiServer } from './api-server.ts';
import { SYSTEM } from './deployment.ts';

export type ShardContent = {
  readonly schemaVersion: number;
  readonly keys: readonly object[];
  readonly [field: string]: unknown;
};

export class Published {
  readonly #server: ApiServer;
  pointer: Pointer;
  #shards: ReadonlyMap<string, ShardContent>;

  constructor(server: ApiServer, pointer: Pointer, shards: ReadonlyMap<string, ShardContent>) {
    this.#server = server;
    this.pointer = pointer;
    this.#shards = shards;
  }

  /** All shards, unpacked. */
  get text(): string {
    return JSON.stringify([...this.#shards.values()]);
  }

  /** Writes what becomes of each shard into the buffers that nobody reads. @returns lets everybody read it, with one write */
  async prepare(change: (shard: ShardContent) => ShardContent, ofPointer: object = {}): Promise<() => Promise<void>> {
    const shards: Record<string, Pointer['shards'][string]> = {};
    const contents = new Map([...this.#shards].map(([name, content]) => [name, change(content)]));
    for (const [name, content] of contents) {
      const text = JSON.stringify(content);
      const object = otherBuffer(name, this.pointer.shards[name]?.object);
      await this.#write(object, { binaryData: { [SHARD_FIELD]: gzipSync(text).toString('base64') } });
      shards[name] = { object, sha256: sha256(text) };
    }
    const pointer = { ...this.pointer, ...ofPointer, generation: this.pointer.generation + 1, shards };
    return async () => {
      await this.#write(POINTER_OBJECT, { data: { [POINTER_FIELD]: JSON.stringify(pointer) } });
      this.pointer = pointer;
      this.#shards = contents;
    };
  }

  #write(name: string, fields: object): Promise<unknown> {
    return this.#server.apply(configMapPath(name), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...fields });
  }
}

export async function readPublished(server: ApiServer): Promise<Published> {
  const { data } = await server.call<{ data: Record<string, string> }>('GET', configMapPath(POINTER_OBJECT));
  const pointer = JSON.parse(data[POINTER_FIELD]!) as Pointer;
  const shards = new Map<string, ShardContent>();
  for (const [name, { object }] of Object.entries(pointer.shards)) {
    const { binaryData } = await server.call<{ binaryData: Record<string, string> }>('GET', configMapPath(object));
    shards.set(name, JSON.parse(gunzipSync(Buffer.from(binaryData[SHARD_FIELD]!, 'base64')).toString()));
  }
  return new Published(server, pointer, shards);
}

const configMapPath = (name: string): string => `/api/v1/namespaces/${SYSTEM}/configmaps/${name}`;
