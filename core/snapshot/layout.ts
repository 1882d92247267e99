// Where the operator keeps what the data plane reads: names of objects and of the fields in them. Names are fixed, so that a data plane
// may be allowed to read these objects and nothing else.
import { SHARDS, type ShardName } from './codec.ts';

/** ConfigMap with the pointer, in `data`. */
export const POINTER_OBJECT = 'tollgate-config';
export const POINTER_FIELD = 'pointer.json';
/** In `binaryData` of each shard's ConfigMap: its text, gzipped. */
export const SHARD_FIELD = 'shard.json.gz';
/** Secret with the credentials of providers, as JSON `{version, values: {"namespace/secret/key": value}}`. */
export const CREDENTIALS_OBJECT = 'tollgate-credentials';
export const CREDENTIALS_FIELD = 'credentials.json';

/** Each shard has two objects: a new version goes into the one that the pointer does not name. */
const BUFFERS = ['a', 'b'] as const;

export const shardObjects = (name: ShardName): readonly [string, string] => [
  `${POINTER_OBJECT}-${BUFFERS[0]}-${name}`,
  `${POINTER_OBJECT}-${BUFFERS[1]}-${name}`,
];

/** The one to write the next version to. */
export function otherBuffer(name: ShardName, inUse: string | undefined): string {
  const [a, b] = shardObjects(name);
  return inUse === a ? b : a;
}

/** Every ConfigMap that there can be. */
export const CONFIG_OBJECTS: readonly string[] = [POINTER_OBJECT, ...SHARDS.flatMap(shardObjects)];
