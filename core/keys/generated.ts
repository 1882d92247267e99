// The key that `generate` asks for: when it is made, when it is made anew, and which ones work meanwhile. What there is to know stands
// on the Secret itself, beside the key, so that whoever looks at it again decides the same.
import { durationOf } from '../resources/quantity.ts';
import type { TenantKeySpec } from '../resources/tenant-key.ts';
import type { EpochMillis } from '../units.ts';
import { epochMillis } from '../units.ts';

/** Where the Secret has the key. */
export const KEY_FIELD = 'key';
/** Annotations of the Secret: when the key was made, and the digests of earlier ones as `sha256:<hex> <notAfter>`, oldest first. */
export const MADE_AT = 'tollgate.dev/made-at';
const EARLIER_KEYS = 'tollgate.dev/earlier-keys';
/** Which TenantKey a Secret was made for; a Secret without it is somebody else's and is never written. */
export const MADE_FOR = 'tollgate.dev/tenant-key';

/** Annotation of a TenantKey, an RFC 3339 time: a key that was made before it is made anew then. For one that leaked, or may have. */
export const ROTATE_AT = 'tollgate.dev/rotate-at';

/** What a TenantKey asks for. */
export type KeyWish = Pick<TenantKeySpec, 'rotation'> & {
  /** What `ROTATE_AT` says. */
  readonly rotateAt?: EpochMillis | undefined;
};

/** A Secret as far as it matters here. */
export type KeptKey = {
  /** Absent: the Secret has none. */
  readonly key?: string | undefined;
  readonly isOurs: boolean;
  readonly annotations: Readonly<Record<string, string>>;
};

export type EarlierKey = { readonly digest: string; readonly notAfter: EpochMillis };

export type KeyDecision =
  | { readonly kind: 'none' }
  /** Write the Secret: a new key, and what is to stand beside it. */
  | { readonly kind: 'write'; readonly annotations: Readonly<Record<string, string>> }
  /** The Secret is somebody else's: it is used as it is, and not rotated. */
  | { readonly kind: 'foreign' };

export type KeyState = {
  readonly decision: KeyDecision;
  /** Besides the one in the Secret. */
  readonly earlier: readonly EarlierKey[];
  readonly notBefore: EpochMillis | undefined;
  /** When a new one is due. */
  readonly nextRotation: EpochMillis | undefined;
};

/** More would let a key that is rotated often grow without end; the oldest go first. */
const MAX_EARLIER = 3;

/** @param digest SHA-256 of a text, hex */
export function keyState(
  { rotation, rotateAt }: KeyWish,
  kept: KeptKey | undefined,
  now: EpochMillis,
  digest: (text: string) => string,
): KeyState {
  if (kept && !kept.isOurs) return { ...nothing, decision: { kind: kept.key === undefined ? 'none' : 'foreign' } };
  const earlier = earlierKeys(kept?.annotations[EARLIER_KEYS]).filter(({ notAfter }) => notAfter > now);
  if (!kept?.key) return { ...nothing, earlier, decision: write(now, earlier) };
  const madeAt = timeOf(kept.annotations[MADE_AT]) ?? now;
  const dueAt = [
    ...(rotation ? [madeAt + Math.max(durationOf(rotation.every), MIN_ROTATION_MS)] : []),
    ...(rotateAt !== undefined && madeAt < rotateAt ? [rotateAt] : []),
  ];
  if (dueAt.length === 0) return { ...nothing, earlier, notBefore: madeAt };
  const nextRotation = epochMillis(Math.min(...dueAt));
  if (now < nextRotation) return { decision: { kind: 'none' }, earlier, notBefore: madeAt, nextRotation };
  // Nobody said how long the old one is to go on: it ends.
  const overlap = rotation ? durationOf(rotation.overlap) : 0;
  const ending = { digest: digest(kept.key), notAfter: epochMillis(now + overlap) };
  const all = [...earlier, ending].filter(({ notAfter }) => notAfter > now).slice(-MAX_EARLIER);
  // Until that is written, the old one is the key, and has no end.
  return { decision: write(now, all), earlier, notBefore: madeAt, nextRotation };
}

const nothing: KeyState = { decision: { kind: 'none' }, earlier: [], notBefore: undefined, nextRotation: undefined };

/** `every: 0s` is no reason to make keys in a loop. */
const MIN_ROTATION_MS = 60_000;

const write = (now: EpochMillis, earlier: readonly EarlierKey[]): KeyDecision => ({
  kind: 'write',
  annotations: {
    [MADE_AT]: iso(now),
    [EARLIER_KEYS]: earlier.map(({ digest, notAfter }) => `sha256:${digest} ${iso(notAfter)}`).join(', '),
  },
});

const iso = (time: EpochMillis): string => new Date(time).toISOString();

function earlierKeys(text = ''): readonly EarlierKey[] {
  return [...text.matchAll(/sha256:([0-9a-f]{64}) (\S+?)(?:,|$)/g)].flatMap(([, digest, until]) => {
    const notAfter = timeOf(until);
    return notAfter === undefined ? [] : [{ digest: digest!, notAfter }];
  });
}

/** undefined: it is no time. */
export function timeOf(text: string | undefined): EpochMillis | undefined {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : epochMillis(time);
}
