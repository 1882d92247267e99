// LLMProvider -> ProviderEntry.
import type { ProviderSpec } from '../resources/provider.ts';
import { durationOf, ratioOf } from '../resources/quantity.ts';
import type { ProviderEntry } from '../snapshot/snapshot.ts';
import { millis } from '../units.ts';
import { urlComplaint } from './address.ts';
import { admitted, type Context, credentialRef, secretValue } from './context.ts';
import { compileModel } from './model.ts';
import { type Resource, specPath } from './objects.ts';
import { type EngineAddresses, providerTypes, type TypeFacts } from './provider-types.ts';

const FIRST_TOKEN = millis(60_000);

/** Undefined when it cannot be used; the draft says why. */
export function compileProvider(resource: Resource<'LLMProvider'>, context: Context): ProviderEntry | undefined {
  const { spec, draft } = resource;
  const facts = providerTypes[spec.type];
  checkAddresses(resource, facts, context);
  checkModelNames(resource);
  const auth = authOf(resource, facts, context);
  const connection = facts.connection(spec, enginesFor(resource, context));
  if (connection === undefined && draft.sound) sayUnusable(resource, 'serviceRef and podSelector need a cluster');
  if (!draft.sound || connection === undefined) return undefined;
  draft.live = true;
  return {
    id: resource.id,
    namespace: resource.namespace,
    name: resource.name,
    connection,
    ...auth,
    ...localityAndLimits(spec),
    models: spec.models.map((_, index) => compileModel(index, resource, context)),
    timeouts: timeoutsOf(spec),
    circuitBreaker: circuitBreakerOf(spec),
    parameters: parametersOf(spec),
    allowedNamespaces: admitted(spec.allowedRoutes, context.objects),
  };
}

const parametersOf = ({ parameters: { promptCaching, ...others } }: ProviderSpec): ProviderEntry['parameters'] => ({
  ...others,
  ...(promptCaching && { promptCaching }),
});

/** Engines that are found in the cluster; undefined where the provider names them, or there is no cluster. */
function enginesFor({ id, spec, draft }: Resource<'LLMProvider'>, { engines, policy }: Context): EngineAddresses | undefined {
  if (!engines || !spec.vLLM || spec.vLLM.endpoints) return undefined;
  const path = specPath('vLLM', spec.vLLM.serviceRef ? 'serviceRef' : 'podSelector');
  const found = engines.get(id) ?? { endpoints: [], draining: [] };
  if ('missing' in found) {
    draft.fail('ResolvedRefs', 'ServiceNotFound', path, found.missing);
    return undefined;
  }
  // Whoever may write an EndpointSlice must not lead requests, and credentials with them, to the metadata service of the node.
  const isAllowed = (url: string) => {
    const complaint = urlComplaint(url, policy, spec.type);
    if (complaint !== undefined) draft.remark(path, `${url} is left out: ${complaint}`);
    return complaint === undefined;
  };
  return { endpoints: found.endpoints.filter(isAllowed), draining: found.draining };
}

function sayUnusable({ draft }: Resource, why: string): void {
  const message = `${why}: nothing is sent to this provider`;
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
  else draft.fail('ResolvedRefs', secret.reason, specPath('auth', 'secretRef'), secret.message);
  return { auth: { credential, header } };
}

function localityAndLimits({ locality, limits }: ProviderSpec): Pick<ProviderEntry, 'locality' | 'limits'> {
  const bounded = limits && { ...limits, queueTimeout: durationOf(limits.queueTimeout) };
  return { ...(locality && { locality }), ...(bounded && { limits: bounded }) } as Pick<ProviderEntry, 'locality' | 'limits'>;
}

function timeoutsOf({ timeouts }: ProviderSpec): ProviderEntry['timeouts'] {
  return {
    connect: durationOf(timeouts.connect),
    firstToken: timeouts.firstToken === undefined ? FIRST_TOKEN : durationOf(timeouts.firstToken),
    streamIdle: durationOf(timeouts.streamIdle),
    request: durationOf(timeouts.request),
  };
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
