// The form in which a snapshot travels from the operator to the data plane: a pointer, and up to sixteen shards as canonical JSON. An
// object is always in the same shard, so that a change of one is a change of one shard; equal snapshots are equal bytes.
//
// A reader understands the version before its own and the one after: what a newer one added stays behind, and an entry that cannot be
// understood is left out and named, alone.
import { keyEntry, providerEntry, routeEntry, tenantEntry } from './entries.ts';
import {
  digest as aDigest,
  number as aNumber,
  text as aText,
  mapOf,
  object,
  type Read,
  type Reader,
  read,
  required,
} from './reader.ts';
import {
  type KeyEntry,
  type ProviderEntry,
  type RouteEntry,
  SCHEMA_VERSION,
  type Snapshot,
  type TenantEntry,
} from './snapshot.ts';

/** Two hex digits: `00` to `0f`. */
export type ShardName = string;
export const SHARDS: readonly ShardName[] = Array.from({ length: 16 }, (_, n) => `0${n.toString(16)}`);

export type EntryKind = 'LLMProvider' | 'LLMRoute' | 'TenantKey' | 'Tenant';

/** One entry on its way; `id` is `namespace/name`, of a tenant its name. */
export type EntryText = { readonly kind: EntryKind; readonly id: string; readonly text: string };

export type Pointer = {
  readonly schemaVersion: number;
  /** Rises with each change. */
  readonly generation: number;
  /** The version of the credentials that the snapshot needs at least. */
  readonly credentials: number;
  /** Those that hold anything. */
  readonly shards: Readonly<Record<ShardName, ShardRef>>;
};

/** @property object where it is kept; @property sha256 of its text */
export type ShardRef = { readonly object: string; readonly sha256: string };

/** What a reader left out, for whoever has to know that an object is not served. */
export type Rejection = { readonly kind: EntryKind; readonly id: string; readonly message: string };

export type Shard = {
  readonly providers: readonly ProviderEntry[];
  readonly routes: readonly RouteEntry[];
  readonly keys: readonly KeyEntry[];
  readonly tenants: Readonly<Record<string, TenantEntry>>;
  readonly rejected: readonly Rejection[];
};

// ---------------------------------------------------------------- writing

/** @param digest SHA-256 of a text, hex */
export function entriesByShard(
  snapshot: Snapshot,
  digest: (text: string) => string,
): ReadonlyMap<ShardName, readonly EntryText[]> {
  return Map.groupBy(entryTexts(snapshot), ({ kind, id }) => `0${digest(`${kind} ${id}`)[0]}`);
}

function entryTexts({ providers, routes, keys, tenants }: Snapshot): readonly EntryText[] {
  const entry = (kind: EntryKind, id: string, value: unknown) => ({ kind, id, text: canonical(value) });
  return [
    ...Object.values(providers).map(value => entry('LLMProvider', value.id, value)),
    ...routes.map(value => entry('LLMRoute', value.id, value)),
    ...keys.map(value => entry('TenantKey', `${value.namespace}/${value.name}`, value)),
    ...Object.entries(tenants).map(([name, value]) => entry('Tenant', name, value)),
  ].sort((a, b) => (a.kind === b.kind ? (a.id < b.id ? -1 : 1) : a.kind < b.kind ? -1 : 1));
}

const FIELD_OF: Readonly<Record<Exclude<EntryKind, 'Tenant'>, keyof Shard>> = {
  LLMProvider: 'providers',
  LLMRoute: 'routes',
  TenantKey: 'keys',
};

/** @param schemaVersion this one, or the one before. A version that changes the form of an entry has to write the form before, too */
export function shardText(entries: readonly EntryText[], schemaVersion: number = SCHEMA_VERSION): string {
  const lists = Object.entries(FIELD_OF).map(
    ([kind, field]) => `"${field}":[${entries.flatMap(e => (e.kind === kind ? e.text : [])).join(',')}]`,
  );
  const tenants = entries.flatMap(e => (e.kind === 'Tenant' ? `${JSON.stringify(e.id)}:${e.text}` : []));
  return `{"schemaVersion":${schemaVersion},${lists.join(',')},"tenants":{${tenants.join(',')}}}`;
}

export const pointerText = (pointer: Pointer): string => canonical(pointer);

/** JSON with the keys of every mapping in order, and nothing undefined. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = value as Readonly<Record<string, unknown>>;
  const parts: string[] = [];
  for (const name of Object.keys(fields).sort())
    if (fields[name] !== undefined) parts.push(`${JSON.stringify(name)}:${canonical(fields[name])}`);
  return `{${parts.join(',')}}`;
}

// ---------------------------------------------------------------- reading

const pointer = object<Pointer>({
  schemaVersion: required(aNumber),
  generation: required(aNumber),
  credentials: required(aNumber),
  shards: required(mapOf(object<ShardRef>({ object: required(aText), sha256: required(aDigest) }))),
});

export function readPointer(text: string): Read<Pointer> {
  const found = parsed(text);
  if (!found.ok) return found;
  const result = read(pointer, found.value);
  return result.ok && !isReadable(result.value.schemaVersion) ? unreadable(result.value.schemaVersion) : result;
}

/** @param text whose checksum is known to be right */
export function readShard(text: string): Read<Shard> {
  const found = parsed(text);
  if (!found.ok) return found;
  if (typeof found.value !== 'object' || found.value === null) return { ok: false, complaint: 'a shard must be a mapping' };
  const { schemaVersion, providers, routes, keys, tenants } = found.value as { readonly [field: string]: unknown };
  if (typeof schemaVersion !== 'number' || !isReadable(schemaVersion)) return unreadable(schemaVersion);
  const rejected: Rejection[] = [];
  return {
    ok: true,
    value: {
      providers: readable('LLMProvider', providerEntry, providers, rejected),
      routes: readable('LLMRoute', routeEntry, routes, rejected),
      keys: readable('TenantKey', keyEntry, keys, rejected),
      tenants: readableTenants(tenants, rejected),
      rejected,
    },
  };
}

const isReadable = (version: number): boolean => Number.isInteger(version) && Math.abs(version - SCHEMA_VERSION) <= 1;

const unreadable = (version: unknown) =>
  ({
    ok: false,
    complaint: `schema version ${version} cannot be read here: versions ${SCHEMA_VERSION - 1} to ${SCHEMA_VERSION + 1} can`,
  }) as const;

function parsed(text: string): Read<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch {
    return { ok: false, complaint: 'it is not JSON' };
  }
}

function readable<T>(kind: EntryKind, reader: Reader<T>, values: unknown, rejected: Rejection[]): readonly T[] {
  if (!Array.isArray(values)) return [];
  return values.flatMap(value => {
    const entry = read(reader, value);
    if (entry.ok) return [entry.value];
    rejected.push({ kind, id: idIn(value), message: entry.complaint });
    return [];
  });
}

/** A tenant whose budgets cannot be understood has keys that must not spend without them; `joined` sees to that. */
function readableTenants(values: unknown, rejected: Rejection[]): Shard['tenants'] {
  if (typeof values !== 'object' || values === null) return {};
  const entries = Object.entries(values).flatMap(([name, value]) => {
    const entry = read(tenantEntry, value);
    if (entry.ok) return [[name, entry.value] as const];
    rejected.push({ kind: 'Tenant', id: name, message: entry.complaint });
    return [];
  });
  return Object.fromEntries(entries);
}

function idIn(value: unknown): string {
  const { namespace, name } = (value ?? {}) as { readonly namespace?: unknown; readonly name?: unknown };
  return `${namespace}/${name}`;
}

/** All shards together, and all that was left out of them. Keys are in the order of the shards. */
export function joined(shards: readonly Shard[]): { readonly snapshot: Snapshot; readonly rejected: readonly Rejection[] } {
  const rejected = shards.flatMap(shard => shard.rejected);
  const providers = shards.flatMap(shard => shard.providers).sort(byId);
  const known = new Set(providers.map(provider => provider.id));
  const lostTenants = new Set(rejected.flatMap(({ kind, id }) => (kind === 'Tenant' ? id : [])));
  const routes = shards
    .flatMap(shard => shard.routes)
    .flatMap(route => withKnownBackends(route, known, rejected))
    .sort(byId);
  const keys = shards.flatMap(shard => shard.keys);
  return {
    snapshot: {
      schemaVersion: SCHEMA_VERSION,
      providers: Object.fromEntries(providers.map(provider => [provider.id, provider])),
      routes,
      keys: lostTenants.size === 0 ? keys : keys.filter(key => mayServe(key, lostTenants, rejected)),
      tenants: Object.assign({}, ...shards.map(shard => shard.tenants)) as Snapshot['tenants'],
    },
    rejected,
  };
}

const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);

/** As compile does it: what is left of a route is served. Where backends are named once more inside of it, that would change its meaning. */
function withKnownBackends(route: RouteEntry, known: ReadonlySet<string>, rejected: Rejection[]): readonly RouteEntry[] {
  const backends = route.backends.filter(backend => known.has(backend.provider));
  if (backends.length === route.backends.length) return [route];
  if (backends.length > 0 && !route.cascade && !route.semantic) return [{ ...route, backends }];
  rejected.push({ kind: 'LLMRoute', id: route.id, message: 'a provider that it needs cannot be read here' });
  return [];
}

function mayServe(key: KeyEntry, lostTenants: ReadonlySet<string>, rejected: Rejection[]): boolean {
  if (!lostTenants.has(key.tenant)) return true;
  const message = `the budgets of tenant ${key.tenant} cannot be read here`;
  rejected.push({ kind: 'TenantKey', id: `${key.namespace}/${key.name}`, message });
  return false;
}
