// LLMProvider -> ProviderEntry.
import type { ModelSpec, ProviderSpec } from '../resources/provider.ts';
import type { ModelEntry, ProviderEntry } from '../snapshot/snapshot.ts';
import { millis, type Tokens, tokens } from '../units.ts';
import { urlComplaint } from './address.ts';
import { admitted, type Context, credentialRef, secretValue } from './context.ts';
import { type Resource, specPath } from './objects.ts';
import { cataloguePrice, fileModel, resourcePrice } from './prices.ts';
import { providerTypes, type TypeFacts } from './provider-types.ts';
import { durationOf, ratioOf } from './quantity.ts';

const FIRST_TOKEN = millis(60_000);
/** Models that think before they speak. */
const FIRST_TOKEN_REASONING = millis(300_000);

/** Undefined when it cannot be used; the draft says why. */
export function compileProvider(resource: Resource<'LLMProvider'>, context: Context): ProviderEntry | undefined {
  const { spec, draft } = resource;
  const facts = providerTypes[spec.type];
  checkAddresses(resource, facts, context);
  checkModelNames(resource);
  const auth = authOf(resource, facts, context);
  const connection = facts.connection(spec);
  const later = facts.later ?? (connection === undefined ? 'finding engines by serviceRef or podSelector' : undefined);
  if (later !== undefined) sayLater(resource, later);
  if (draft.isFalse('Accepted') || draft.isFalse('ResolvedRefs') || later !== undefined || connection === undefined)
    return undefined;
  draft.live = true;
  return {
    id: resource.id,
    namespace: resource.namespace,
    name: resource.name,
    connection,
    ...auth,
    ...(spec.locality && { locality: spec.locality as NonNullable<ProviderEntry['locality']> }),
    models: spec.models.map((model, index) => modelOf(model, index, resource, context)),
    ...(spec.limits && {
      limits: { ...spec.limits, queueTimeout: durationOf(spec.limits.queueTimeout) } as NonNullable<ProviderEntry['limits']>,
    }),
    timeouts: {
      connect: durationOf(spec.timeouts.connect),
      firstToken: spec.timeouts.firstToken === undefined ? FIRST_TOKEN : durationOf(spec.timeouts.firstToken),
      streamIdle: durationOf(spec.timeouts.streamIdle),
      request: durationOf(spec.timeouts.request),
    },
    circuitBreaker: circuitBreakerOf(spec),
    parameters: spec.parameters,
    allowedNamespaces: admitted(spec.allowedRoutes, context.objects),
  };
}

function sayLater({ draft }: Resource, what: string): void {
  const message = `${what} comes with a later release: nothing is sent to this provider`;
  draft.remark(specPath('type'), message);
  draft.state('Ready', 'False', 'NoReadyEndpoints', message);
}

function checkAddresses({ spec, draft }: Resource<'LLMProvider'>, facts: TypeFacts, { policy }: Context): void {
  for (const { path, url } of facts.urls(spec)) {
    const complaint = urlComplaint(url, policy, spec.type);
    if (complaint !== undefined) draft.fail('Accepted', 'Invalid', specPath(...path), complaint);
  }
}

/** Names and aliases are one space: each public id means one model. */
function checkModelNames({ spec, draft }: Resource<'LLMProvider'>): void {
  const owners = new Map<string, number>();
  spec.models.forEach((model, index) => {
    for (const name of new Set([model.name, ...model.aliases])) {
      const owner = owners.get(name);
      if (owner === undefined) owners.set(name, index);
      else draft.fail('Accepted', 'Invalid', specPath('models', index), `${name} is already a name or alias of models[${owner}]`);
    }
  });
}

function authOf(
  { spec, namespace, draft }: Resource<'LLMProvider'>,
  facts: TypeFacts,
  context: Context,
): Pick<ProviderEntry, 'auth'> {
  if (spec.auth === undefined) return {};
  const { secretRef, header = facts.header } = spec.auth;
  const credential = credentialRef(namespace, secretRef);
  const secret = secretValue(context.objects, namespace, secretRef);
  if (secret.ok) context.credentials.set(credential, secret.value);
  else draft.fail(secret.condition, secret.reason, specPath('auth', 'secretRef'), secret.message);
  return { auth: { credential, header } };
}

function circuitBreakerOf({ circuitBreaker }: ProviderSpec): ProviderEntry['circuitBreaker'] {
  return {
    ...circuitBreaker,
    errorRate: ratioOf(circuitBreaker.errorRate),
    window: durationOf(circuitBreaker.window),
    cooldown: durationOf(circuitBreaker.cooldown),
    maxCooldown: durationOf(circuitBreaker.maxCooldown),
  };
}

function modelOf(model: ModelSpec, index: number, resource: Resource<'LLMProvider'>, context: Context): ModelEntry {
  const { draft, spec } = resource;
  const known = knownOf(model, resource, context);
  if (known.price === undefined) {
    const message = `the price of ${model.name} is not known, so its cost cannot be told`;
    draft.remark(specPath('models', index), message);
    draft.state('Accepted', 'True', 'Accepted', message);
  }
  const isSlowToSpeak = spec.timeouts.firstToken === undefined && model.capabilities.includes('Reasoning');
  return {
    name: model.name,
    upstreamName: model.upstreamName ?? model.name,
    aliases: model.aliases,
    capabilities: model.capabilities,
    ...(known.contextWindow !== undefined && { contextWindow: known.contextWindow }),
    ...(known.maxOutputTokens !== undefined && { maxOutputTokens: known.maxOutputTokens }),
    tier: model.tier,
    ...(known.price && { price: known.price }),
    ...(isSlowToSpeak && { firstToken: FIRST_TOKEN_REASONING }),
  };
}

type KnownFacts = Pick<ModelEntry, 'price' | 'contextWindow' | 'maxOutputTokens'>;

/** Price and limits, each from the first source that knows it: the resource, the price file, the catalogue. */
function knownOf(model: ModelSpec, { spec, generation }: Resource<'LLMProvider'>, context: Context): KnownFacts {
  const facts = providerTypes[spec.type];
  const surcharges = facts.surchargesCacheWrites === true;
  const version =
    generation === undefined ? context.digest(JSON.stringify(model.price ?? '')).slice(0, 12) : `generation-${generation}`;
  const own = resourcePrice(model.price, surcharges, version);
  const names = facts.pricedByPublicName ? [model.upstreamName ?? model.name, model.name] : [model.upstreamName ?? model.name];
  const prefixed = names.flatMap(name => [`${facts.priceFilePrefix}/${name}`, name]);
  const file = context.priceFile && fileModel(context.priceFile, prefixed, surcharges);
  const listed = inCatalogue(names, spec, facts, context);
  // A price by GPU time is the user's word that list prices do not apply.
  const listPrice =
    model.price === undefined
      ? (file?.price ?? (listed && cataloguePrice(listed, surcharges, context.catalogue.version)))
      : undefined;
  const price = own ?? listPrice;
  const contextWindow = asTokens(model.contextWindow) ?? file?.contextWindow ?? asTokens(listed?.contextWindow);
  const maxOutputTokens = asTokens(model.maxOutputTokens) ?? file?.maxOutputTokens;
  return { ...(price && { price }), ...(contextWindow && { contextWindow }), ...(maxOutputTokens && { maxOutputTokens }) };
}

const asTokens = (count: number | undefined): Tokens | undefined => (count === undefined ? undefined : tokens(count));

function inCatalogue(names: readonly string[], spec: ProviderSpec, facts: TypeFacts, { catalogue, now }: Context) {
  if (facts.catalogue === undefined) return undefined;
  const owner = facts.catalogue === 'by-url' ? { url: facts.urls(spec)[0]?.url ?? '' } : { id: facts.catalogue };
  for (const name of names) {
    const found = catalogue.find(owner, name, now);
    if (found !== undefined) return found;
  }
  return undefined;
}
