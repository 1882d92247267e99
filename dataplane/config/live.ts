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
  const keys = new Map<string, LiveKey>();
  const named = new Map<string, LiveKey>();
  const parts = { calendar: new Calendar(), digest };
  for (const entry of snapshot.keys) {
    const key = liveKey(entry, new KeyDemands(entry, tenantBudgets(snapshot, entry.tenant), parts));
    named.set(`${entry.namespace}/${entry.name}`, key);
    for (const digest of entry.digests) keys.set(digest, key);
    for (const { digest, notAfter } of entry.previousDigests ?? [])
      keys.set(digest, { ...key, until: earlier(notAfter, key.until) });
  }
  const providers = providersByName(snapshot);
  return {
    snapshot,
    generation,
    routes: routeIndex(snapshot.routes),
    key: digest => keys.get(digest),
    keyNamed: name => named.get(name),
    credential: ref => credentials.get(ref),
    provider: (name, keyNamespace) => providers.get(name)?.find(p => isVisible(p, keyNamespace)),
  };
}

export const emptyConfig: LiveConfig = liveConfig(
  { schemaVersion: 1, providers: {}, routes: [], keys: [], tenants: {} },
  new Map(),
  0,
  text => text,
);

function liveKey(entry: KeyEntry, demands: KeyDemands): LiveKey {
  const allow = entry.models.allow?.map(glob);
  const deny = entry.models.deny.map(glob);
  const matches = (globs: readonly Glob[], model: string) => globs.some(g => g(model));
  const isDenied = (model: string) => matches(deny, model);
  return {
    entry,
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
