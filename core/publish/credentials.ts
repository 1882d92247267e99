// Credentials travel in one Secret, which the API server limits to a mebibyte. Where there are more, those that fill it go without, and
// all others are published.
import type { EntryText } from '../snapshot/codec.ts';
import type { CredentialRef, Snapshot } from '../snapshot/snapshot.ts';

export type Publishable = {
  readonly snapshot: Snapshot;
  readonly credentials: ReadonlyMap<CredentialRef, string>;
  /** For whose credentials there is no room. A route among them stays: its hooks that go without fail, and are not left out. */
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
  const isGone = (ref: CredentialRef | undefined) => ref !== undefined && credentials.has(ref) && !kept.has(ref);
  const all = Object.entries(snapshot.providers);
  const lacking = all.filter(([, { auth }]) => isGone(auth?.credential)).map(([id]) => id);
  const hookless = snapshot.routes.filter(({ hooks = [] }) =>
    hooks.some(({ http }) => http?.headers.some(({ credential }) => isGone(credential))),
  );
  return {
    snapshot: { ...snapshot, providers: Object.fromEntries(all.filter(([id]) => !lacking.includes(id))) },
    credentials: new Map([...credentials].filter(([ref]) => kept.has(ref))),
    leftOut: [
      ...lacking.map(id => ({ kind: 'LLMProvider', id }) as const),
      ...hookless.map(({ id }) => ({ kind: 'LLMRoute', id }) as const),
    ],
  };
}
