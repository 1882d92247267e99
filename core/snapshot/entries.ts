// How each entry of a snapshot is read: the types of `snapshot.ts` once more, as readers. A field that is added there does not compile
// until it has its line here.
import { OPERATIONS } from '../chat/dialect.ts';
import {
  anything,
  digest,
  either,
  flag,
  knownOf,
  list,
  mapOf,
  number,
  object,
  oneOf,
  optional,
  type Reader,
  required,
  text,
  union,
} from './reader.ts';
import {
  type AnswerCache,
  type BackendEntry,
  type BudgetEntry,
  type Cascade,
  type CascadeStep,
  type Connection,
  type CostGuard,
  type Hook,
  type HookHeader,
  type KeyEntry,
  type ModelAt,
  type ModelEntry,
  type Price,
  type ProviderEntry,
  type Rates,
  type RouteEntry,
  type RouteMatch,
  type SemanticTasks,
  type ServicePrice,
  STRATEGIES,
  type TenantEntry,
} from './snapshot.ts';

const texts = list(text);
const labels = mapOf(text);
const namespaces = either(oneOf('*'), texts);

/** The block of an optional field. */
type Block<T, K extends keyof T> = NonNullable<T[K]>;

// ---------------------------------------------------------------- providers

type ConnectionOf<T extends Connection['type']> = Extract<Connection, { readonly type: T }>;

const dialects = optional(knownOf('Chat', 'Responses', 'Completions', 'Messages'));

const connections: { readonly [T in Connection['type']]: Reader<ConnectionOf<T>> } = {
  OpenAI: object<ConnectionOf<'OpenAI'>>({
    type: required(oneOf('OpenAI')),
    baseURL: required(text),
    organization: optional(text),
    project: optional(text),
    dialects,
  }),
  Anthropic: object<ConnectionOf<'Anthropic'>>({
    type: required(oneOf('Anthropic')),
    baseURL: required(text),
    version: optional(text),
  }),
  AzureOpenAI: object<ConnectionOf<'AzureOpenAI'>>({
    type: required(oneOf('AzureOpenAI')),
    endpoint: required(text),
    apiVersion: optional(text),
  }),
  Gemini: object<ConnectionOf<'Gemini'>>({
    type: required(oneOf('Gemini')),
    baseURL: required(text),
    vertex: optional(object({ project: required(text), location: required(text) })),
  }),
  Bedrock: object<ConnectionOf<'Bedrock'>>({
    type: required(oneOf('Bedrock')),
    region: required(text),
    endpoint: optional(text),
  }),
  OpenAICompatible: object<ConnectionOf<'OpenAICompatible'>>({
    type: required(oneOf('OpenAICompatible')),
    baseURL: required(text),
    vendor: optional(oneOf('Mistral', 'Cohere')),
    dialects,
  }),
  VLLM: object<ConnectionOf<'VLLM'>>({
    type: required(oneOf('VLLM')),
    endpoints: required(texts),
    draining: optional(texts),
    engine: required(oneOf('vLLM', 'SGLang', 'TRTLLM', 'TGI')),
    metricsPath: required(text),
    dialects,
    probes: required(
      object<ConnectionOf<'VLLM'>['probes']>({
        interval: required(number),
        staleAfter: required(number),
        queueDepth: required(number),
        kvCacheUtilization: required(number),
        wedgedAfter: required(number),
      }),
    ),
  }),
};

const rates = object<Rates>({
  input: required(number),
  cacheRead: required(number),
  cacheWrite5m: required(number),
  cacheWrite1h: required(number),
  output: required(number),
  reasoning: required(number),
  audioInput: required(number),
  audioOutput: required(number),
  perRequest: required(number),
  perUnit: optional(number),
  perToolCall: optional(
    object<Block<Rates, 'perToolCall'>>({
      webSearch: optional(number),
      mapsSearch: optional(number),
      fileSearch: optional(number),
      codeExecution: optional(number),
      imageGeneration: optional(number),
      other: optional(number),
    }),
  ),
});

const sizes = list(object<Price['tiers'][number]>({ above: required(number), rates: required(rates) }));

const price = object<Price>({
  source: required(oneOf('provider', 'file', 'catalogue')),
  version: required(text),
  rates: required(rates),
  tiers: required(sizes),
  gpu: optional(object<Block<Price, 'gpu'>>({ hour: required(number), gpus: required(number) })),
  maxToolCalls: optional(number),
  services: optional(
    list(
      object<ServicePrice>({
        name: required(text),
        multiplier: optional(number),
        rates: optional(rates),
        tiers: optional(sizes),
      }),
    ),
  ),
});

const model = object<ModelEntry>({
  name: required(text),
  upstreamName: required(text),
  aliases: required(texts),
  capabilities: required(knownOf('Chat', 'Tools', 'Vision', 'JSONSchema', 'Embeddings', 'Rerank', 'Moderation', 'Reasoning')),
  contextWindow: optional(number),
  maxOutputTokens: optional(number),
  tier: required(oneOf('Frontier', 'Standard', 'Small')),
  price: optional(price),
  firstToken: optional(number),
});

export const providerEntry = object<ProviderEntry>({
  id: required(text),
  namespace: required(text),
  name: required(text),
  connection: required(union<Connection>('type', connections)),
  auth: optional(
    object<Block<ProviderEntry, 'auth'>>({
      credential: required(text),
      header: required(
        object<{ readonly name: string; readonly prefix: string }>({ name: required(text), prefix: required(text) }),
      ),
    }),
  ),
  locality: optional(object<Block<ProviderEntry, 'locality'>>({ region: optional(text), zone: optional(text) })),
  models: required(list(model)),
  limits: optional(
    object<Block<ProviderEntry, 'limits'>>({
      maxConcurrency: optional(number),
      rpm: optional(number),
      tpm: optional(number),
      maxQueue: required(number),
      queueTimeout: required(number),
    }),
  ),
  timeouts: required(
    object<ProviderEntry['timeouts']>({
      connect: required(number),
      firstToken: required(number),
      streamIdle: required(number),
      request: required(number),
    }),
  ),
  circuitBreaker: required(
    object<ProviderEntry['circuitBreaker']>({
      consecutiveFailures: required(number),
      errorRate: required(number),
      window: required(number),
      minRequests: required(number),
      cooldown: required(number),
      maxCooldown: required(number),
      halfOpenProbes: required(number),
    }),
  ),
  parameters: required(
    object<ProviderEntry['parameters']>({
      dropUnsupported: required(flag),
      set: required(mapOf(anything)),
      drop: required(texts),
      promptCaching: optional(oneOf('Client', 'Automatic')),
    }),
  ),
  allowedNamespaces: required(namespaces),
});

// ---------------------------------------------------------------- routes

const matchType = oneOf('Exact', 'Prefix', 'Suffix');

const match = object<RouteMatch>({
  model: optional(object<Block<RouteMatch, 'model'>>({ type: required(matchType), value: required(text) })),
  headers: required(
    list(object<RouteMatch['headers'][number]>({ name: required(text), type: required(matchType), value: required(text) })),
  ),
  // Not `knownOf`: of a list that became empty the route would match every operation.
  operations: required(list(oneOf(...OPERATIONS))),
  minInputTokens: optional(number),
  tags: required(labels),
});

const backend = object<BackendEntry>({
  name: required(text),
  provider: required(text),
  model: optional(text),
  weight: required(number),
  priority: required(number),
  downgrade: required(flag),
});

const modelAt = { provider: required(text), model: required(text) };

const step = object<CascadeStep>({
  backend: required(text),
  accept: optional(
    object<Block<CascadeStep, 'accept'>>({
      minConfidence: optional(number),
      rules: required(list(oneOf('NonEmpty', 'ValidJSON', 'NotRefusal'))),
      maxOutputTokens: optional(number),
      judge: optional(object<ModelAt & { readonly minScore: number }>({ ...modelAt, minScore: required(number) })),
    }),
  ),
});

const cascade = object<Cascade>({
  steps: required(list(step)),
  scorer: optional(
    object<Block<Cascade, 'scorer'>>({
      origin: required(text),
      path: required(text),
      threshold: required(number),
      timeout: required(number),
    }),
  ),
});

const semantic = object<SemanticTasks>({
  embedding: optional(object<ModelAt>(modelAt)),
  minSimilarity: required(number),
  tasks: required(
    list(object<SemanticTasks['tasks'][number]>({ name: required(text), examples: required(texts), backend: required(text) })),
  ),
  otherwise: optional(text),
});

const cache = object<AnswerCache>({
  mode: required(oneOf('Exact', 'Semantic')),
  match: required(oneOf('Strict', 'Careful', 'Balanced')),
  similarity: required(number),
  ttl: required(number),
  staleFor: required(number),
  scope: required(oneOf('Key', 'Tenant')),
  onlyDeterministic: required(flag),
  partitionBy: required(texts),
  embedding: optional(object<ModelAt>(modelAt)),
  replay: required(oneOf('Paced', 'Instant')),
  toolCalls: required(flag),
  falseHitBudget: optional(number),
  sample: required(number),
  judge: optional(
    object<Block<AnswerCache, 'judge'>>({ ...modelAt, maxPerMinute: required(number), budgetPerDay: optional(number) }),
  ),
  shadow: required(flag),
});

/** Not `knownOf`: what a hook does not look for any more goes by unseen. */
const sensitiveKind = oneOf('PrivateKey', 'APIKey', 'Email', 'CreditCard', 'IBAN', 'Phone', 'IPAddress');

const hook = object<Hook>({
  name: required(text),
  when: required(oneOf('Before', 'After')),
  mode: required(oneOf('Decide', 'Observe')),
  holdStream: required(flag),
  onFailure: required(oneOf('Allow', 'Deny')),
  http: optional(
    object<Block<Hook, 'http'>>({
      origin: required(text),
      path: required(text),
      headers: required(list(object<HookHeader>({ name: required(text), value: required(text), credential: optional(text) }))),
      timeout: required(number),
      maxBodyBytes: required(number),
      window: required(number),
    }),
  ),
  sensitiveData: optional(
    object<Block<Hook, 'sensitiveData'>>({
      kinds: required(list(sensitiveKind)),
      action: required(oneOf('Deny', 'Mask')),
      restore: required(flag),
    }),
  ),
});

const retryClasses = knownOf('ConnectFailure', 'Timeout', 'RateLimited', 'ServerError', 'Overloaded');
const triggers = knownOf(
  'Exhausted',
  'CircuitOpen',
  'RateLimited',
  'Saturated',
  'Timeout',
  'ContextLengthExceeded',
  'ContentFiltered',
);

export const routeEntry = object<RouteEntry>({
  id: required(text),
  namespace: required(text),
  name: required(text),
  labels: required(labels),
  createdAt: optional(number),
  catchAll: required(flag),
  match: required(list(match)),
  allowedKeyNamespaces: required(namespaces),
  tenants: optional(labels),
  strategy: required(oneOf(...STRATEGIES)),
  latency: required(
    object<RouteEntry['latency']>({ percentile: required(number), window: required(number), tolerance: required(number) }),
  ),
  affinity: optional(object<Block<RouteEntry, 'affinity'>>({ header: required(text), ttl: required(number) })),
  autoWeight: optional(object<Block<RouteEntry, 'autoWeight'>>({ floor: required(number) })),
  backends: required(list(backend)),
  retries: required(
    object<RouteEntry['retries']>({
      attempts: required(number),
      on: required(retryClasses),
      backoff: required(object<RouteEntry['retries']['backoff']>({ base: required(number), max: required(number) })),
      budgetPercent: required(number),
    }),
  ),
  fallback: required(
    object<RouteEntry['fallback']>({
      on: required(triggers),
      contentFiltered: optional(texts),
      contextLengthExceeded: optional(texts),
      allowDowngrade: required(flag),
      costGuard: optional(
        object<CostGuard>({
          maxPriceRatio: optional(number),
          onExceeded: required(oneOf('Deny', 'Warn')),
          budgetPerHour: optional(number),
        }),
      ),
      midStream: required(oneOf('Fail', 'Continue')),
    }),
  ),
  hedge: optional(
    object<Block<RouteEntry, 'hedge'>>({
      after: required(
        either(
          object<{ readonly percentile: number }>({ percentile: required(number) }),
          object<{ readonly time: Block<RouteEntry, 'earlyHeartbeat'> }>({ time: required(number) }),
        ),
      ),
      maxPercent: required(number),
    }),
  ),
  cascade: optional(cascade),
  semantic: optional(semantic),
  cache: optional(cache),
  hooks: optional(list(hook)),
  timeouts: required(object<RouteEntry['timeouts']>({ request: optional(number), streamIdle: optional(number) })),
  onClientDisconnect: required(oneOf('Abort', 'Drain')),
  onUnknownPrice: required(oneOf('Allow', 'Deny')),
  clampMaxTokens: required(flag),
  earlyHeartbeat: optional(number),
  catchAllAnswer: optional(
    object<Block<RouteEntry, 'catchAllAnswer'>>({
      staleCache: required(flag),
      message: optional(text),
      status: required(number),
    }),
  ),
});

// ---------------------------------------------------------------- keys

const budget = object<BudgetEntry>({
  name: required(text),
  amount: required(number),
  period: required(oneOf('Hourly', 'Daily', 'Weekly', 'Monthly', 'Total')),
  timeZone: required(text),
  scope: required(oneOf('Key', 'Tenant')),
  models: required(texts),
  warnAtPercent: required(list(number)),
  onExhausted: required(oneOf('Block', 'Warn', 'Downgrade')),
});

const keyRates = { rpm: optional(number), tpm: optional(number), maxConcurrency: optional(number) };

export const keyEntry = object<KeyEntry>({
  id: required(text),
  namespace: required(text),
  name: required(text),
  digests: required(list(digest)),
  previousDigests: optional(
    list(object<Block<KeyEntry, 'previousDigests'>[number]>({ digest: required(digest), notAfter: required(number) })),
  ),
  tenant: required(text),
  alias: optional(text),
  labels: required(labels),
  models: required(object<KeyEntry['models']>({ allow: optional(texts), deny: required(texts) })),
  routes: optional(labels),
  limits: required(
    object<KeyEntry['limits']>({
      ...keyRates,
      perModel: required(list(object<KeyEntry['limits']['perModel'][number]>({ model: required(text), ...keyRates }))),
    }),
  ),
  budgets: required(list(budget)),
  onStoreFailure: required(oneOf('LocalShare', 'Allow', 'Deny')),
  tags: required(labels),
  exposeSimilarity: required(flag),
  expiresAt: optional(number),
  suspended: required(flag),
  priority: required(number),
});

export const tenantEntry = object<TenantEntry>({ budgets: required(list(budget)) });
