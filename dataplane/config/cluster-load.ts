// Loads published configuration from wherever it is kept: a pointer, then the shards that are not known yet, each checked by its sum.
// Work is cut into pieces of a shard, with requests served in between.
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import {
  joined,
  type Pointer,
  type Rejection,
  readPointer,
  readShard,
  type Shard,
  type ShardName,
} from '#core/snapshot/codec.ts';
import type { CredentialRef, Snapshot } from '#core/snapshot/snapshot.ts';

/** One place where configuration is kept. Each rejects where it cannot be asked. */
export type Store = {
  /** undefined: nothing was ever published there. */
  pointer(): Promise<string | undefined>;
  /** The gzipped text of a shard. */
  shard(object: string, sha256: string): Promise<Buffer | undefined>;
  credentials(): Promise<string | undefined>;
};

export type Loaded = {
  readonly pointer: Pointer;
  readonly shards: ReadonlyMap<ShardName, LoadedShard>;
  readonly snapshot: Snapshot;
  readonly rejected: readonly Rejection[];
};

export type LoadedShard = { readonly sha256: string; readonly packed: Buffer; readonly shard: Shard };

/** What stands against loading it; `isTorn`: it is being written at this moment, and another try may do. */
export class NotLoaded extends Error {
  readonly isTorn: boolean;
  constructor(message: string, isTorn = false) {
    super(message);
    this.isTorn = isTorn;
  }
}

const unpacked = promisify(gunzip);
/** A shard is at most a mebibyte packed; this is what a hostile one could not exceed. */
const MAX_SHARD_BYTES = 64 * 1024 * 1024;

/** @param known shards that need not be fetched again */
export async function load(
  store: Store,
  text: string,
  known: ReadonlyMap<ShardName, LoadedShard>,
  digest: (text: string) => string,
): Promise<Loaded> {
  const pointer = readPointer(text);
  if (!pointer.ok) throw new NotLoaded(`the pointer: ${pointer.complaint}`);
  const shards = new Map<ShardName, LoadedShard>();
  const fetched = await Promise.all(
    Object.entries(pointer.value.shards).map(async ([name, { object, sha256 }]) => {
      const before = known.get(name);
      return {
        name,
        object,
        sha256,
        before,
        packed: before?.sha256 === sha256 ? before.packed : await store.shard(object, sha256),
      };
    }),
  );
  for (const { name, object, sha256, before, packed } of fetched) {
    if (before?.sha256 === sha256) shards.set(name, before);
    else shards.set(name, await shardOf(object, sha256, packed, digest));
  }
  await turn();
  const { snapshot, rejected } = joined([...shards.values()].map(({ shard }) => shard));
  return { pointer: pointer.value, shards, snapshot, rejected };
}

async function shardOf(
  object: string,
  sha256: string,
  packed: Buffer | undefined,
  digest: (text: string) => string,
): Promise<LoadedShard> {
  if (!packed) throw new NotLoaded(`there is no ${object}`, true);
  const bytes = await unpacked(packed, { maxOutputLength: MAX_SHARD_BYTES }).catch((error: Error) => {
    throw new NotLoaded(`${object} cannot be unpacked: ${error.message}`, true);
  });
  const text = bytes.toString('utf8');
  if (digest(text) !== sha256) throw new NotLoaded(`${object} is not what the pointer says`, true);
  await turn();
  const shard = readShard(text);
  if (!shard.ok) throw new NotLoaded(`${object}: ${shard.complaint}`);
  return { sha256, packed, shard: shard.value };
}

export type Credentials = { readonly version: number; readonly values: ReadonlyMap<CredentialRef, string> };

export const noCredentials: Credentials = { version: 0, values: new Map() };

/** @throws NotLoaded. The text is never in a message: it is all secrets */
export function readCredentials(text: string): Credentials {
  try {
    const { version, values } = JSON.parse(text) as { version: unknown; values: unknown };
    if (typeof version !== 'number' || typeof values !== 'object' || values === null) throw new Error();
    const entries = Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    return { version, values: new Map(entries) };
  } catch {
    throw new NotLoaded('the credentials cannot be read');
  }
}
