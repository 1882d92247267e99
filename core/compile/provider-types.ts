// What compile has to know about each provider type: how its block becomes a connection, where its key goes, what its models cost
// by default. One entry per type.
import { PROBE_DEFAULTS, type ProviderSpec, PUBLIC_BASE_URL } from '../resources/provider.ts';
import { durationOf, ratioOf } from '../resources/quantity.ts';
import type { Connection, ProviderType } from '../snapshot/snapshot.ts';

/** Bases such as `http://10.0.0.5:8000`; `draining` are those of them that are about to end. */
export type EngineAddresses = { readonly endpoints: readonly string[]; readonly draining: readonly string[] };

export type TypeFacts = {
  /** Undefined where the settings lead nowhere. @param found engines that the spec does not list itself */
  readonly connection: (spec: ProviderSpec, found: EngineAddresses | undefined) => Connection | undefined;
  /** The URLs that the resource sets, with their paths, for the address policy. */
  readonly urls: (spec: ProviderSpec) => readonly { readonly path: readonly (string | number)[]; readonly url: string }[];
  readonly header: { readonly name: string; readonly prefix: string };
  /** Who it is in the bundled price list: an id of that list, `by-url`, or nobody (its hardware is the user's own). */
  readonly catalogue: string | undefined;
  /** Prefix of its models in LiteLLM's price file. */
  readonly priceFilePrefix: string;
  /** A model's price may stand under its public name, because upstreamName is a deployment. */
  readonly pricedByPublicName?: true;
  /** Models whose prompt-cache writes cost 1.25 times the input for 5 minutes and twice for an hour, where nothing else is said. */
  readonly surchargesCacheWrites?: RegExp;
  /** Some of its models make vectors of texts, and the gateway can ask for them. */
  readonly makesEmbeddings?: true;
};

const bearer = { name: 'Authorization', prefix: 'Bearer ' };
const withoutSlash = (url: string) => url.replace(/\/+$/, '');
/** People paste the URL they know; these wires put /v1 there themselves. */
const withoutV1 = (url: string) => withoutSlash(url).replace(/\/v1$/, '');

const at = (path: readonly (string | number)[], url: string | undefined) => (url === undefined ? [] : [{ path, url }]);

/** Hosts of those whose wire has ways of its own. */
const vendors = [
  { host: /^api\.mistral\.ai$/, vendor: 'Mistral' },
  { host: /^api\.cohere\.(?:com|ai)$/, vendor: 'Cohere' },
] as const;

function vendorAt(baseURL: string) {
  const hostname = URL.parse(baseURL)?.hostname ?? '';
  const known = vendors.find(({ host }) => host.test(hostname));
  return known && { vendor: known.vendor };
}

export const providerTypes: Readonly<Record<ProviderType, TypeFacts>> = {
  OpenAI: {
    connection: ({ openAI = { baseURL: PUBLIC_BASE_URL.openAI } }) =>
      ({ type: 'OpenAI', ...openAI, baseURL: withoutSlash(openAI.baseURL) }) as Connection,
    urls: spec => at(['openAI', 'baseURL'], spec.openAI?.baseURL),
    header: bearer,
    catalogue: 'openai',
    priceFilePrefix: 'openai',
    makesEmbeddings: true,
  },
  Anthropic: {
    connection: ({ anthropic = { baseURL: PUBLIC_BASE_URL.anthropic } }) =>
      ({ type: 'Anthropic', ...anthropic, baseURL: withoutV1(anthropic.baseURL) }) as Connection,
    urls: spec => at(['anthropic', 'baseURL'], spec.anthropic?.baseURL),
    header: { name: 'x-api-key', prefix: '' },
    catalogue: 'anthropic',
    priceFilePrefix: 'anthropic',
    surchargesCacheWrites: /./,
  },
  AzureOpenAI: {
    connection: ({ azureOpenAI }) =>
      azureOpenAI && ({ type: 'AzureOpenAI', ...azureOpenAI, endpoint: withoutSlash(azureOpenAI.endpoint) } as Connection),
    urls: spec => at(['azureOpenAI', 'endpoint'], spec.azureOpenAI?.endpoint),
    header: { name: 'api-key', prefix: '' },
    catalogue: 'azure',
    priceFilePrefix: 'azure',
    pricedByPublicName: true,
    makesEmbeddings: true,
  },
  Gemini: {
    connection: ({ gemini }) => googleConnection(gemini ?? { baseURL: PUBLIC_BASE_URL.gemini }),
    urls: spec => at(['gemini', 'baseURL'], spec.gemini?.baseURL),
    header: { name: 'x-goog-api-key', prefix: '' },
    surchargesCacheWrites: /^claude-/,
    catalogue: 'google',
    priceFilePrefix: 'gemini',
    makesEmbeddings: true,
  },
  Bedrock: {
    connection: ({ bedrock }) =>
      bedrock &&
      ({ type: 'Bedrock', ...bedrock, ...(bedrock.endpoint && { endpoint: withoutSlash(bedrock.endpoint) }) } as Connection),
    urls: spec => at(['bedrock', 'endpoint'], spec.bedrock?.endpoint),
    header: bearer,
    catalogue: 'aws',
    priceFilePrefix: 'bedrock',
    // Of an inference profile of one's own, upstreamName says nothing.
    pricedByPublicName: true,
    surchargesCacheWrites: /claude/,
    makesEmbeddings: true,
  },
  OpenAICompatible: {
    connection: ({ openAICompatible }) =>
      openAICompatible &&
      ({
        type: 'OpenAICompatible',
        ...vendorAt(openAICompatible.baseURL),
        ...openAICompatible,
        baseURL: withoutSlash(openAICompatible.baseURL),
      } as Connection),
    urls: spec => at(['openAICompatible', 'baseURL'], spec.openAICompatible?.baseURL),
    header: bearer,
    catalogue: 'by-url',
    priceFilePrefix: 'openai',
    makesEmbeddings: true,
  },
  VLLM: {
    connection: engines,
    urls: spec => (spec.vLLM?.endpoints ?? []).map((url, index) => ({ path: ['vLLM', 'endpoints', index], url })),
    header: bearer,
    catalogue: undefined,
    priceFilePrefix: 'hosted_vllm',
    makesEmbeddings: true,
  },
};

function googleConnection({ baseURL, vertex }: NonNullable<ProviderSpec['gemini']>): Connection {
  const given = withoutSlash(baseURL).replace(/\/v1(?:beta1?|alpha)?$/, '');
  if (!vertex) return { type: 'Gemini', baseURL: given };
  return { type: 'Gemini', baseURL: given === PUBLIC_BASE_URL.gemini ? vertexURL(vertex.location) : given, vertex };
}

/** Regions have hosts of their own, and so have groups of them (`us`, `eu`); `global` is the host without a name (cloud.google.com, "Locations"). */
function vertexURL(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com';
  if (!location.includes('-')) return `https://aiplatform.${location}.rep.googleapis.com`;
  return `https://${location}-aiplatform.googleapis.com`;
}

function engines({ vLLM, probes = PROBE_DEFAULTS }: ProviderSpec, found: EngineAddresses | undefined): Connection | undefined {
  const endpoints = vLLM?.endpoints?.map(withoutV1) ?? found?.endpoints;
  if (!vLLM || !endpoints) return undefined;
  const draining = found?.draining.filter(address => endpoints.includes(address)) ?? [];
  return {
    type: 'VLLM',
    endpoints,
    ...(draining.length > 0 && { draining }),
    engine: vLLM.engine,
    metricsPath: vLLM.metricsPath.replace(/^\/*/, '/'),
    ...(vLLM.dialects && { dialects: vLLM.dialects }),
    probes: {
      interval: durationOf(probes.interval),
      staleAfter: durationOf(probes.staleAfter),
      queueDepth: probes.queueDepth,
      kvCacheUtilization: ratioOf(probes.kvCacheUtilization),
      wedgedAfter: durationOf(probes.wedgedAfter),
    },
  };
}
