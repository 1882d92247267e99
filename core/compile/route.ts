// LLMRoute -> RouteEntry, and the rule that spans routes: of two that mean the same, the older one stays.

import { modelOf as entryOf } from '../plan/backends.ts';
import { durationOf, ratioOf, scaled } from '../resources/quantity.ts';
import type { Path } from '../resources/read.ts';
import type { RouteSpec } from '../resources/route.ts';
import type { BackendEntry, CostGuard, ProviderEntry, RouteEntry, RouteMatch } from '../snapshot/snapshot.ts';
import { nanoUsd, tokens } from '../units.ts';
import { cacheOf, semanticOf } from './cache.ts';
import { type CascadeParts, cascadeOf } from './cascade.ts';
import { admitted, type Context, type Labels } from './context.ts';
import { isGranted } from './grants.ts';
import { hooksOf } from './hooks.ts';
import { type Resource, specPath } from './objects.ts';
import { providerTypes } from './provider-types.ts';
import type { TargetOf } from './targets.ts';
import { byAge } from './verdict.ts';

type Route = Resource<'LLMRoute'>;
type BackendSpec = RouteSpec['backends'][number];
export type Providers = ReadonlyMap<string, ProviderEntry>;

export function compileRoutes(routes: readonly Route[], providers: Providers, context: Context): readonly RouteEntry[] {
  const winners = new Map<string, Route>();
  const entries: RouteEntry[] = [];
  for (const route of routes.toSorted(byAge)) {
    const entry = compileRoute(route, providers, context);
    // A route that cannot be served claims nothing: a broken object never stops another.
    if (entry === undefined || isDuplicate(route, winners)) continue;
    route.draft.live = true;
    entries.push(entry);
  }
  return entries.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Make sure that one request has one answer to "which route". */
function isDuplicate(route: Route, winners: Map<string, Route>): boolean {
  const meaning = meaningOf(route);
  const winner = winners.get(meaning);
  if (winner === undefined) winners.set(meaning, route);
  else {
    const path = specPath(route.spec.catchAll ? 'catchAll' : 'match');
    route.draft.fail('Accepted', 'Conflicted', path, `the route ${winner.id} already matches the same requests of the same keys`);
  }
  return winner !== undefined;
}

/** Equal for routes that are equal in match, tenants and the keys that see them. */
function meaningOf({ spec, namespace }: Route): string {
  const { from, selector } = spec.allowedKeys.namespaces;
  const keys = from === 'All' ? '*' : [namespace, selector ? sorted(selector.matchLabels) : ''];
  const items = (spec.match ?? []).map(item => canonical(matchOf(item))).sort();
  return JSON.stringify([items, spec.tenants ? sorted(spec.tenants.matchLabels) : null, keys]);
}

const sorted = (labels: Labels) => Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
const canonical = (match: RouteMatch) =>
  JSON.stringify({
    ...match,
    headers: match.headers.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    operations: match.operations.toSorted(),
    tags: sorted(match.tags),
  });

function compileRoute(route: Route, providers: Providers, context: Context): RouteEntry | undefined {
  const { spec, draft } = route;
  const backends = spec.backends.flatMap((backend, index) => backendOf(backend, index, route, providers, context) ?? []);
  if (backends.length === 0) {
    draft.state('Ready', 'False', 'NoHealthyBackend', 'none of its backends can be used');
    return undefined;
  }
  const target = targetsFor(route, providers, context);
  const cascade = spec.cascade && cascadeOf(spec.cascade, cascadeParts(route, backends, target, providers, context));
  const semantic = spec.semantic && semanticOf(spec.semantic, backends, target, draft);
  const cache = spec.cache && cacheOf(spec.cache, target);
  return {
    id: route.id,
    namespace: route.namespace,
    name: route.name,
    labels: route.labels,
    ...(route.createdAt !== undefined && { createdAt: route.createdAt }),
    catchAll: spec.catchAll,
    match: (spec.match ?? []).map(matchOf),
    allowedKeyNamespaces: admitted(spec.allowedKeys, context.objects),
    ...(spec.tenants && { tenants: spec.tenants.matchLabels }),
    strategy: spec.strategy,
    latency: latencyOf(spec),
    ...(spec.affinity && { affinity: affinityOf(spec.affinity) }),
    ...(spec.autoWeight?.mode === 'Enabled' && { autoWeight: { floor: ratioOf(spec.autoWeight.floor) } }),
    backends,
    retries: {
      attempts: spec.retries.attempts,
      on: spec.retries.on,
      backoff: { base: durationOf(spec.retries.backoff.base), max: durationOf(spec.retries.backoff.max) },
      budgetPercent: spec.retries.budgetPercent,
    },
    fallback: fallbackOf(spec, backends),
    ...(spec.hedge && { hedge: hedgeOf(spec.hedge) }),
    ...(cascade && { cascade }),
    ...(semantic && { semantic }),
    ...(cache && { cache }),
    ...(spec.hooks.length > 0 && { hooks: hooksOf(route, context) }),
    timeouts: {
      ...(spec.timeouts.request !== undefined && { request: durationOf(spec.timeouts.request) }),
      ...(spec.timeouts.streamIdle !== undefined && { streamIdle: durationOf(spec.timeouts.streamIdle) }),
    },
    onClientDisconnect: spec.onClientDisconnect,
    onUnknownPrice: spec.onUnknownPrice,
    clampMaxTokens: spec.clampMaxTokens,
    ...(spec.earlyHeartbeat !== undefined && { earlyHeartbeat: durationOf(spec.earlyHeartbeat) }),
    ...(spec.catchAllAnswer && { catchAllAnswer: spec.catchAllAnswer as NonNullable<RouteEntry['catchAllAnswer']> }),
  };
}

function matchOf(match: NonNullable<RouteSpec['match']>[number]): RouteMatch {
  return {
    ...(match.model && { model: match.model }),
    headers: match.headers.map(header => ({ ...header, name: header.name.toLowerCase() })),
    operations: match.operations,
    ...(match.minInputTokens !== undefined && { minInputTokens: tokens(match.minInputTokens) }),
    tags: match.tags,
  };
}

function latencyOf({ latency }: RouteSpec): RouteEntry['latency'] {
  if (!latency) return { percentile: 95, window: durationOf('5m'), tolerance: 0.1 };
  return { percentile: latency.percentile, window: durationOf(latency.window), tolerance: ratioOf(latency.tolerance) };
}

const SESSION_HEADER = 'x-session-id';

const affinityOf = ({ header, ttl }: NonNullable<RouteSpec['affinity']>): NonNullable<RouteEntry['affinity']> => ({
  header: (header ?? SESSION_HEADER).toLowerCase(),
  ttl: durationOf(ttl),
});

function hedgeOf({ after, maxPercent }: NonNullable<RouteSpec['hedge']>): NonNullable<RouteEntry['hedge']> {
  const isPercentile = after.startsWith('P');
  return { after: isPercentile ? { percentile: Number(after.slice(1)) } : { time: durationOf(after) }, maxPercent };
}

const costGuardOf = ({
  maxPriceRatio,
  onExceeded,
  budgetPerHour,
}: NonNullable<RouteSpec['fallback']['costGuard']>): CostGuard => ({
  ...(maxPriceRatio !== undefined && { maxPriceRatio: ratioOf(maxPriceRatio) }),
  onExceeded,
  ...(budgetPerHour !== undefined && { budgetPerHour: nanoUsd(scaled(budgetPerHour, 9) ?? 0) }),
});

/** Lists of names keep what is left of them; one of which nothing is left stays empty, so that it does not widen to all backends. */
function fallbackOf({ fallback }: RouteSpec, backends: readonly BackendEntry[]): RouteEntry['fallback'] {
  const left = (names: readonly string[]) => names.filter(name => backends.some(backend => backend.name === name));
  return {
    on: fallback.on,
    ...(fallback.contentFiltered && { contentFiltered: left(fallback.contentFiltered) }),
    ...(fallback.contextLengthExceeded && { contextLengthExceeded: left(fallback.contextLengthExceeded) }),
    allowDowngrade: fallback.allowDowngrade,
    ...(fallback.costGuard && { costGuard: costGuardOf(fallback.costGuard) }),
    midStream: fallback.midStream,
  };
}

const cascadeParts = (
  { draft }: Route,
  backends: readonly BackendEntry[],
  target: TargetOf,
  providers: Providers,
  { policy }: Context,
): CascadeParts => ({ draft, backends, target, providers, policy });

/** Models that the route names besides its backends. */
function targetsFor(route: Route, providers: Providers, context: Context): TargetOf {
  return (providerRef, name, path, what) => {
    const provider = providerOf({ providerRef }, route, providers, context);
    if (!('id' in provider)) return report({ ...provider, path: [...path, ...provider.path] }, [], route);
    const { type } = provider.connection;
    if (what === 'embeddings' && !providerTypes[type].makesEmbeddings) {
      const message = `providers of type ${type} make no embeddings`;
      return report({ path: [...path, 'providerRef'], reason: 'ModelNotFound', message }, [], route);
    }
    const model = entryOf(provider, name);
    if (model) return { provider: provider.id, model: model.name };
    const message = `the LLMProvider ${provider.id} has no model ${name}`;
    return report({ path: [...path, 'model'], reason: 'ModelNotFound', message }, [], route);
  };
}

// ---------------------------------------------------------------- backends

/** What stands against a backend. Without a reason there is nothing to mend: what it needs is not built yet. */
type Obstacle = { readonly path: Path; readonly reason?: string; readonly message: string };

/** Undefined for a backend that cannot be used: the route goes live without it, and says so. */
function backendOf(
  backend: BackendSpec,
  index: number,
  route: Route,
  providers: Providers,
  context: Context,
): BackendEntry | undefined {
  const found = providerOf(backend, route, providers, context);
  const at = ['backends', index];
  if ('message' in found) return report(found, at, route);
  const model = modelOf(backend, route, found);
  if ('message' in model) return report(model, at, route);
  const { name, weight, priority, downgrade } = backend;
  return { name, provider: found.id, ...model, weight, priority, downgrade };
}

function report({ path, reason, message }: Obstacle, within: Path, { draft }: Route): undefined {
  const at = specPath(...within, ...path);
  if (reason === undefined) draft.remark(at, message);
  else draft.fail('ResolvedRefs', reason, at, message);
  return undefined;
}

function providerOf(
  { providerRef }: Pick<BackendSpec, 'providerRef'>,
  route: Route,
  providers: Providers,
  context: Context,
): ProviderEntry | Obstacle {
  const path = ['providerRef'];
  const id = `${providerRef.namespace ?? route.namespace}/${providerRef.name}`;
  const name = `the LLMProvider ${id}`;
  const resource = context.objects.providers.get(id);
  if (resource === undefined) {
    const isRejected = context.objects.rejected.has(`LLMProvider ${id}`);
    return { path, reason: 'ProviderNotFound', message: isRejected ? `${name} is not valid` : `there is no LLMProvider ${id}` };
  }
  if (!admits(resource, route.namespace, context)) {
    const message = `allowedRoutes of ${name} does not admit namespace ${route.namespace}, nor does a ReferenceGrant`;
    return { path, reason: 'RefNotPermitted', message };
  }
  const provider = providers.get(id);
  if (provider !== undefined) return provider;
  if (resource.draft.sound) return { path, message: `left out: ${name} is of a form that comes with a later release` };
  return { path, reason: 'ProviderNotFound', message: `${name} is not live, as its own verdict says` };
}

function admits(provider: Resource<'LLMProvider'>, namespace: string, { objects }: Context): boolean {
  const others = admitted(provider.spec.allowedRoutes, objects);
  const isAdmitted = provider.namespace === namespace || others === '*' || others.includes(namespace);
  return isAdmitted || isGranted(objects.grants, provider, namespace);
}

/** The public name of the backend's model; empty where it is whatever was asked for. */
function modelOf(backend: BackendSpec, { spec }: Route, provider: ProviderEntry): { readonly model?: string } | Obstacle {
  const wanted = backend.model === undefined ? askedModels(spec) : [backend.model];
  if (wanted === undefined) return {};
  const model = provider.models.find(({ name, aliases }) => wanted.some(one => one === name || aliases.includes(one)));
  if (model !== undefined) return backend.model === undefined ? {} : { model: model.name };
  const path = backend.model === undefined ? [] : ['model'];
  return { path, reason: 'ModelNotFound', message: `the LLMProvider ${provider.id} has no model ${wanted.join(' or ')}` };
}

/** The models that can be asked for where the route names them all; undefined where it does not. */
function askedModels({ match }: RouteSpec): readonly string[] | undefined {
  const named = (match ?? []).flatMap(({ model }) => (model?.type === 'Exact' ? [model.value] : []));
  return match !== undefined && named.length === match.length ? named : undefined;
}
