// Where a request goes that is for no model: files, batches, vector stores. What it names says it, else a route for its operation, a header,
// or that there is one provider alone that has such things.
import { failure, ok, type Parsed, refuse } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { PlanContext } from '#core/plan/context.ts';
import { type Plan, planDirect } from '#core/plan/plan.ts';
import { matchRoute, type RequestFacts } from '#core/plan/route-index.ts';
import type { ModelEntry, ProviderEntry, Rates, RouteEntry } from '#core/snapshot/snapshot.ts';
import { nanoUsd, picoUsd } from '#core/units.ts';
import { isVisible, type LiveConfig, type LiveKey } from '../config/live.ts';
import { passedWireFor } from '../providers/index.ts';
import type { PassedEndpoint } from './endpoints.ts';
import { meterOf } from './meters.ts';

/** What rows, limits and the allow lists of keys call it: the first part of its path. */
export const serviceOf = ({ path }: Pick<PassedEndpoint, 'path'>): string => path.split('/')[1]!;

/** Names the provider of a request that nothing else tells it of. */
const PROVIDER_HEADER = 'x-tollgate-provider';

export type ServiceAsked = {
  readonly endpoint: PassedEndpoint;
  readonly facts: RequestFacts;
  /** It names something that is kept: where that is it goes. */
  readonly isPinned: boolean;
};

export function planService(config: LiveConfig, key: LiveKey, asked: ServiceAsked, context: PlanContext): Parsed<Plan> {
  const service = serviceOf(asked.endpoint);
  if (!key.mayUse(service))
    return refuse('model_not_allowed', {
      message: `This key may not use ${service}: its models are listed, and '${service}' is none of them.`,
    });
  const all = providersWith(config, key, asked.endpoint);
  const route = routeOf(config, key, asked);
  const ofRoute = route ? providersOf(config, route, asked.endpoint) : [];
  // Those of a route are not always seen by its keys themselves.
  const chosen = asked.isPinned
    ? ok({ providers: [...new Set([...ofRoute, ...all])], route })
    : choose(asked, all, ofRoute, route);
  if (!chosen.ok) return chosen;
  const { providers } = chosen.value;
  const candidates = providers.map(provider => directTo(provider, asked.endpoint, context).candidates[0]!);
  if (route?.onUnknownPrice === 'Deny' && candidates.some(({ model }) => !model.price))
    return { ok: false, failure: failure('unknown_price', { message: unpriced(service) }) };
  return ok({ ...(route && { route }), candidates, excluded: [] });
}

const unpriced = (service: string): string =>
  `What ${service} cost is not known, and the route does not allow that: give the provider a model '${service}' with price.perRequest.`;

type Chosen = { readonly providers: readonly ProviderEntry[]; readonly route?: RouteEntry | undefined };

function choose(
  { endpoint, facts }: ServiceAsked,
  all: readonly ProviderEntry[],
  ofRoute: readonly ProviderEntry[],
  route: RouteEntry | undefined,
): Parsed<Chosen> {
  const service = serviceOf(endpoint);
  if (route) {
    // Others would not have what the first of them made.
    if (ofRoute.length > 0) return ok({ providers: ofRoute.slice(0, 1), route });
    return refuse('no_backend', { message: `No backend of the route for ${service} has them.` });
  }
  const named = facts.headers[PROVIDER_HEADER];
  if (typeof named === 'string') {
    const provider = all.find(({ name, id }) => name === named || id === named);
    if (provider) return ok({ providers: [provider] });
    return refuse('invalid_request', {
      message: `There is no provider '${named.slice(0, 256)}' that has ${service}, or this key does not see it.`,
    });
  }
  if (all.length === 1) return ok({ providers: all });
  if (all.length === 0) return refuse('no_backend', { message: `No provider that this key sees has ${service}.` });
  return refuse('invalid_request', {
    message: `Several providers have ${service}: name one in the header ${PROVIDER_HEADER}, or make a route for the operation ${endpoint.operation}.`,
  });
}

/** A route for every model is none for files: it would send them to whoever comes first. */
function routeOf({ routes }: LiveConfig, { entry }: LiveKey, { endpoint, facts }: ServiceAsked): RouteEntry | undefined {
  const route = matchRoute(routes, entry, facts);
  return route?.match.some(({ operations }) => operations.includes(endpoint.operation)) ? route : undefined;
}

const providersOf = ({ snapshot }: LiveConfig, { backends }: RouteEntry, endpoint: PassedEndpoint): readonly ProviderEntry[] =>
  backends.flatMap(({ provider: id }) => {
    const provider = snapshot.providers[id];
    return provider && hasService(provider, endpoint) ? [provider] : [];
  });

const providersWith = ({ snapshot }: LiveConfig, key: LiveKey, endpoint: PassedEndpoint): readonly ProviderEntry[] =>
  Object.values(snapshot.providers).filter(
    provider => isVisible(provider, key.entry.namespace) && hasService(provider, endpoint),
  );

const hasService = (provider: ProviderEntry, endpoint: PassedEndpoint): boolean =>
  passedWireFor({ provider, model: entryOf(provider, endpoint) })?.keepsThings === true;

const directTo = (provider: ProviderEntry, endpoint: PassedEndpoint, context: PlanContext): Plan =>
  planDirect(provider, entryOf(provider, endpoint), context);

// ---------------------------------------------------------------- services as models

const entries = new WeakMap<ProviderEntry, Map<string, ModelEntry>>();

/** The same one each time, as whoever measures candidates tells them by their identity. */
function entryOf(provider: ProviderEntry, endpoint: PassedEndpoint): ModelEntry {
  const service = serviceOf(endpoint);
  const { price } = meterOf(endpoint.meter);
  const known = entries.get(provider) ?? new Map<string, ModelEntry>();
  entries.set(provider, known);
  const id = `${price} ${service}`;
  const entry = known.get(id) ?? newEntry(provider, service, price === 'free');
  known.set(id, entry);
  return entry;
}

function newEntry(provider: ProviderEntry, service: string, isFree: boolean): ModelEntry {
  const declared = provider.models.find(({ name }) => name === service);
  const base: ModelEntry = { name: service, upstreamName: service, aliases: [], capabilities: [], tier: 'Standard' };
  if (isFree) return { ...base, price: { source: 'provider', version: '', rates: nothing, tiers: [] } };
  return declared?.price ? { ...base, price: declared.price } : base;
}

const free = picoUsd(0);
const nothing: Rates = {
  input: free,
  cacheRead: free,
  cacheWrite5m: free,
  cacheWrite1h: free,
  output: free,
  reasoning: free,
  audioInput: free,
  audioOutput: free,
  perRequest: nanoUsd(0),
};

/** A model's own price says what its tokens cost. Where a request is paid as one, that is no price. */
export function pricedByRequest(candidate: Candidate): Candidate {
  const { model } = candidate;
  if (!model.price || model.price.rates.perRequest > 0) return candidate;
  const { price: _tokens, ...unpriced } = model;
  return { ...candidate, model: unpriced };
}
