// The fields of a status besides its conditions, for each kind, from what compile made of the object and what pods say around it.
import type { Compiled } from '#core/compile/index.ts';
import { keyState } from '#core/keys/generated.ts';
import type { Kind } from '#core/resources/index.ts';
import { type BudgetUse, type SurroundingsReport, stateName } from '#core/snapshot/pod-report.ts';
import type { BudgetEntry, KeyEntry, ProviderEntry, RouteEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import { type Readiness, timeText } from '#core/status/conditions.ts';
import {
  type BudgetLevelName,
  budgetLevel,
  budgetStanding,
  type EndpointCounts,
  type EndpointStateName,
  endpointCounts,
  keyReadiness,
  providerReadiness,
  routeReadiness,
} from '#core/status/readiness.ts';
import type { EpochMillis } from '#core/units.ts';
import { sha256 } from '#platform/digest.ts';
import { generatedKey, keptKey } from '../keys/kept.ts';
import type { OurObject, SecretObject } from '../resources.ts';

export type Around = {
  readonly compiled: Compiled;
  readonly reports: readonly SurroundingsReport[];
  /** By `namespace/name`. */
  readonly secret: (key: string) => SecretObject | undefined;
  readonly now: EpochMillis;
};

export type StatusFields = {
  readonly readiness: Readiness;
  /** Follow from the object itself. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Follow what is around it: written now and then. */
  readonly surroundings: Readonly<Record<string, unknown>>;
};

type OfKind = (object: OurObject, id: string, around: Indexed) => StatusFields;

const ofKind: Readonly<Record<Kind, OfKind>> = { LLMProvider: ofProvider, LLMRoute: ofRoute, TenantKey: ofKey };

export const statusFields = (kind: Kind, object: OurObject, around: Indexed): StatusFields =>
  ofKind[kind](object, `${object.metadata.namespace}/${object.metadata.name}`, around);

/** What is looked up for every object, made once for each state of the world. */
export type Indexed = Around & {
  readonly routes: ReadonlyMap<string, RouteEntry>;
  readonly keys: ReadonlyMap<string, KeyEntry>;
  /** By tenant, key and name of the budget: the largest share that a pod has seen. */
  readonly used: ReadonlyMap<string, number>;
};

export function indexed(around: Around): Indexed {
  const { routes, keys } = around.compiled.snapshot;
  const used = new Map<string, number>();
  for (const { budgets } of around.reports)
    for (const use of budgets) used.set(budgetId(use), Math.max(used.get(budgetId(use)) ?? 0, use.used));
  return {
    ...around,
    routes: new Map(routes.map(route => [route.id, route])),
    keys: new Map(keys.map(key => [`${key.namespace}/${key.name}`, key])),
    used,
  };
}

const budgetId = ({ tenant, key, budget }: Pick<BudgetUse, 'tenant' | 'key' | 'budget'>) => JSON.stringify([tenant, key, budget]);

// ---------------------------------------------------------------- providers

const NOT_LIVE: Readiness = { ready: false, reason: 'Pending', message: '' };

function ofProvider(_: OurObject, id: string, around: Indexed): StatusFields {
  const entry = around.compiled.snapshot.providers[id];
  if (!entry) return { readiness: NOT_LIVE, fields: {}, surroundings: {} };
  const counts = countsOf(entry, around.reports);
  return {
    readiness: readinessOf(entry, counts, around.reports),
    fields: {},
    surroundings: counts ? { endpoints: counts } : {},
  };
}

function countsOf({ id, connection }: ProviderEntry, reports: Around['reports']): EndpointCounts | undefined {
  if (connection.type !== 'VLLM') return undefined;
  const states = reports.map(
    ({ engines }) =>
      new Map<string, EndpointStateName>(
        Object.entries(engines[id] ?? {}).map(([endpoint, state]) => [endpoint, stateName(state)]),
      ),
  );
  return endpointCounts(connection.endpoints, states);
}

const readinessOf = ({ id }: ProviderEntry, counts: EndpointCounts | undefined, reports: Around['reports']): Readiness =>
  providerReadiness(
    counts,
    reports.some(({ authFailed }) => authFailed.includes(id)),
  );

const isReady = (id: string, { compiled: { snapshot }, reports }: Around): boolean => {
  const provider = snapshot.providers[id];
  return provider !== undefined && readinessOf(provider, countsOf(provider, reports), reports).ready;
};

// ---------------------------------------------------------------- routes

const MAX_MODELS = 256;

function ofRoute(_: OurObject, id: string, around: Indexed): StatusFields {
  const route = around.routes.get(id);
  if (!route) return { readiness: NOT_LIVE, fields: {}, surroundings: {} };
  return {
    readiness: routeReadiness(route, provider => isReady(provider, around)),
    fields: { models: modelsOf(route, around.compiled.snapshot) },
    surroundings: {
      backends: route.backends.map(({ name, provider }) => ({ name, state: isReady(provider, around) ? 'Ready' : 'NotReady' })),
    },
  };
}

/** The names that it answers to, where it says so; else those that its backends have. */
function modelsOf(route: RouteEntry, { providers }: Snapshot): readonly string[] {
  const named = route.match.flatMap(({ model }) => (model?.type === 'Exact' ? [model.value] : []));
  const all =
    named.length > 0 ? named : route.backends.flatMap(({ provider }) => providers[provider]?.models.map(m => m.name) ?? []);
  return [...new Set(all)].sort().slice(0, MAX_MODELS);
}

// ---------------------------------------------------------------- keys

function ofKey(object: OurObject, id: string, around: Indexed): StatusFields {
  const entry = around.keys.get(id);
  const generated = generatedFields(object, around);
  if (!entry) return { readiness: NOT_LIVE, fields: generated.status, surroundings: {} };
  const ofTenant = around.compiled.snapshot.tenants[entry.tenant]?.budgets ?? [];
  const budgets = [
    ...entry.budgets.map(budget => standing(budget, entry, id, around)),
    ...ofTenant.map(budget => standing(budget, entry, '', around)),
  ];
  return {
    readiness: keyReadiness(budgets),
    fields: { keyID: entry.id, activeKeys: activeKeys(entry, generated.notBefore), ...generated.status },
    surroundings: declared(object, budgets, around.now),
  };
}

function standing(budget: BudgetEntry, { tenant }: KeyEntry, key: string, { used }: Indexed) {
  const share = used.get(budgetId({ tenant, key, budget: budget.name })) ?? 0;
  return { budget, level: budgetLevel(share, budget.warnAtPercent) };
}

/** Those that the object itself declares: a tenant's budgets are in the statuses of the keys that have them. */
function declared(
  { spec }: OurObject,
  budgets: readonly { readonly budget: BudgetEntry; readonly level: BudgetLevelName }[],
  now: EpochMillis,
): StatusFields['surroundings'] {
  const own = Array.isArray(spec?.budgets) ? (spec.budgets as readonly { readonly name?: string }[]).map(({ name }) => name) : [];
  const shown = budgets
    .filter(({ budget }) => own.includes(budget.name))
    .map(({ budget, level }) => budgetStanding(budget, level, now));
  return shown.length > 0 ? { budgets: shown } : {};
}

/** An earlier key whose time is over is gone from the next snapshot, and from here. */
const activeKeys = ({ digests, previousDigests = [] }: KeyEntry, notBefore: EpochMillis | undefined) =>
  [
    ...digests.map(digest => ({ id: digest.slice(0, 12), ...(notBefore !== undefined && { notBefore: timeText(notBefore) }) })),
    ...previousDigests.map(({ digest, notAfter }) => ({ id: digest.slice(0, 12), notAfter: timeText(notAfter) })),
  ].slice(0, 4);

function generatedFields(object: OurObject, { secret, now }: Around) {
  const wanted = generatedKey(object);
  if (!wanted) return { status: {}, notBefore: undefined };
  const { secretName } = wanted.generate;
  const kept = secret(`${object.metadata.namespace}/${secretName}`);
  const { notBefore, nextRotation } = keyState(wanted, kept && keptKey(kept, object), now, sha256);
  const status = { secretName, ...(nextRotation !== undefined && { nextRotationTime: timeText(nextRotation) }) };
  return { status, notBefore };
}
