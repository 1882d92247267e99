// What has to be written so that a snapshot is published: the shards that changed, each into the buffer that nobody reads, then the
// pointer. Equal to what is published: nothing.
import {
  type EntryText,
  entriesByShard,
  type Pointer,
  pointerText,
  SHARDS,
  type ShardName,
  shardText,
} from '../snapshot/codec.ts';
import { otherBuffer } from '../snapshot/layout.ts';
import { SCHEMA_VERSION, type Snapshot } from '../snapshot/snapshot.ts';

export type ShardWrite = { readonly object: string; readonly packed: Uint8Array };

export type PublishPlan = {
  /** To be written first, in any order. */
  readonly shards: readonly ShardWrite[];
  /** To be written last; absent: what is published stays. */
  readonly pointer?: { readonly value: Pointer; readonly text: string };
  /** For which there is no room. */
  readonly tooLarge: readonly EntryText[];
  /** All that is published, by `kind id`. */
  readonly entries: ReadonlyMap<string, string>;
};

export type PublishTools = {
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
  /** gzip */
  readonly pack: (text: string) => Uint8Array;
};

/** A ConfigMap holds a mebibyte, and a request to etcd one and a half; half of that leaves room and keeps each change cheap to send to all pods. */
const MAX_PACKED_BYTES = 512 * 1024;

export type PublishOptions = {
  /** The highest generation that anybody may have seen, of what is not there any more as well: none is used twice. */
  readonly newest?: number;
  /** Default: this one. */
  readonly schemaVersion?: number;
  readonly maxPackedBytes?: number;
};

/** @param credentials the version of the credentials that the snapshot needs */
export function publishPlan(
  snapshot: Snapshot,
  credentials: number,
  published: Pointer | undefined,
  tools: PublishTools,
  { newest = 0, schemaVersion = SCHEMA_VERSION, maxPackedBytes = MAX_PACKED_BYTES }: PublishOptions = {},
): PublishPlan {
  const byShard = entriesByShard(snapshot, tools.digest);
  const writes: ShardWrite[] = [];
  const tooLarge: EntryText[] = [];
  const entries = new Map<string, string>();
  const shards: Record<ShardName, Pointer['shards'][ShardName]> = {};
  for (const name of SHARDS) {
    const before = published?.shards[name];
    const written = (fitting: readonly EntryText[]) => shardText(fitting, schemaVersion);
    const fitted = fit(byShard.get(name) ?? [], written, before?.sha256, tools, maxPackedBytes);
    tooLarge.push(...fitted.leftOut);
    for (const { kind, id, text } of fitted.entries) entries.set(`${kind} ${id}`, text);
    if (fitted.entries.length === 0) continue;
    if (fitted.packed === undefined) shards[name] = before!;
    else {
      const object = otherBuffer(name, before?.object);
      shards[name] = { object, sha256: fitted.sha256 };
      writes.push({ object, packed: fitted.packed });
    }
  }
  const value = { schemaVersion, generation: Math.max(published?.generation ?? 0, newest) + 1, credentials, shards };
  const pointer = isPublished(value, published) ? {} : { pointer: { value, text: pointerText(value) } };
  return { shards: writes, ...pointer, tooLarge, entries };
}

type Fitted = {
  readonly entries: readonly EntryText[];
  readonly leftOut: readonly EntryText[];
  readonly sha256: string;
  /** Absent: it is what is published. */
  readonly packed?: Uint8Array;
};

/** Leaves out the largest entries until the rest has room: those are what fills it, and the fewest that have to go. */
function fit(
  all: readonly EntryText[],
  written: (entries: readonly EntryText[]) => string,
  published: string | undefined,
  { digest, pack }: PublishTools,
  maxBytes: number,
): Fitted {
  let entries = all;
  for (;;) {
    const text = written(entries);
    const sha256 = digest(text);
    const leftOut = all.filter(entry => !entries.includes(entry));
    if (sha256 === published) return { entries, leftOut, sha256 };
    const packed = pack(text);
    if (packed.length <= maxBytes || entries.length === 0) return { entries, leftOut, sha256, packed };
    entries = withoutLargest(entries, 1 - maxBytes / packed.length);
  }
}

/** @param share of all their text that has to go, at least */
function withoutLargest(entries: readonly EntryText[], share: number): readonly EntryText[] {
  const total = entries.reduce((sum, { text }) => sum + text.length, 0);
  const gone = new Set<EntryText>();
  let freed = 0;
  for (const entry of entries.toSorted((a, b) => b.text.length - a.text.length || (a.id < b.id ? -1 : 1))) {
    if (gone.size > 0 && freed >= total * share) break;
    gone.add(entry);
    freed += entry.text.length;
  }
  return entries.filter(entry => !gone.has(entry));
}

function isPublished(wanted: Pointer, published: Pointer | undefined): boolean {
  if (!published) return false;
  return pointerText({ ...wanted, generation: 0 }) === pointerText({ ...published, generation: 0 });
}
