// Writes configuration to the API server, as the leader alone may: credentials first, then shards, then the pointer that names them.
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Publishable, withRoomForCredentials } from '#core/publish/credentials.ts';
import { type PublishPlan, publishPlan } from '#core/publish/plan.ts';
import { schemaToWrite } from '#core/publish/schema.ts';
import { type Pointer, pointerText, readPointer, type ShardRef } from '#core/snapshot/codec.ts';
import {
  CREDENTIALS_FIELD,
  CREDENTIALS_OBJECT,
  POINTER_FIELD,
  POINTER_OBJECT,
  SHARD_FIELD,
  shardObjects,
} from '#core/snapshot/layout.ts';
import { type CredentialRef, SCHEMA_VERSION, type Snapshot } from '#core/snapshot/snapshot.ts';
import { sha256 } from '#platform/digest.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';
import { type ConfigMapObject, configMaps, type SecretObject, secrets } from '../resources.ts';

export const FIELD_MANAGER = 'tollgate-publisher';
const LABELS = { 'app.kubernetes.io/managed-by': 'tollgate' };

export type Publication = Pick<PublishPlan, 'entries'> & {
  /** For which there is no room. */
  readonly tooLarge: Publishable['leftOut'];
  /** The generation that has all of it. */
  readonly generation: number;
  readonly writes: number;
};

export type PublisherOptions = {
  /** Whose writes are of one term of leadership. */
  readonly client: KubeClient;
  /** Where the data plane is. */
  readonly namespace: string;
  /** By each ready pod the version of the schema that it reads best; undefined: it has not said yet. */
  readonly schemas: () => readonly (number | undefined)[];
};

type Credentials = { readonly version: number; readonly text: string };

const tools = { digest: sha256, pack: (text: string): Uint8Array => gzipSync(text) };

/** A sum that no text has: such a shard is written, into the other buffer. */
const LOST = '';

export class Publisher {
  readonly #options: PublisherOptions;
  #published: Pointer | undefined;
  /** resourceVersion of the pointer, as far as is known; undefined: there is none. */
  #pointerVersion: string | undefined;
  #credentials: Credentials | undefined;
  /** What is there was read, and is whole. */
  #isKnown = false;
  /** The highest generation that any pod may have seen, with whatever content. */
  #used = 0;
  /** The highest generation that may have been published with what is published now. */
  newest = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Pods ask for another version of the schema than what is published has. */
  get isOfAnotherSchema(): boolean {
    return this.#published !== undefined && this.#schemaVersion() !== this.#published.schemaVersion;
  }

  #schemaVersion(): number {
    return schemaToWrite(this.#options.schemas(), this.#published?.schemaVersion);
  }

  /** Whether what was published is still there, and is what it was. If not, the next `publish` writes it again. */
  async isThere(): Promise<boolean> {
    const published = this.#published;
    if (!published) return true;
    const [pointer, secret] = await this.#read();
    const found = await this.#whole(published);
    this.#isKnown =
      pointer?.data?.[POINTER_FIELD] === pointerText(published) &&
      credentialsOf(secret)?.text === this.#credentials?.text &&
      pointerText(found) === pointerText(published);
    return this.#isKnown;
  }

  async publish(snapshot: Snapshot, credentials: ReadonlyMap<CredentialRef, string>): Promise<Publication> {
    try {
      await this.#look();
      const fitting = withRoomForCredentials(snapshot, credentials);
      const version = await this.#putCredentials(fitting.credentials);
      const plan = publishPlan(fitting.snapshot, version, this.#published, tools, {
        newest: this.#used,
        schemaVersion: this.#schemaVersion(),
      });
      await Promise.all(plan.shards.map(({ object, packed }) => this.#putShard(object, packed)));
      if (plan.pointer) await this.#putPointer(plan.pointer.value, plan.pointer.text);
      const { generation } = this.#published!;
      this.newest = generation;
      const writes = plan.shards.length + (plan.pointer ? 1 : 0);
      return { entries: plan.entries, tooLarge: [...plan.tooLarge, ...fitting.leftOut], generation, writes };
    } catch (error) {
      // What of it was written is not known.
      this.#isKnown = false;
      throw error;
    }
  }

  /** What a predecessor published, as far as it can be relied upon: a shard that is not there, or not what the pointer says, is written again. */
  async #look(): Promise<void> {
    if (this.#isKnown) return;
    const [object, secret] = await this.#read();
    const text = object?.data?.[POINTER_FIELD] ?? '';
    const pointer = readPointer(text);
    this.#used = Math.max(this.#used, generationIn(text));
    // Pods know what was there: generations and versions go on, whatever was lost.
    this.#published = pointer.ok ? await this.#whole(pointer.value) : emptyPointer(this.#used);
    this.#pointerVersion = object?.metadata.resourceVersion;
    this.#credentials = credentialsOf(secret) ?? {
      version: Math.max(this.#published?.credentials ?? 0, this.#credentials?.version ?? 0),
      text: '',
    };
    this.#isKnown = true;
  }

  #read() {
    return Promise.all([
      this.#find<ConfigMapObject>(configMaps, POINTER_OBJECT),
      this.#find<SecretObject>(secrets, CREDENTIALS_OBJECT),
    ]);
  }

  async #whole(pointer: Pointer): Promise<Pointer> {
    const checked = await Promise.all(
      Object.entries(pointer.shards).map(
        async ([name, ref]) => [name, (await this.#isWhole(name, ref)) ? ref : { ...ref, sha256: LOST }] as const,
      ),
    );
    return { ...pointer, shards: Object.fromEntries(checked) };
  }

  async #isWhole(name: string, { object, sha256 }: ShardRef): Promise<boolean> {
    const isOurs = shardObjects(name).includes(object);
    const packed = isOurs ? (await this.#find<ConfigMapObject>(configMaps, object))?.binaryData?.[SHARD_FIELD] : undefined;
    return packed !== undefined && sumOf(packed) === sha256;
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

  /** Only over the one that was read: a write of before that was given up may still arrive, and must not come over a later one. */
  async #putPointer(pointer: Pointer, text: string): Promise<void> {
    // Pods may have it before the answer is here.
    this.#used = pointer.generation;
    this.newest = pointer.generation;
    const { metadata } = await this.#put(configMaps, POINTER_OBJECT, { data: { [POINTER_FIELD]: text } }, this.#pointerVersion);
    this.#pointerVersion = metadata.resourceVersion;
    this.#published = pointer;
  }

  #putShard(name: string, packed: Uint8Array): Promise<unknown> {
    return this.#put(configMaps, name, { binaryData: { [SHARD_FIELD]: Buffer.from(packed).toString('base64') } });
  }

  #put(resource: KubeResource, name: string, fields: object, over?: string): Promise<KubeObject> {
    const of = { name, namespace: this.#options.namespace, ...(over !== undefined && { resourceVersion: over }) };
    const object: KubeObject = { metadata: { ...of, labels: LABELS }, ...fields };
    return this.#options.client.apply(resource, object, { fieldManager: FIELD_MANAGER, force: true });
  }

  #find<T extends KubeObject>(resource: KubeResource, name: string): Promise<T | undefined> {
    return this.#options.client.find<T>(resource, { namespace: this.#options.namespace, name });
  }
}

function sumOf(encoded: string): string | undefined {
  try {
    return sha256(gunzipSync(Buffer.from(encoded, 'base64')).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Also of a pointer that cannot be read here; 0: it has none. */
function generationIn(text: string): number {
  const generation = Number(/"generation":(\d{1,15})/.exec(text)?.[1]);
  return Number.isSafeInteger(generation) ? generation : 0;
}

/** Nothing is published, and the next generation is one higher; undefined: it is the first. */
const emptyPointer = (generation: number): Pointer | undefined =>
  generation > 0 ? { schemaVersion: SCHEMA_VERSION, generation, credentials: 0, shards: {} } : undefined;

function credentialsOf(secret: SecretObject | undefined): Credentials | undefined {
  const encoded = secret?.data?.[CREDENTIALS_FIELD];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const version = Number(/^\{"version":(\d+)/.exec(text)?.[1] ?? 0);
  return { version, text };
}
