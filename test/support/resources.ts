// Resources for tests, as few lines as a test needs: a provider, a route, a key, and the Secrets they name.
import { stringify } from 'yaml';

export type Resource = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
};

/** A folder's file: one YAML document per resource. */
export const yamlOf = (...resources: readonly (Resource | readonly Resource[])[]): string =>
  resources
    .flat()
    .map(resource => stringify(resource))
    .join('---\n');

const apiVersion = 'tollgate.dev/v1alpha1';

export const clientKey = 'sk-test-2f1d9c4be87a4f0fa6de9b1c5d3e7f80';
export const providerKey = 'sk-upstream-0123456789abcdef0123456789abcdef';

export function secret(name: string, value: string): Resource {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { key: value } };
}

/** A TenantKey and its Secret. */
export function tenantKey(name = 'client', value = clientKey, spec: Record<string, unknown> = {}): Resource[] {
  return [
    secret(`${name}-key`, value),
    {
      apiVersion,
      kind: 'TenantKey',
      metadata: { name },
      spec: { tenant: 'acme', secretRef: { name: `${name}-key`, key: 'key' }, ...spec },
    },
  ];
}

export type ProviderKind = 'OpenAI' | 'Anthropic' | 'AzureOpenAI' | 'Bedrock' | 'Gemini' | 'OpenAICompatible' | 'VLLM';

/** The block that `type` names, for an upstream at `base` (`http://127.0.0.1:1234`). */
const connections: Record<ProviderKind, (base: string) => Record<string, unknown>> = {
  OpenAI: base => ({ openAI: { baseURL: `${base}/v1` } }),
  Anthropic: base => ({ anthropic: { baseURL: base } }),
  AzureOpenAI: base => ({ azureOpenAI: { endpoint: base, apiVersion: '2024-10-21' } }),
  Bedrock: base => ({ bedrock: { region: 'us-east-1', endpoint: base } }),
  Gemini: base => ({ gemini: { baseURL: base } }),
  OpenAICompatible: base => ({ openAICompatible: { baseURL: `${base}/v1` } }),
  VLLM: base => ({ vLLM: { endpoints: [base] } }),
};

/** A provider with one credential and the given models; its Secret is `providerSecret`. */
export function provider(
  name: string,
  type: ProviderKind,
  base: string,
  models: readonly (string | Record<string, unknown>)[],
  spec: Record<string, unknown> = {},
): Resource {
  return {
    apiVersion,
    kind: 'LLMProvider',
    metadata: { name },
    spec: {
      type,
      ...connections[type](base),
      auth: { secretRef: { name: 'provider-key', key: 'key' } },
      models: models.map(model => (typeof model === 'string' ? { name: model, price } : { price, ...model })),
      ...spec,
    },
  };
}

/** A breaker that stays closed whatever fails, or is open for a moment, for tests of something else: many failures of one provider, one after the other. */
export const patient = {
  circuitBreaker: {
    consecutiveFailures: 1000,
    errorRate: '1',
    minRequests: 100_000,
    cooldown: '1ms',
    maxCooldown: '1ms',
    halfOpenProbes: 100,
  },
};

export const providerSecret: Resource = secret('provider-key', providerKey);

/** 1 microdollar a token in, 2 out: costs are easy to compute by hand. */
export const price = { inputPerMTok: '1', outputPerMTok: '2' };

/** A route for one model over backends in priority order. */
export function route(
  name: string,
  model: string,
  backends: readonly (string | Record<string, unknown>)[],
  spec: Record<string, unknown> = {},
): Resource {
  return {
    apiVersion,
    kind: 'LLMRoute',
    metadata: { name },
    spec: {
      match: [{ model: { type: 'Exact', value: model } }],
      backends: backends.map((backend, priority) =>
        typeof backend === 'string' ? { name: backend, providerRef: { name: backend }, priority } : { priority, ...backend },
      ),
      ...spec,
    },
  };
}

/** A route to a model that all its backends have by the same name as it has for clients, and that is tried once at each. */
export const directRoute = (name: string, backends: readonly string[], spec: Record<string, unknown> = {}): Resource =>
  route(
    name,
    name,
    backends.map(backend => ({ name: backend, providerRef: { name: backend }, model: name })),
    { retries: { attempts: 0 }, ...spec },
  );
