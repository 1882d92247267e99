// The configuration in force: a snapshot with the indexes that requests need. Built once per change, then never altered; a request
// holds on to the one it began with.
import { Calendar } from '#core/accounting/periods.ts';
import { KeyDemands } from '#core/admission/demand-of.ts';
import { type Glob, glob } from '#core/plan/glob.ts';
import { type RouteIndex, routeIndex } from '#core/plan/route-index.ts';
import type { CredentialRef, KeyEntry, ProviderEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import type { EpochMillis } from '#core/units.ts';

export type LiveKey = {
  readonly entry: KeyEntry;
  /** `namespace/name`. */
  readonly name: string;
  /** From when the secret that was presented is refused: an earlier secret ends before its key does. */
  readonly until?: EpochMillis;
  /** By the key's `allow` and `deny`. */
  mayUse(model: string): boolean;
  isDenied(model: string): boolean;
  /** What its requests ask of the counters of its tenant. */
  readonly demands: KeyDemands;
};

export type LiveConfig = {
  readonly snapshot: Snapshot;
  readonly generation: number;
  readonly routes: RouteIndex;
  /** @param digest SHA-256 of the whole key, hex */
  key(digest: string): LiveKey | undefined;
  /** @param name `namespace/name` */
  keyNamed(name: string): LiveKey | undefined;
  credential(ref: CredentialRef): string | undefined;
  /** Some route goes by tasks. */
  readonly hasTasks: boolean;
  /** Providers that a `<provider>/<model>` call of this namespace may name. */
  provider(name: string, keyNamespace: string): ProviderEntry | undefined;
};

/** @param digest SHA-256, hex */
export function liveConfig(
  snapshot: Snapshot,
  credentials: ReadonlyMap<CredentialRef, string>,
  generation: number,
  digest: (text: string) => string,
): LiveConfig {
  const keys = liveKeys(snapshot, digest);
  const providers = providersByName(snapshot);
  return {
    snapshot,
    generation,
    routes: routeIndex(snapshot.routes),
    ...keys,
    credential: ref => credentials.get(ref),
    hasTasks: snapshot.routes.some(route => route.semantic),
    provider: (name, keyNamespace) => providers.get(name)?.find(p => isVisible(p, keyNamespace)),
  };
}

export const emptyConfig: LiveConfig = liveConfig(
  { schemaVersion: 1, providers: {}, routes: [], keys: [], tenants: {} },
  new Map(),
  0,
  text => text,
);

/** A key is made ready when it is first used: of ten thousand, all at once would hold up the requests of the moment for 70 ms. */
function liveKeys(snapshot: Snapshot, digest: (text: string) => string): Pick<LiveConfig, 'key' | 'keyNamed'> {
  const parts = { calendar: new Calendar(), digest };
  const ready = new Map<KeyEntry, LiveKey>();
  const readied = (entry: KeyEntry): LiveKey => {
    const known = ready.get(entry) ?? liveKey(entry, new KeyDemands(entry, tenantBudgets(snapshot, entry.tenant), parts));
    ready.set(entry, known);
    return known;
  };
  const byDigest = new Map<string, { readonly entry: KeyEntry; readonly notAfter?: EpochMillis }>();
  let byName: ReadonlyMap<string, KeyEntry> | undefined;
  for (const entry of snapshot.keys) {
    for (const digest of entry.digests) byDigest.set(digest, { entry });
    for (const { digest, notAfter } of entry.previousDigests ?? []) byDigest.set(digest, { entry, notAfter });
  }
  return {
    key(digest) {
      const found = byDigest.get(digest);
      const key = found && readied(found.entry);
      return key && found.notAfter !== undefined ? { ...key, until: earlier(found.notAfter, key.until) } : key;
    },
    keyNamed(name) {
      byName ??= new Map(snapshot.keys.map(key => [`${key.namespace}/${key.name}`, key]));
      const entry = byName.get(name);
      return entry && readied(entry);
    },
  };
}

function liveKey(entry: KeyEntry, demands: KeyDemands): LiveKey {
  const allow = entry.models.allow?.map(glob);
  const deny = entry.models.deny.map(glob);
  const matches = (globs: readonly Glob[], model: string) => globs.some(g => g(model));
  const isDenied = (model: string) => matches(deny, model);
  return {
    entry,
    name: `${entry.namespace}/${entry.name}`,
    demands,
    ...(entry.expiresAt !== undefined && { until: entry.expiresAt }),
    isDenied,
    mayUse: model => (allow === undefined || matches(allow, model)) && !isDenied(model),
  };
}

const tenantBudgets = ({ tenants }: Snapshot, tenant: string) => (Object.hasOwn(tenants, tenant) ? tenants[tenant]!.budgets : []);

const earlier = (a: EpochMillis, b: EpochMillis | undefined): EpochMillis => (b !== undefined && b < a ? b : a);

function providersByName(snapshot: Snapshot): ReadonlyMap<string, readonly ProviderEntry[]> {
  const byName = new Map<string, ProviderEntry[]>();
  for (const provider of Object.values(snapshot.providers))
    if (!byName.get(provider.name)?.push(provider)) byName.set(provider.name, [provider]);
  return byName;
}

export const isVisible = (provider: ProviderEntry, namespace: string): boolean =>
  provider.namespace === namespace || provider.allowedNamespaces === '*' || provider.allowedNamespaces.includes(namespace);
