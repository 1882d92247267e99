// Resources -> snapshot, verdicts, credentials. Pure, and it never fails: what is sound goes into the snapshot, and every object
// gets a verdict that says what became of it.
import { type CredentialRef, type ProviderEntry, type RouteEntry, SCHEMA_VERSION, type Snapshot } from '../snapshot/snapshot.ts';
import type { EpochMillis } from '../units.ts';
import type { UpstreamPolicy } from './address.ts';
import type { Context, FoundEngines, RotatedOut } from './context.ts';
import { objectsOf, type SourceObject } from './objects.ts';
import type { Catalogue, PriceFile } from './prices.ts';
import { compileProvider } from './provider.ts';
import { compileRoutes } from './route.ts';
import type { Environment } from './secrets.ts';
import { compileKeys } from './tenant-key.ts';
import type { Verdict } from './verdict.ts';

export type CompileInput = {
  readonly objects: readonly SourceObject[];
  readonly policy: UpstreamPolicy;
  /** Where `$(NAME)` in a Secret's stringData comes from. */
  readonly environment: Environment;
  readonly catalogue: Catalogue;
  readonly priceFile?: PriceFile;
  /** SHA-256 of a text, 64 lower-case hex digits. */
  readonly digest: (text: string) => string;
  readonly now: EpochMillis;
  /** The keys made for `generate`, by `namespace/name` of the TenantKey. Absent there: the Secret that `generate` names. */
  readonly generated: ReadonlyMap<string, string>;
  /** Keys of `generate` that were made anew and still work, by `namespace/name` of the TenantKey. */
  readonly rotatedOut?: ReadonlyMap<string, readonly RotatedOut[]>;
  /** Where the engines are of providers that find them in a cluster, by `namespace/name`. Absent: there is none to look in. */
  readonly engines?: ReadonlyMap<string, FoundEngines>;
};

export type Compiled = {
  readonly snapshot: Snapshot;
  readonly verdicts: readonly Verdict[];
  /** The secrets the snapshot refers to. Never written anywhere. */
  readonly credentials: ReadonlyMap<CredentialRef, string>;
};

export function compile(input: CompileInput): Compiled {
  const objects = objectsOf(input.objects, input.environment, input.policy.standalone);
  const context: Context = { ...input, objects, credentials: new Map() };
  const providers = compileProviders(context);
  const { keys, tenants } = compileKeys(objects.keys, context);
  const routes = compileRoutes(objects.routes, providers, context);
  return {
    snapshot: { schemaVersion: SCHEMA_VERSION, providers: Object.fromEntries(providers), routes, keys, tenants },
    verdicts: objects.drafts.map(draft => draft.verdict()),
    credentials: usedBy(providers, routes, context.credentials),
  };
}

function compileProviders(context: Context): ReadonlyMap<string, ProviderEntry> {
  const entries = [...context.objects.providers.values()].flatMap(resource => compileProvider(resource, context) ?? []);
  return new Map(entries.sort((a, b) => (a.id < b.id ? -1 : 1)).map(entry => [entry.id, entry]));
}

function usedBy(
  providers: ReadonlyMap<string, ProviderEntry>,
  routes: readonly RouteEntry[],
  credentials: Compiled['credentials'],
): Compiled['credentials'] {
  const used = new Set([...providers.values()].map(provider => provider.auth?.credential));
  for (const { hooks = [] } of routes)
    for (const { http } of hooks) for (const { credential } of http?.headers ?? []) used.add(credential);
  return new Map([...credentials].filter(([ref]) => used.has(ref)));
}

/** A catalogue that knows nothing, for where no model needs one. */
export const emptyCatalogue: Catalogue = { version: 'none', find: () => undefined };
