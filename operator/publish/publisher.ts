// Writes configuration to the API server, as the leader alone may: credentials first, then shards, then the pointer that names them.
import { gunzipSync, gzipSync } from 'node:zlib';
import { type PublishPlan, publishPlan } from '#core/publish/plan.ts';
import { type Pointer, readPointer } from '#core/snapshot/codec.ts';
import {
  CREDENTIALS_FIELD,
  CREDENTIALS_OBJECT,
  POINTER_FIELD,
  POINTER_OBJECT,
  SHARD_FIELD,
  shardObjects,
} from '#core/snapshot/layout.ts';
import type { CredentialRef, Snapshot } from '#core/snapshot/snapshot.ts';
import { sha256 } from '#platform/digest.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';
import { type ConfigMapObject, configMaps, type SecretObject, secrets } from '../resources.ts';

export const FIELD_MANAGER = 'tollgate-publisher';
const LABELS = { 'app.kubernetes.io/managed-by': 'tollgate' };

export type Publication = Pick<PublishPlan, 'entries' | 'tooLarge'> & {
  /** The generation that has all of it. */
  readonly generation: number;
  readonly writes: number;
};

type Credentials = { readonly version: number; readonly text: string };

export class Publisher {
  readonly #client: KubeClient;
  readonly #namespace: string;
  #published: Pointer | undefined;
  #credentials: Credentials | undefined;
  /** What is there was read, and is whole. */
  #isKnown = false;

  /** @param client whose writes are of one term of leadership */
  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async publish(snapshot: Snapshot, credentials: ReadonlyMap<CredentialRef, string>): Promise<Publication> {
    try {
      await this.#look();
      const version = await this.#putCredentials(credentials);
      const plan = publishPlan(snapshot, version, this.#published, { digest: sha256, pack: text => gzipSync(text) });
      await Promise.all(plan.shards.map(({ object, packed }) => this.#putShard(object, packed)));
      if (plan.pointer) await this.#put(configMaps, POINTER_OBJECT, { data: { [POINTER_FIELD]: plan.pointer.text } });
      if (plan.pointer) this.#published = plan.pointer.value;
      const { entries, tooLarge } = plan;
      const writes = plan.shards.length + (plan.pointer ? 1 : 0);
      return { entries, tooLarge, generation: this.#published!.generation, writes };
    } catch (error) {
      // What of it was written is not known.
      this.#isKnown = false;
      throw error;
    }
  }

  /** What a predecessor published, as far as it can be relied upon: a shard that is not there, or not what the pointer says, is written again. */
  async #look(): Promise<void> {
    if (this.#isKnown) return;
    const [object, secret] = await Promise.all([
      this.#find<ConfigMapObject>(configMaps, POINTER_OBJECT),
      this.#find<SecretObject>(secrets, CREDENTIALS_OBJECT),
    ]);
    const pointer = readPointer(object?.data?.[POINTER_FIELD] ?? '');
    this.#published = pointer.ok ? await this.#whole(pointer.value) : undefined;
    this.#credentials = credentialsOf(secret);
    this.#isKnown = true;
  }

  async #whole(pointer: Pointer): Promise<Pointer> {
    const checked = await Promise.all(
      Object.entries(pointer.shards).map(async ([name, ref]) => {
        const known = shardObjects(name).includes(ref.object);
        const packed = known ? (await this.#find<ConfigMapObject>(configMaps, ref.object))?.binaryData?.[SHARD_FIELD] : undefined;
        const isWhole = packed !== undefined && sumOf(packed) === ref.sha256;
        // A sum that no text has: the shard is written, into the other buffer.
        return [name, isWhole ? ref : { ...ref, sha256: '' }] as const;
      }),
    );
    return { ...pointer, shards: Object.fromEntries(checked) };
  }

  async #putCredentials(credentials: ReadonlyMap<CredentialRef, string>): Promise<number> {
    const values = Object.fromEntries([...credentials].sort(([a], [b]) => (a < b ? -1 : 1)));
    const { version, text } = this.#credentials ?? { version: 0, text: '' };
    if (text === JSON.stringify({ version, values })) return version;
    const next = { version: version + 1, text: JSON.stringify({ version: version + 1, values }) };
    const data = { [CREDENTIALS_FIELD]: Buffer.from(next.text).toString('base64') };
    await this.#put(secrets, CREDENTIALS_OBJECT, { type: 'Opaque', data });
    this.#credentials = next;
    return next.version;
  }

  #putShard(name: string, packed: Uint8Array): Promise<unknown> {
    return this.#put(configMaps, name, { binaryData: { [SHARD_FIELD]: Buffer.from(packed).toString('base64') } });
  }

  #put(resource: KubeResource, name: string, fields: object): Promise<unknown> {
    const object = { metadata: { name, namespace: this.#namespace, labels: LABELS }, ...fields };
    return this.#client.apply(resource, object as KubeObject, { fieldManager: FIELD_MANAGER, force: true });
  }

  #find<T extends KubeObject>(resource: KubeResource, name: string): Promise<T | undefined> {
    return this.#client.find<T>(resource, { namespace: this.#namespace, name });
  }
}

function sumOf(encoded: string): string | undefined {
  try {
    return sha256(gunzipSync(Buffer.from(encoded, 'base64')).toString('utf8'));
  } catch {
    return undefined;
  }
}

function credentialsOf(secret: SecretObject | undefined): Credentials | undefined {
  const encoded = secret?.data?.[CREDENTIALS_FIELD];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const version = Number(/^\{"version":(\d+)/.exec(text)?.[1] ?? 0);
  return { version, text };
}
