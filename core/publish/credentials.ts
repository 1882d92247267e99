// Credentials travel in one Secret, which the API server limits to a mebibyte. Where there are more, those that fill it go without, and
// all others are published.
import type { EntryText } from '../snapshot/codec.ts';
import type { CredentialRef, Snapshot } from '../snapshot/snapshot.ts';

export type Publishable = {
  readonly snapshot: Snapshot;
  readonly credentials: ReadonlyMap<CredentialRef, string>;
  /** For whose credentials there is no room. */
  readonly leftOut: readonly Pick<EntryText, 'kind' | 'id'>[];
};

/** The rest is for what the values are wrapped in. */
const MAX_BYTES = 960 * 1024;

/** Leaves out the longest, and the providers that need them: those are the fewest that have to go. */
export function withRoomForCredentials(
  snapshot: Snapshot,
  credentials: ReadonlyMap<CredentialRef, string>,
  maxBytes: number = MAX_BYTES,
): Publishable {
  const bySize = [...credentials]
    .map(([ref, value]) => ({ ref, bytes: JSON.stringify([ref, value]).length }))
    .sort((a, b) => a.bytes - b.bytes || (a.ref < b.ref ? -1 : 1));
  const kept = new Set<CredentialRef>();
  let room = maxBytes;
  for (const { ref, bytes } of bySize) {
    room -= bytes;
    if (room < 0) break;
    kept.add(ref);
  }
  if (kept.size === credentials.size) return { snapshot, credentials, leftOut: [] };
  const lacks = (id: string) => {
    const { auth } = snapshot.providers[id]!;
    return auth !== undefined && credentials.has(auth.credential) && !kept.has(auth.credential);
  };
  const ids = Object.keys(snapshot.providers);
  return {
    snapshot: {
      ...snapshot,
      providers: Object.fromEntries(ids.filter(id => !lacks(id)).map(id => [id, snapshot.providers[id]!])),
    },
    credentials: new Map([...credentials].filter(([ref]) => kept.has(ref))),
    leftOut: ids.filter(lacks).map(id => ({ kind: 'LLMProvider', id })),
  };
}
