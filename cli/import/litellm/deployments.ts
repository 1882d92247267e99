// `model_list`: each entry becomes a model at an LLMProvider, and a backend of the route of its name. Entries with one address, one key and
// the same settings share a provider; one with limits of its own has a provider of its own, because limits are the provider's.
import { formatUsd } from '#core/accounting/money.ts';
import { providerTypes } from '#core/compile/provider-types.ts';
import { scaled } from '#core/resources/quantity.ts';
import { nanoUsd } from '#core/units.ts';
import type { Section } from '../findings.ts';
import { type Manifest, manifest, type SecretKeys, uniqueNames } from '../manifests.ts';
import { credentialOf, decimal, most, type Settings, seconds } from './settings.ts';
import { connectionOf, namedModel, type Upstream, upstreamOf } from './upstreams.ts';

export type Deployment = {
  /** Its `model_name`: what clients ask for. */
  readonly group: string;
  /** Name of the LLMProvider, known when all of them are. */
  readonly provider: () => string;
  readonly model: string;
  readonly weight: number;
  /** 1 comes first. */
  readonly order: number;
  readonly embeds: boolean;
  /** Its provider is of a type that makes embeddings for the cache. */
  readonly canEmbed: boolean;
};

export type Catalogue = { readonly deployments: readonly Deployment[]; readonly providers: () => readonly Manifest[] };

type Draft = {
  name: string;
  readonly label: string;
  readonly spec: ProviderSpec;
  readonly models: Map<string, Record<string, unknown>>;
};

type ProviderSpec = Readonly<Record<string, unknown>> & { readonly type: Upstream['type'] };

type Inputs = {
  readonly settings: Settings;
  readonly secrets: SecretKeys;
  /** For addresses: Secrets hold keys alone. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

export function readDeployments(root: Section, inputs: Inputs): Catalogue {
  const credentials = new Map(
    root.sections('credential_list').map(one => [one.text('credential_name'), one.section('credential_values')]),
  );
  const drafts = new Map<string, Draft>();
  const entries = root.sections('model_list');
  const deployments = entries.flatMap(entry => deploymentOf(entry, credentials, drafts, inputs) ?? []);
  const name = uniqueNames(200);
  for (const draft of drafts.values()) draft.name = name(draft.label);
  return { deployments, providers: () => [...drafts.values()].map(providerOf) };
}

const providerOf = ({ name, spec, models }: Draft): Manifest =>
  manifest('LLMProvider', name, { ...spec, models: [...models.values()] });

function deploymentOf(
  entry: Section,
  credentials: ReadonlyMap<string | undefined, Section>,
  drafts: Map<string, Draft>,
  inputs: Inputs,
): Deployment | undefined {
  const group = entry.text('model_name');
  const params = entry.section('litellm_params');
  const info = entry.section('model_info');
  const full = params.text('model');
  entry.tellRest();
  if (group === undefined || full === undefined) return leftOut(entry, 'model_name and litellm_params.model are needed');
  if (group.includes('*') || full.includes('*')) return leftOut(entry, 'wildcards are not carried over: list the models by name');
  const named = namedModel(full.replace(/^bedrock\/(converse|invoke)\//, 'bedrock/'), params.text('custom_llm_provider'));
  const upstream = upstreamOf(named.provider);
  if (!upstream) return leftOut(entry, `Tollgate does not know LiteLLM's provider ${named.provider}`);
  // LiteLLM knows by a list of models what we can tell by their names only.
  const mode = info.text('mode') ?? (/embed/.test(full) ? 'embedding' : 'chat');
  if (!['chat', 'completion', 'responses', 'embedding'].includes(mode)) return leftOut(entry, `mode ${mode} is not served`);
  const spec = specOf(upstream, named.provider, params, credentials.get(params.text('litellm_credential_name')), inputs);
  if (!spec) return leftOut(entry, 'see above');
  const draft = draftFor(drafts, named.provider, spec);
  const { weight, order } = { weight: weightOf(params), order: params.number('order') ?? 1 };
  const model = addModel(draft, modelOf(named, upstream, mode, params, info));
  params.tellRest('not carried over: Tollgate sends what the client asks for');
  info.ignore('id', 'db_model', 'mode', 'max_tokens');
  info.tellRest();
  return {
    group,
    provider: () => draft.name,
    model,
    weight,
    order,
    embeds: mode === 'embedding',
    canEmbed: providerTypes[spec.type].makesEmbeddings === true,
  };
}

function leftOut(entry: Section, why: string): undefined {
  entry.say(undefined, `the deployment is left out: ${why}`);
}

// ---------------------------------------------------------------- the provider

function specOf(
  upstream: Upstream,
  provider: string,
  params: Section,
  credential: Section | undefined,
  { settings, secrets, environment }: Inputs,
): ProviderSpec | undefined {
  const place = placeOf(params, credential, environment);
  if (place === 'unset') return undefined;
  const connection = connectionOf(upstream, place);
  if ('missing' in connection) {
    params.say(connection.missing, 'is needed for this provider');
    return undefined;
  }
  const key = params.text('api_key') ?? credential?.text('api_key');
  const ours = key === undefined ? upstream.keyVariable && { variable: upstream.keyVariable } : credentialOf(key);
  if (key !== undefined && !ours) {
    params.say('api_key', `${key} is no variable that a Secret can take a value from`);
    return undefined;
  }
  if (ours && 'literal' in ours) params.say('api_key', 'stands in the file in clear text, and so in the Secret');
  const ref = ours && secrets.ref(ours, provider);
  return {
    type: connection.type,
    ...connection.block,
    ...(ref && { auth: { secretRef: ref } }),
    ...limitsOf(params, settings),
    ...timeoutsOf(params, settings),
    ...breakerOf(settings),
    ...parametersOf(params, settings),
  };
}

const PLACES = { base: 'api_base', version: 'api_version', organization: 'organization', region: 'aws_region_name' } as const;

/** `os.environ/NAME` is looked up now: an address has no place in a Secret. */
function placeOf(params: Section, credential: Section | undefined, environment: Inputs['environment']) {
  const place: { -readonly [K in keyof typeof PLACES]?: string } = {};
  for (const [name, field] of Object.entries(PLACES) as [keyof typeof PLACES, string][]) {
    const text = params.text(field) ?? credential?.text(field) ?? (field === 'api_base' ? params.text('base_url') : undefined);
    if (text === undefined) continue;
    const found = credentialOf(text);
    const value = found && ('literal' in found ? found.literal : environment[found.variable]);
    if (!value) {
      params.say(field, `${text}: set this variable when you import; it is an address and goes into the manifest`);
      return 'unset';
    }
    if (name === 'base' && !/^https?:\/\/[^\s/?#@]+/.test(value)) {
      params.say(field, 'must be an http or https URL without user and password');
      return 'unset';
    }
    place[name] = value;
  }
  return place;
}

function draftFor(drafts: Map<string, Draft>, provider: string, spec: ProviderSpec): Draft {
  // Limits are an account's: two deployments with the same ones may each use them up.
  const identity = spec.limits ? `${drafts.size}` : JSON.stringify(spec);
  const found = drafts.get(identity);
  if (found) return found;
  const draft: Draft = { name: '', label: labelOf(provider, spec), spec, models: new Map() };
  drafts.set(identity, draft);
  return draft;
}

/** Azure's resources have names that people know. */
function labelOf(provider: string, spec: ProviderSpec): string {
  const endpoint = (spec.azureOpenAI as { endpoint?: string } | undefined)?.endpoint;
  return endpoint ? `azure-${new URL(endpoint).hostname.split('.')[0]}` : provider;
}

function timeoutsOf(params: Section, { timeoutSeconds, streamTimeoutSeconds }: Settings) {
  const request = params.number('timeout', most.seconds) ?? timeoutSeconds;
  const firstToken = params.number('stream_timeout', most.seconds) ?? streamTimeoutSeconds;
  return request || firstToken
    ? { timeouts: { ...(firstToken && { firstToken: seconds(firstToken) }), ...(request && { request: seconds(request) }) } }
    : {};
}

function limitsOf(params: Section, { maxConcurrency }: Settings) {
  const limits = {
    ...positive('maxConcurrency', params.number('max_parallel_requests', most.rate) ?? maxConcurrency),
    ...positive('rpm', params.number('rpm', most.rate)),
    ...positive('tpm', params.number('tpm', most.rate)),
  };
  return Object.keys(limits).length > 0 ? { limits } : {};
}

const positive = (name: string, value: number | undefined) =>
  value !== undefined && value >= 1 ? { [name]: Math.floor(value) } : {};

/** LiteLLM cools a deployment down when it fails more often than allowed in a minute. */
function breakerOf({ cooldownSeconds, allowedFails }: Settings) {
  const breaker = {
    ...positive('consecutiveFailures', allowedFails === undefined ? undefined : allowedFails + 1),
    ...(cooldownSeconds && { cooldown: seconds(cooldownSeconds) }),
    // The longest is five minutes where nothing is said.
    ...(cooldownSeconds && cooldownSeconds > 300 && { maxCooldown: seconds(cooldownSeconds) }),
  };
  return Object.keys(breaker).length > 0 ? { circuitBreaker: breaker } : {};
}

function parametersOf(params: Section, { dropParams }: Settings) {
  const dropUnsupported = params.flag('drop_params') ?? dropParams;
  const drop = params.texts('additional_drop_params');
  const parameters = { ...(dropUnsupported === false && { dropUnsupported }), ...(drop.length > 0 && { drop }) };
  return Object.keys(parameters).length > 0 ? { parameters } : {};
}

/** simple-shuffle picks by `weight`, else by `rpm`, else by `tpm`. */
function weightOf(params: Section): number {
  const said = params.number('weight', most.weight) ?? params.number('rpm') ?? params.number('tpm') ?? 1;
  // Fractions keep their proportions to three digits.
  const whole = Number.isInteger(said) ? said : Math.round(said * 1000);
  return Math.min(most.weight, whole);
}

// ---------------------------------------------------------------- the model

function modelOf(
  { model }: { readonly model: string },
  { type }: Upstream,
  mode: string,
  params: Section,
  info: Section,
): Record<string, unknown> {
  // A deployment of Azure has any name; the model that it serves has the price.
  const served = info.text('base_model')?.replace(/^azure\//, '');
  const name = type === 'AzureOpenAI' && served ? served : model;
  if (type !== 'AzureOpenAI' && served !== undefined && served !== model)
    info.say('base_model', 'not carried over: give the model a price, where it has none');
  return {
    name,
    ...(name !== model && { upstreamName: model }),
    ...capabilitiesOf(mode, info),
    ...positive('contextWindow', info.number('max_input_tokens', most.tokens)),
    ...positive('maxOutputTokens', info.number('max_output_tokens', most.tokens)),
    ...priceOf(params, info),
  };
}

const flags = {
  supports_function_calling: 'Tools',
  supports_response_schema: 'JSONSchema',
  supports_vision: 'Vision',
  supports_reasoning: 'Reasoning',
} as const;

function capabilitiesOf(mode: string, info: Section) {
  const said = Object.entries(flags).map(([field, capability]) => [capability, info.flag(field)] as const);
  if (mode === 'embedding') return { capabilities: ['Embeddings'] };
  if (said.every(([, value]) => value === undefined)) return {};
  // What the file says nothing of is as it is by default: tools and schemas yes, images and reasoning no.
  const byDefault: readonly string[] = ['Tools', 'JSONSchema'];
  return {
    capabilities: [
      'Chat',
      ...said.flatMap(([capability, value]) => ((value ?? byDefault.includes(capability)) ? [capability] : [])),
    ],
  };
}

const prices = {
  input_cost_per_token: 'inputPerMTok',
  cache_read_input_token_cost: 'cachedInputPerMTok',
  cache_creation_input_token_cost: 'cacheWritePerMTok',
  output_cost_per_token: 'outputPerMTok',
} as const;

/** 9,000,000 US dollars for a million tokens. */
const MOST_PER_TOKEN = 9;

function priceOf(params: Section, info: Section) {
  const price = Object.fromEntries(
    Object.entries(prices).flatMap(([field, name]) => {
      const perToken = info.number(field, MOST_PER_TOKEN) ?? params.number(field, MOST_PER_TOKEN);
      // Exact in pico-dollars a token, which is six decimals a million tokens.
      const pico = perToken === undefined ? undefined : scaled(String(perToken), 12);
      return pico === undefined ? [] : [[name, decimal(pico / 1e6)]];
    }),
  );
  const perToolCall = toolPricesOf(info);
  const serviceTiers = tiersOf(info);
  const extras = {
    ...(Object.keys(perToolCall).length > 0 && { perToolCall }),
    ...(serviceTiers.length > 0 && { serviceTiers }),
  };
  const isPriced = 'inputPerMTok' in price || 'outputPerMTok' in price || Object.keys(extras).length > 0;
  return isPriced ? { price: { ...price, ...extras } } : {};
}

/** As many times the price as the dearest of the rates that LiteLLM knows of a tier: a price of ours has one number for all of them. */
function tiersOf(info: Section): readonly { readonly name: string; readonly multiplier: string }[] {
  return ['priority', 'flex'].flatMap(name => {
    const times = Object.keys(prices).flatMap(field => {
      const [standard, own] = [info.number(field, MOST_PER_TOKEN), info.number(`${field}_${name}`, MOST_PER_TOKEN)];
      return standard && own !== undefined ? [own / standard] : [];
    });
    const most = Math.ceil(Math.max(0, ...times) * 1e6 - 1e-3) / 1e6;
    return times.length > 0 && most < 100 ? [{ name, multiplier: decimal(most) }] : [];
  });
}

/** Dollars for one call, and for a thousand. */
const MOST_PER_CALL = 9_000_000;

/** A search costs what it does with the largest context: which one was used, no answer tells. */
function toolPricesOf(info: Section): Readonly<Record<string, string>> {
  const bySize = info.section('search_context_cost_per_query');
  const searches = bySize.names().flatMap(size => bySize.number(size, MOST_PER_CALL) ?? []);
  const prices = [
    ['webSearch', searches.length > 0 ? Math.max(...searches) : undefined, 9],
    ['fileSearch', info.number('file_search_cost_per_1k_calls', MOST_PER_CALL), 6],
    ['codeExecution', info.number('code_interpreter_cost_per_session', MOST_PER_CALL), 9],
  ] as const;
  return Object.fromEntries(
    prices.flatMap(([tool, price, decimals]) => {
      const nano = price === undefined ? undefined : scaled(String(price), decimals);
      return nano === undefined ? [] : [[tool, formatUsd(nanoUsd(nano))]];
    }),
  );
}

/** One provider may serve one upstream model with different settings: they then have different names. */
function addModel({ models }: Draft, model: Record<string, unknown>): string {
  const wanted = String(model.name);
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}-${count}`;
    const candidate = count === 1 ? model : { ...model, name, upstreamName: model.upstreamName ?? wanted };
    const held = models.get(name);
    if (held !== undefined && JSON.stringify(held) !== JSON.stringify(candidate)) continue;
    models.set(name, candidate);
    return name;
  }
}
