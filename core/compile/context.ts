// What the compilers of the three kinds share: the objects around, and how references to them are looked up.
import type { RouteSpec } from '../resources/route.ts';
import type { CredentialRef } from '../snapshot/snapshot.ts';
import type { EpochMillis } from '../units.ts';
import type { UpstreamPolicy } from './address.ts';
import type { Objects } from './objects.ts';
import type { Catalogue, PriceFile } from './prices.ts';
import type { EngineAddresses } from './provider-types.ts';

export type Context = {
  readonly objects: Objects;
  readonly policy: UpstreamPolicy;
  readonly catalogue: Catalogue;
  readonly priceFile?: PriceFile | undefined;
  readonly digest: (text: string) => string;
  readonly now: EpochMillis;
  readonly generated: ReadonlyMap<string, string>;
  readonly rotatedOut?: ReadonlyMap<string, readonly RotatedOut[]> | undefined;
  readonly engines?: ReadonlyMap<string, FoundEngines> | undefined;
  /** Filled while providers and hooks are compiled. */
  readonly credentials: Map<CredentialRef, string>;
};

/** A key that was replaced: SHA-256, 64 hex digits, and until when it works. */
export type RotatedOut = { readonly digest: string; readonly notAfter: EpochMillis };

/** Engines of a provider, or why there is no telling. */
export type FoundEngines = EngineAddresses | { readonly missing: string };

/** What a reference leads to, or the reason of ResolvedRefs why it leads nowhere. */
export type Found<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string; readonly message: string };

export const credentialRef = (namespace: string, ref: { readonly name: string; readonly key: string }): CredentialRef =>
  `${namespace}/${ref.name}/${ref.key}`;

/** A signed token is a few thousand characters. What is longer no header can carry, and all credentials travel in one Secret. */
const MAX_SECRET_LENGTH = 16 * 1024;

export function secretValue(
  objects: Objects,
  namespace: string,
  ref: { readonly name: string; readonly key: string },
): Found<string> {
  const missing = (reason: string, message: string) => ({ ok: false, reason, message }) as const;
  const entries = objects.secrets.get(`${namespace}/${ref.name}`);
  if (entries === undefined) return missing('SecretNotFound', `there is no Secret ${namespace}/${ref.name}`);
  const entry = entries.get(ref.key);
  const key = `the key ${ref.key} of Secret ${namespace}/${ref.name}`;
  if (entry === undefined) return missing('SecretKeyMissing', `there is no ${key.slice(4)}`);
  if ('missing' in entry) return missing('SecretKeyMissing', `${key} has no value: ${entry.missing}`);
  if (entry.value === '') return missing('SecretKeyMissing', `${key} is empty`);
  if (entry.value.length > MAX_SECRET_LENGTH) return missing('SecretKeyMissing', `${key} is too long to be a credential`);
  if (!/^[\x21-\x7e]+$/.test(entry.value)) return missing('SecretKeyMissing', `${key} has characters that no header can carry`);
  return { ok: true, value: entry.value };
}

export type Labels = Readonly<Record<string, string>>;

const hasLabels = (labels: Labels, wanted: Labels): boolean =>
  Object.entries(wanted).every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value);

/** The namespaces that an admission opens an object to, besides its own. */
export function admitted(
  { namespaces: { from, selector } }: RouteSpec['allowedKeys'],
  objects: Objects,
): readonly string[] | '*' {
  if (from === 'All') return '*';
  if (from === 'Same' || selector === undefined) return [];
  const wanted = selector.matchLabels;
  return [...objects.namespaces]
    .filter(([, labels]) => hasLabels(labels, wanted))
    .map(([name]) => name)
    .sort();
}
