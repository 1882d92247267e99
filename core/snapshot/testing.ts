// Builders for tests of what a snapshot has: a provider, a route, a key, with everything a test does not care about filled in.
import { millis, nanoUsd, picoUsd } from '../units.ts';
import type { BackendEntry, KeyEntry, ModelEntry, Price, ProviderEntry, RouteEntry, RouteMatch } from './snapshot.ts';

export const aModel = (name: string, more: Partial<ModelEntry> = {}): ModelEntry => ({
  name,
  upstreamName: name,
  aliases: [],
  capabilities: ['Chat'],
  tier: 'Standard',
  ...more,
});

export const aProvider = (name: string, more: Partial<ProviderEntry> = {}): ProviderEntry => ({
  id: `default/${name}`,
  namespace: 'default',
  name,
  connection: { type: 'OpenAICompatible', baseURL: `http://${name}.test/v1` },
  models: [aModel('m')],
  timeouts: { connect: millis(2000), firstToken: millis(60_000), streamIdle: millis(30_000), request: millis(600_000) },
  circuitBreaker: {
    consecutiveFailures: 5,
    errorRate: 0.5,
    window: millis(30_000),
    minRequests: 20,
    cooldown: millis(10_000),
    maxCooldown: millis(300_000),
    halfOpenProbes: 1,
  },
  parameters: { dropUnsupported: true, set: {}, drop: [] },
  allowedNamespaces: [],
  ...more,
});

/** @param input pico-dollars a token, as is `output` */
export const aPrice = (input: number, output = input): Price => {
  const [read, written] = [picoUsd(input), picoUsd(output)];
  const inputs = { input: read, cacheRead: read, cacheWrite5m: read, cacheWrite1h: read, audioInput: read };
  const outputs = { output: written, reasoning: written, audioOutput: written };
  return { source: 'provider', version: '1', rates: { ...inputs, ...outputs, perRequest: nanoUsd(0) }, tiers: [] };
};

export const aBackend = (name: string, more: Partial<BackendEntry> = {}): BackendEntry => ({
  name,
  provider: `default/${name}`,
  weight: 1,
  priority: 0,
  downgrade: false,
  ...more,
});

export const aMatch = (more: Partial<RouteMatch> = {}): RouteMatch => ({ headers: [], operations: [], tags: {}, ...more });

export const aRoute = (name: string, more: Partial<RouteEntry> = {}): RouteEntry => ({
  id: `default/${name}`,
  namespace: 'default',
  name,
  labels: {},
  catchAll: false,
  match: [],
  allowedKeyNamespaces: [],
  strategy: 'Weighted',
  latency: { percentile: 95, window: millis(300_000), tolerance: 0.1 },
  backends: [],
  retries: {
    attempts: 1,
    on: ['ConnectFailure', 'Timeout', 'RateLimited', 'ServerError', 'Overloaded'],
    backoff: { base: millis(200), max: millis(5000) },
    budgetPercent: 20,
  },
  fallback: {
    on: ['Exhausted', 'CircuitOpen', 'RateLimited', 'Saturated', 'Timeout', 'ContextLengthExceeded'],
    allowDowngrade: false,
    midStream: 'Fail',
  },
  timeouts: {},
  onClientDisconnect: 'Abort',
  onUnknownPrice: 'Allow',
  clampMaxTokens: false,
  ...more,
});

export const aKey = (more: Partial<KeyEntry> = {}): KeyEntry => ({
  id: '0123456789ab',
  namespace: 'default',
  name: 'key',
  digests: [],
  tenant: 'acme',
  labels: {},
  models: { deny: [] },
  limits: { perModel: [] },
  budgets: [],
  onStoreFailure: 'LocalShare',
  tags: {},
  exposeSimilarity: true,
  suspended: false,
  priority: 0,
  ...more,
});
