// Arbitrary snapshots for fast-check: sound in themselves, with every optional part now there and now absent.
import fc from 'fast-check';
import type {
  BudgetEntry,
  Connection,
  KeyEntry,
  ModelEntry,
  ProviderEntry,
  RouteEntry,
  Snapshot,
} from '#core/snapshot/snapshot.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const word = fc.string({ minLength: 1, maxLength: 12 });
const count = fc.integer({ min: 0, max: 1_000_000 });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const labels = fc.dictionary(name, word, { maxKeys: 3 });
const namespaces = fc.oneof(fc.constant('*' as const), fc.array(name, { maxLength: 3 }));
const hex = fc.stringMatching(/^[0-9a-f]{64}$/);

/** A record of which some fields may be absent. */
const partly = <T>(fields: Record<string, fc.Arbitrary<unknown>>, requiredKeys: readonly string[]): fc.Arbitrary<T> =>
  fc.record(fields, { requiredKeys: [...requiredKeys] }) as unknown as fc.Arbitrary<T>;
const whole = <T>(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<T> =>
  fc.record(fields) as unknown as fc.Arbitrary<T>;

const perToken = {
  input: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
  output: count,
  reasoning: count,
  audioInput: count,
  audioOutput: count,
  perRequest: count,
};
const rates = partly(
  { ...perToken, perUnit: count, perToolCall: partly({ webSearch: count, fileSearch: count, other: count }, []) },
  Object.keys(perToken),
);

const price = partly(
  {
    source: fc.constantFrom('provider', 'file', 'catalogue'),
    version: word,
    rates,
    tiers: fc.array(fc.record({ above: count, rates }), { maxLength: 2 }),
    gpu: fc.record({ hour: count, gpus: count }),
    maxToolCalls: count,
    services: fc.array(
      partly({ name: word, multiplier: count, rates, tiers: fc.array(fc.record({ above: count, rates })) }, ['name']),
      {
        maxLength: 2,
      },
    ),
  },
  ['source', 'version', 'rates', 'tiers'],
);

const model = partly<ModelEntry>(
  {
    name: word,
    upstreamName: word,
    aliases: fc.array(word, { maxLength: 2 }),
    capabilities: fc.subarray(['Chat', 'Tools', 'Vision', 'JSONSchema', 'Embeddings', 'Rerank', 'Moderation', 'Reasoning']),
    contextWindow: count,
    maxOutputTokens: count,
    tier: fc.constantFrom('Frontier', 'Standard', 'Small'),
    price,
    firstToken: count,
  },
  ['name', 'upstreamName', 'aliases', 'capabilities', 'tier'],
);

const connection = fc.oneof(
  partly<Connection>({ type: fc.constant('OpenAI'), baseURL: word, organization: word, project: word }, ['type', 'baseURL']),
  partly<Connection>({ type: fc.constant('Anthropic'), baseURL: word, version: word }, ['type', 'baseURL']),
  partly<Connection>({ type: fc.constant('AzureOpenAI'), endpoint: word, apiVersion: word }, ['type', 'endpoint']),
  partly<Connection>({ type: fc.constant('Bedrock'), region: word, endpoint: word }, ['type', 'region']),
  whole<Connection>({ type: fc.constant('Gemini'), baseURL: word }),
  whole<Connection>({ type: fc.constant('Gemini'), baseURL: word, vertex: whole({ project: word, location: word }) }),
  partly<Connection>({ type: fc.constant('OpenAICompatible'), baseURL: word, vendor: fc.constantFrom('Mistral', 'Cohere') }, [
    'type',
    'baseURL',
  ]),
  partly<Connection>(
    {
      type: fc.constant('VLLM'),
      endpoints: fc.array(word, { maxLength: 3 }),
      draining: fc.array(word, { maxLength: 2 }),
      engine: fc.constantFrom('vLLM', 'SGLang', 'TRTLLM', 'TGI'),
      metricsPath: word,
      probes: whole({ interval: count, staleAfter: count, queueDepth: count, kvCacheUtilization: share, wedgedAfter: count }),
    },
    ['type', 'endpoints', 'engine', 'metricsPath', 'probes'],
  ),
);

const identified = <T extends { readonly namespace: string; readonly name: string }>(entry: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  entry.map(value => ({ ...value, id: `${value.namespace}/${value.name}` }));

export const anyProvider: fc.Arbitrary<ProviderEntry> = identified(
  partly<ProviderEntry>(
    {
      namespace: name,
      name,
      connection,
      auth: whole({ credential: word, header: whole({ name: word, prefix: word }) }),
      locality: partly({ region: word, zone: word }, []),
      models: fc.array(model, { minLength: 1, maxLength: 3 }),
      limits: partly({ maxConcurrency: count, rpm: count, tpm: count, maxQueue: count, queueTimeout: count }, [
        'maxQueue',
        'queueTimeout',
      ]),
      timeouts: whole({ connect: count, firstToken: count, streamIdle: count, request: count }),
      circuitBreaker: whole({
        consecutiveFailures: count,
        errorRate: share,
        window: count,
        minRequests: count,
        cooldown: count,
        maxCooldown: count,
        halfOpenProbes: count,
      }),
      parameters: whole({
        dropUnsupported: fc.boolean(),
        set: fc.dictionary(name, fc.constantFrom(1, 'a', true, [1], { a: { b: null } }), { maxKeys: 2 }),
        drop: fc.array(word, { maxLength: 2 }),
      }),
      allowedNamespaces: namespaces,
    },
    ['namespace', 'name', 'connection', 'models', 'timeouts', 'circuitBreaker', 'parameters', 'allowedNamespaces'],
  ),
);

const pattern = { type: fc.constantFrom('Exact', 'Prefix', 'Suffix'), value: word };

const match = partly(
  {
    model: whole(pattern),
    headers: fc.array(whole({ name, ...pattern }), { maxLength: 2 }),
    operations: fc.subarray([
      'Chat',
      'Messages',
      'Responses',
      'Completions',
      'GenerateContent',
      'Embeddings',
      'Rerank',
      'Moderations',
      'Images',
      'Files',
      'Realtime',
    ]),
    minInputTokens: count,
    tags: labels,
  },
  ['headers', 'operations', 'tags'],
);

/** @param providers ids that its backends may name */
export const anyRoute = (providers: readonly string[]): fc.Arbitrary<RouteEntry> => {
  const provider = fc.constantFrom(...providers);
  const modelAt = { provider, model: word };
  return identified(
    partly<RouteEntry>(
      {
        namespace: name,
        name,
        labels,
        createdAt: count,
        catchAll: fc.boolean(),
        match: fc.array(match, { maxLength: 2 }),
        allowedKeyNamespaces: namespaces,
        tenants: labels,
        strategy: fc.constantFrom('Weighted', 'LeastLoad', 'Semantic', 'Nearest'),
        latency: whole({ percentile: count, window: count, tolerance: share }),
        affinity: whole({ header: name, ttl: count }),
        autoWeight: whole({ floor: share }),
        backends: fc.array(
          partly({ name, provider, model: word, weight: count, priority: count, downgrade: fc.boolean() }, [
            'name',
            'provider',
            'weight',
            'priority',
            'downgrade',
          ]),
          { minLength: 1, maxLength: 3 },
        ),
        retries: whole({
          attempts: count,
          on: fc.subarray(['ConnectFailure', 'Timeout', 'RateLimited', 'ServerError', 'Overloaded']),
          backoff: whole({ base: count, max: count }),
          budgetPercent: count,
        }),
        fallback: partly(
          {
            on: fc.subarray(['Exhausted', 'CircuitOpen', 'ContentFiltered']),
            contentFiltered: fc.array(name, { maxLength: 2 }),
            contextLengthExceeded: fc.array(name, { maxLength: 2 }),
            allowDowngrade: fc.boolean(),
            costGuard: partly({ maxPriceRatio: count, onExceeded: fc.constantFrom('Deny', 'Warn'), budgetPerHour: count }, [
              'onExceeded',
            ]),
            midStream: fc.constantFrom('Fail', 'Continue'),
          },
          ['on', 'allowDowngrade', 'midStream'],
        ),
        hedge: whole({ after: fc.oneof(whole({ percentile: count }), whole({ time: count })), maxPercent: count }),
        cascade: partly(
          {
            steps: fc.array(
              partly(
                {
                  backend: name,
                  accept: partly(
                    {
                      minConfidence: share,
                      rules: fc.subarray(['NonEmpty', 'ValidJSON', 'NotRefusal']),
                      maxOutputTokens: count,
                      judge: whole({ ...modelAt, minScore: share }),
                    },
                    ['rules'],
                  ),
                },
                ['backend'],
              ),
              { maxLength: 2 },
            ),
            scorer: whole({ origin: word, path: word, threshold: share, timeout: count }),
          },
          ['steps'],
        ),
        semantic: partly(
          {
            embedding: whole(modelAt),
            minSimilarity: share,
            tasks: fc.array(whole({ name, examples: fc.array(word, { maxLength: 2 }), backend: name }), { maxLength: 2 }),
            otherwise: name,
          },
          ['minSimilarity', 'tasks'],
        ),
        hooks: fc.array(
          partly(
            {
              name,
              when: fc.constantFrom('Before', 'After'),
              mode: fc.constantFrom('Decide', 'Observe'),
              holdStream: fc.boolean(),
              onFailure: fc.constantFrom('Allow', 'Deny'),
              http: whole({
                origin: word,
                path: word,
                headers: fc.array(partly({ name, value: word, credential: word }, ['name', 'value']), { maxLength: 2 }),
                timeout: count,
                maxBodyBytes: count,
                window: count,
              }),
              sensitiveData: whole({
                kinds: fc.subarray(['Email', 'APIKey', 'IPAddress']),
                action: fc.constantFrom('Deny', 'Mask'),
                restore: fc.boolean(),
              }),
            },
            ['name', 'when', 'mode', 'holdStream', 'onFailure'],
          ),
          { maxLength: 2 },
        ),
        cache: partly(
          {
            mode: fc.constantFrom('Exact', 'Semantic'),
            match: fc.constantFrom('Strict', 'Careful', 'Balanced'),
            similarity: share,
            ttl: count,
            staleFor: count,
            scope: fc.constantFrom('Key', 'Tenant'),
            onlyDeterministic: fc.boolean(),
            partitionBy: fc.array(word, { maxLength: 2 }),
            embedding: whole(modelAt),
            replay: fc.constantFrom('Paced', 'Instant'),
            toolCalls: fc.boolean(),
            falseHitBudget: share,
            sample: share,
            judge: partly({ ...modelAt, maxPerMinute: count, budgetPerDay: count }, ['provider', 'model', 'maxPerMinute']),
            shadow: fc.boolean(),
          },
          [
            'mode',
            'match',
            'similarity',
            'ttl',
            'staleFor',
            'scope',
            'onlyDeterministic',
            'partitionBy',
            'replay',
            'toolCalls',
            'sample',
            'shadow',
          ],
        ),
        timeouts: partly({ request: count, streamIdle: count }, []),
        onClientDisconnect: fc.constantFrom('Abort', 'Drain'),
        onUnknownPrice: fc.constantFrom('Allow', 'Deny'),
        clampMaxTokens: fc.boolean(),
        earlyHeartbeat: count,
        catchAllAnswer: partly({ staleCache: fc.boolean(), message: word, status: count }, ['staleCache', 'status']),
      },
      [
        'namespace',
        'name',
        'labels',
        'catchAll',
        'match',
        'allowedKeyNamespaces',
        'strategy',
        'latency',
        'backends',
        'retries',
        'fallback',
        'timeouts',
        'onClientDisconnect',
        'onUnknownPrice',
        'clampMaxTokens',
      ],
    ),
  );
};

const budget = whole<BudgetEntry>({
  name,
  amount: count,
  period: fc.constantFrom('Hourly', 'Daily', 'Weekly', 'Monthly', 'Total'),
  timeZone: fc.constant('UTC'),
  scope: fc.constantFrom('Key', 'Tenant'),
  models: fc.array(word, { maxLength: 2 }),
  warnAtPercent: fc.array(count, { maxLength: 2 }),
  onExhausted: fc.constantFrom('Block', 'Warn', 'Downgrade'),
});

const keyRates = { rpm: count, tpm: count, maxConcurrency: count };

export const anyKey: fc.Arbitrary<KeyEntry> = partly<KeyEntry>(
  {
    id: fc.stringMatching(/^[0-9a-f]{12}$/),
    namespace: name,
    name,
    digests: fc.array(hex, { minLength: 1, maxLength: 2 }),
    previousDigests: fc.array(whole({ digest: hex, notAfter: count }), { maxLength: 2 }),
    tenant: name,
    alias: word,
    labels,
    models: partly({ allow: fc.array(word, { maxLength: 2 }), deny: fc.array(word, { maxLength: 2 }) }, ['deny']),
    routes: labels,
    limits: partly({ ...keyRates, perModel: fc.array(partly({ model: word, ...keyRates }, ['model']), { maxLength: 2 }) }, [
      'perModel',
    ]),
    budgets: fc.array(budget, { maxLength: 2 }),
    onStoreFailure: fc.constantFrom('LocalShare', 'Allow', 'Deny'),
    tags: labels,
    exposeSimilarity: fc.boolean(),
    expiresAt: count,
    suspended: fc.boolean(),
    priority: fc.integer(),
  },
  [
    'id',
    'namespace',
    'name',
    'digests',
    'tenant',
    'labels',
    'models',
    'limits',
    'budgets',
    'onStoreFailure',
    'tags',
    'exposeSimilarity',
    'suspended',
    'priority',
  ],
);

const nameOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => `${namespace}/${name}`;
const distinct = <T extends { readonly namespace: string; readonly name: string }>(item: fc.Arbitrary<T>, maxLength: number) =>
  fc.uniqueArray(item, { selector: nameOf, maxLength });

export const anySnapshot: fc.Arbitrary<Snapshot> = fc
  .record({
    providers: distinct(anyProvider, 4),
    keys: distinct(anyKey, 6),
    tenants: fc.dictionary(name, fc.record({ budgets: fc.array(budget, { maxLength: 2 }) }), { maxKeys: 3 }),
  })
  .chain(({ providers, keys, tenants }) =>
    (providers.length === 0 ? fc.constant([]) : distinct(anyRoute(providers.map(p => p.id)), 4)).map(routes => ({
      schemaVersion: 1,
      providers: Object.fromEntries(providers.toSorted(byId).map(p => [p.id, p])),
      routes: routes.toSorted(byId),
      keys,
      tenants,
    })),
  );

const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
