// What becomes of LiteLLM's settings: each test is one of them. Whatever the input, what is written is sound, and what is not carried over is told.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compile, emptyCatalogue, keysToGenerate } from '#core/compile/index.ts';
import { epochMillis } from '#core/units.ts';
import { sha256 } from '#platform/digest.ts';
import { type Converted, convert, type Inputs } from './convert.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

function converted(
  config: unknown,
  more: Partial<Omit<Inputs, 'keys' | 'teams'>> & { keys?: unknown; teams?: unknown } = {},
): Converted {
  const file = (name: string, value: unknown) =>
    value === undefined ? undefined : { name, text: JSON.stringify(value, undefined, 1) };
  const result = convert({
    forCluster: false,
    environment: {},
    digest: sha256,
    now,
    ...more,
    config: { name: 'config.yaml', text: typeof config === 'string' ? config : JSON.stringify(config, undefined, 1) },
    keys: file('keys.json', more.keys),
    teams: file('teams.json', more.teams),
  });
  assert.ok(!('unreadable' in result), JSON.stringify(result));
  return result;
}

const model = (name: string, params: Record<string, unknown> = {}, info?: Record<string, unknown>) => ({
  model_name: name,
  litellm_params: { model: 'openai/gpt-4o', ...params },
  ...(info && { model_info: info }),
});
const one = (params: Record<string, unknown> = {}, info?: Record<string, unknown>) => ({
  model_list: [model('m', params, info)],
});

type Spec = Readonly<Record<string, unknown>>;
type ProviderSpec = Spec & {
  readonly models: readonly Spec[];
  readonly limits?: { readonly rpm?: number };
  readonly azureOpenAI: { readonly endpoint: string };
  readonly openAICompatible: { readonly baseURL: string };
};
type RouteSpec = Spec & {
  readonly match: readonly { readonly model: { readonly value: string } }[];
  readonly backends: readonly { readonly model: string; readonly weight?: number; readonly priority?: number }[];
  readonly retries: { readonly attempts: number };
};

const specs = <S extends Spec>(manifests: Converted['routes'], kind: string) =>
  manifests.filter(it => it.kind === kind).map(it => it.spec as S);
const providersOf = (result: Converted) => specs<ProviderSpec>(result.providers, 'LLMProvider');
const routesOf = (result: Converted) => specs<RouteSpec>(result.routes, 'LLMRoute');
const keysOf = (result: Converted) => specs<Spec>(result.keys, 'TenantKey');
const said = ({ findings }: Converted) => findings.map(({ path, message }) => `${path}: ${message}`).join('\n');

async function complaintsOf({ providers, routes, keys, secret }: Converted): Promise<readonly string[]> {
  const objects = [...providers, ...routes, ...keys].map(value => ({ value: JSON.parse(JSON.stringify(value)) as unknown }));
  const { verdicts } = await compile({
    objects,
    policy: { standalone: true, allowHttpUpstreams: true, allowUpstreamCidrs: [] },
    environment: Object.fromEntries(secret.variables.map(({ variable }) => [variable, `sk-${variable}-0123456789abcdef`])),
    catalogue: emptyCatalogue,
    digest: sha256,
    now: epochMillis(now),
    generated: new Map(keysToGenerate(objects).map(({ id }) => [id, `sk-${id}-0123456789abcdef`])),
  });
  return verdicts.flatMap(({ sound, kind, name, problems }) =>
    sound ? [] : problems.map(({ path, message }) => `${kind} ${name} ${path}: ${message}`),
  );
}

describe('providers', () => {
  const blocks: readonly (readonly [params: Record<string, unknown>, type: string, block: Record<string, unknown>])[] = [
    [{ model: 'gpt-4o' }, 'OpenAI', {}],
    [{ model: 'openai/gpt-4o', organization: 'org-1' }, 'OpenAI', { openAI: { organization: 'org-1' } }],
    [
      { model: 'openai/local', api_base: 'http://box:8080/v1/' },
      'OpenAICompatible',
      { openAICompatible: { baseURL: 'http://box:8080/v1' } },
    ],
    [
      { model: 'local', custom_llm_provider: 'openai', api_base: 'http://box/v1' },
      'OpenAICompatible',
      { openAICompatible: { baseURL: 'http://box/v1' } },
    ],
    [{ model: 'claude-haiku-4-5' }, 'Anthropic', {}],
    [
      { model: 'anthropic/claude-haiku-4-5', api_base: 'https://proxy.example/v1/messages' },
      'Anthropic',
      { anthropic: { baseURL: 'https://proxy.example' } },
    ],
    [
      { model: 'azure/chat', api_base: 'https://eu.openai.azure.com/', api_version: '2024-10-21' },
      'AzureOpenAI',
      { azureOpenAI: { endpoint: 'https://eu.openai.azure.com', apiVersion: '2024-10-21' } },
    ],
    [
      { model: 'hosted_vllm/qwen3', api_base: 'http://10.0.0.5:8000/v1' },
      'VLLM',
      { vLLM: { endpoints: ['http://10.0.0.5:8000'] } },
    ],
    [
      { model: 'ollama/llama3', api_base: 'http://box:11434' },
      'OpenAICompatible',
      { openAICompatible: { baseURL: 'http://box:11434/v1' } },
    ],
    [{ model: 'groq/llama-3.3-70b' }, 'OpenAICompatible', { openAICompatible: { baseURL: 'https://api.groq.com/openai/v1' } }],
    [
      { model: 'bedrock/converse/eu.anthropic.claude', aws_region_name: 'eu-west-1' },
      'Bedrock',
      { bedrock: { region: 'eu-west-1' } },
    ],
    [{ model: 'gemini/gemini-2.5-flash' }, 'Gemini', {}],
  ];
  for (const [params, type, block] of blocks)
    test(`${JSON.stringify(params)} is of type ${type}`, () => {
      const result = converted(one(params));
      const [spec] = providersOf(result);
      const { type: its, auth: _, models: __, ...rest } = spec!;
      assert.deepEqual([its, rest], [type, block]);
    });

  test('a provider that is not known is named, with the line of its deployment', () => {
    const { findings, routes } = converted(
      'model_list:\n- model_name: a\n  litellm_params:\n    model: vertex_ai/gemini-2.5-pro\n',
    );
    assert.equal(routes.length, 0);
    assert.deepEqual(
      findings.map(({ line, path }) => [line, path]),
      [[2, 'model_list[0]']],
    );
    assert.match(findings[0]!.message, /vertex_ai/);
  });

  test('keys come from the variable that is named, else from the one that LiteLLM looks at; texts are kept as they are', () => {
    const result = converted({
      model_list: [model('a', { api_key: 'os.environ/MY_KEY' }), model('b'), model('c', { api_key: 'sk-$(HOME)-in-clear' })],
    });
    const [secret] = result.providers;
    assert.deepEqual(secret!.stringData, { 'my-key': '$(MY_KEY)', 'openai-api-key': '$(OPENAI_API_KEY)' });
    assert.equal(Buffer.from(Object.values(secret!.data!)[0]!, 'base64').toString(), 'sk-$(HOME)-in-clear');
    assert.match(said(result), /model_list\[2\]\.litellm_params\.api_key: stands in the file in clear text/);
    assert.doesNotMatch(said(result), /in-clear/);
  });

  test('for a cluster, nobody fills variables in: the Secret has only what stood in the file', () => {
    const result = converted({ model_list: [model('a', { api_key: 'os.environ/MY_KEY' })] }, { forCluster: true });
    assert.equal(
      result.providers.some(({ kind }) => kind === 'Secret'),
      false,
    );
    assert.deepEqual(result.secret.variables, [{ key: 'my-key', variable: 'MY_KEY' }]);
  });

  test('a variable whose name no Secret can take is told, and nothing is sent without its key', () => {
    const result = converted(one({ api_key: 'os.environ/MY-KEY' }));
    assert.equal(result.routes.length, 0);
    assert.match(said(result), /api_key: os\.environ\/MY-KEY is no variable/);
  });

  test('an address from the environment is looked up when it is imported; where it is not set the deployment is left out', () => {
    const config = one({ model: 'azure/chat', api_base: 'os.environ/AZURE_API_BASE' });
    const [spec] = providersOf(converted(config, { environment: { AZURE_API_BASE: 'https://x.openai.azure.com' } }));
    assert.equal(spec!.azureOpenAI.endpoint, 'https://x.openai.azure.com');
    const without = converted(config);
    assert.equal(without.routes.length, 0);
    assert.match(said(without), /AZURE_API_BASE/);
  });

  test('deployments with one address and key share a provider; one with limits of its own has its own', () => {
    const result = converted({
      model_list: [
        model('a'),
        model('b', { model: 'gpt-4.1' }),
        model('c', { rpm: 10, tpm: 1000 }),
        model('d', { rpm: 10, tpm: 1000 }),
      ],
    });
    assert.deepEqual(
      providersOf(result).map(({ models, limits }) => [models.length, limits?.rpm]),
      [
        [2, undefined],
        [1, 10],
        [1, 10],
      ],
    );
  });

  test('prices, capabilities, sizes, timeouts and breakers', async () => {
    const result = converted({
      ...one(
        { timeout: 30, stream_timeout: 0.5, max_parallel_requests: 4, additional_drop_params: ['seed'] },
        {
          supports_vision: true,
          supports_function_calling: false,
          input_cost_per_token: 1.5e-7,
          output_cost_per_token: 6e-7,
          input_cost_per_token_priority: 2.625e-7,
          output_cost_per_token_priority: 1.2e-6,
          output_cost_per_token_flex: 3e-7,
          cache_read_input_token_cost: 7.5e-8,
          search_context_cost_per_query: { search_context_size_low: 0.03, search_context_size_high: 0.05 },
          file_search_cost_per_1k_calls: 2.5,
          max_input_tokens: 1000,
          max_output_tokens: 100,
        },
      ),
      router_settings: { allowed_fails: 3, cooldown_time: 400 },
      litellm_settings: { drop_params: false },
    });
    const [{ auth: _, type: __, ...spec }] = providersOf(result) as [ProviderSpec];
    assert.deepEqual(spec, {
      limits: { maxConcurrency: 4 },
      timeouts: { firstToken: '500ms', request: '30s' },
      circuitBreaker: { consecutiveFailures: 4, cooldown: '400s', maxCooldown: '400s' },
      parameters: { dropUnsupported: false, drop: ['seed'] },
      models: [
        {
          name: 'gpt-4o',
          capabilities: ['Chat', 'JSONSchema', 'Vision'],
          contextWindow: 1000,
          maxOutputTokens: 100,
          price: {
            inputPerMTok: '0.15',
            cachedInputPerMTok: '0.075',
            outputPerMTok: '0.6',
            perToolCall: { webSearch: '0.05', fileSearch: '0.0025' },
            serviceTiers: [
              { name: 'priority', multiplier: '2' },
              { name: 'flex', multiplier: '0.5' },
            ],
          },
        },
      ],
    });
    assert.deepEqual(await complaintsOf(result), []);
  });

  test('credentials of a list', () => {
    const result = converted({
      credential_list: [
        { credential_name: 'eu', credential_values: { api_key: 'os.environ/EU_KEY', api_base: 'https://eu.openai.azure.com' } },
      ],
      model_list: [model('m', { model: 'azure/chat', litellm_credential_name: 'eu' })],
    });
    assert.equal(providersOf(result)[0]!.azureOpenAI.endpoint, 'https://eu.openai.azure.com');
    assert.deepEqual(
      result.secret.variables.map(({ variable }) => variable),
      ['EU_KEY'],
    );
  });
});

describe('routes', () => {
  test('deployments of one name are backends of one route, by weight and order', () => {
    const [route] = routesOf(
      converted({
        model_list: [
          model('m', { weight: 3 }),
          model('m', { model: 'gpt-4.1', rpm: 7 }),
          model('m', { model: 'claude-haiku-4-5', order: 2 }),
        ],
      }),
    );
    assert.deepEqual(
      route!.backends.map(({ weight, priority }) => [weight, priority]),
      [
        [3, undefined],
        [7, undefined],
        [undefined, 1],
      ],
    );
  });

  test('fallbacks are further priorities, with the deployments of the groups they name', async () => {
    const result = converted({
      model_list: [
        model('a'),
        model('b', { model: 'gpt-4.1' }),
        model('b', { model: 'claude-haiku-4-5' }),
        model('c', { model: 'gpt-4.1-mini' }),
      ],
      router_settings: {
        fallbacks: [{ a: ['b', 'c'] }],
        num_retries: 3,
        model_group_alias: { old: 'a', hid: { model: 'a', hidden: true } },
      },
      litellm_settings: { default_fallbacks: ['c'], fallbacks: [{ a: ['ignored'] }] },
    });
    const [a, b, c] = routesOf(result);
    assert.deepEqual(
      a!.match.map(({ model }) => model.value),
      ['a', 'old', 'hid'],
    );
    assert.deepEqual(
      a!.backends.map(({ model, priority }) => [model, priority]),
      [
        ['gpt-4o', undefined],
        ['gpt-4.1', 1],
        ['claude-haiku-4-5', 1],
        ['gpt-4.1-mini', 2],
      ],
    );
    assert.equal(a!.retries.attempts, 3);
    assert.deepEqual(
      b!.backends.map(({ priority }) => priority),
      [undefined, undefined, 1],
    );
    assert.equal(c!.backends.length, 1);
    assert.deepEqual(await complaintsOf(result), []);
  });

  test('fallbacks for long prompts and filtered content alone leave other failures where they are', async () => {
    const result = converted({
      model_list: [model('a'), model('long', { model: 'gpt-4.1' }), model('mild', { model: 'gpt-4.1-mini' })],
      router_settings: { context_window_fallbacks: [{ a: ['long'] }], content_policy_fallbacks: [{ a: ['mild'] }] },
    });
    assert.deepEqual(routesOf(result)[0]!.fallback, {
      on: ['ContextLengthExceeded', 'ContentFiltered'],
      contentFiltered: ['mild'],
      contextLengthExceeded: ['long'],
    });
    assert.deepEqual(await complaintsOf(result), []);
  });

  for (const [name, strategy] of [
    ['least-busy', 'LeastBusy'],
    ['usage-based-routing-v2', 'LeastUsage'],
    ['latency-based-routing', 'LowestLatency'],
    ['cost-based-routing', 'LowestCost'],
    ['simple-shuffle', undefined],
    ['by-moonlight', undefined],
  ] as const)
    test(`${name} becomes ${strategy ?? 'Weighted'}`, () => {
      const result = converted({
        model_list: [model('m'), model('m', { model: 'gpt-4.1' })],
        router_settings: { routing_strategy: name },
      });
      assert.equal(routesOf(result)[0]!.strategy, strategy);
      assert.equal(said(result).includes('by-moonlight'), name === 'by-moonlight');
    });

  test('the cache, exact or semantic, with the embedder of the file', () => {
    const cache = (params: Record<string, unknown>, rest: object[] = []) =>
      routesOf(converted({ model_list: [model('m'), ...rest], litellm_settings: { cache: true, cache_params: params } }))[0]!
        .cache;
    assert.deepEqual(cache({ type: 'redis', ttl: 60 }), { mode: 'Exact', ttl: '60s', onlyDeterministic: false });
    assert.equal(cache({ type: 'redis', mode: 'default_off' }), undefined);
    assert.equal(cache({ type: 'redis', supported_call_types: ['aembedding'] }), undefined);
    const embedder = model('e', { model: 'text-embedding-3-small' }, { mode: 'embedding' });
    assert.deepEqual(
      cache({ type: 'redis-semantic', similarity_threshold: 0.9, redis_semantic_cache_embedding_model: 'e' }, [embedder]),
      {
        mode: 'Semantic',
        onlyDeterministic: false,
        embedding: { providerRef: { name: 'openai' }, model: 'text-embedding-3-small' },
        similarity: '0.9',
      },
    );
    assert.deepEqual(cache({ type: 'qdrant-semantic', similarity_threshold: 0.9 }), {
      mode: 'Semantic',
      onlyDeterministic: false,
    });
  });
});

describe('keys', () => {
  const hash = sha256('sk-a');
  const key = (fields: Record<string, unknown> = {}) => ({ token: hash, key_alias: 'a', ...fields });
  const only = (fields: Record<string, unknown>, teams?: unknown) => {
    const result = converted(one(), { keys: [key(fields)], teams });
    return { spec: keysOf(result)[0]!, said: said(result) };
  };

  test('a key keeps its secret, its limits, its budget and its team', () => {
    const { spec } = only({
      team_id: 't',
      max_budget: 5,
      budget_duration: '30d',
      rpm_limit: 3,
      models: ['m'],
      expires: '2027-01-01T00:00:00Z',
    });
    assert.deepEqual(spec, {
      tenant: 't',
      digest: `sha256:${hash}`,
      alias: 'a',
      models: { allow: ['m'] },
      budgets: [{ name: 'max-budget', amount: '5', period: 'Monthly' }],
      limits: { rpm: 3 },
      tags: { team: 't' },
      expiresAt: '2027-01-01T00:00:00.000Z',
    });
  });

  test('a key in clear text is kept as its hash', () => {
    const result = converted(one(), { keys: { keys: [{ key: 'sk-a', key_alias: 'a' }] } });
    assert.equal(keysOf(result)[0]!.digest, `sha256:${hash}`);
    assert.doesNotMatch(JSON.stringify(result), /sk-a"/);
  });

  test('what restricts a key and cannot be carried over suspends it', () => {
    for (const fields of [
      { guardrails: ['pii'] },
      { allowed_routes: ['/x'] },
      { max_budget: 'lots' },
      { permissions: { a: 1 } },
    ]) {
      const { spec, said } = only(fields);
      assert.equal(spec.suspended, true, JSON.stringify(fields));
      assert.match(said, new RegExp(`${Object.keys(fields)[0]}: not carried over, and so the key is suspended`));
    }
  });

  test('a period that Tollgate does not have never gives more', () => {
    const { spec, said } = only({ max_budget: 5, budget_duration: '10d' });
    assert.deepEqual(spec.budgets, [{ name: 'max-budget', amount: '5', period: 'Total' }]);
    assert.match(said, /10d is no period/);
  });

  test('what was spent is told', () => {
    assert.match(only({ max_budget: 5, spend: 1 }).said, /spend: what was spent is not carried over/);
  });

  test("a budget in a table apart is the key's where it has none of its own", () => {
    const { spec } = only({
      max_budget: null,
      budget_id: 'b',
      litellm_budget_table: { max_budget: 2, budget_duration: '1d', rpm_limit: 9 },
    });
    assert.deepEqual([spec.budgets, spec.limits], [[{ name: 'max-budget', amount: '2', period: 'Daily' }], { rpm: 9 }]);
  });

  test("what a team may do bounds its keys, and its budget is the tenant's", () => {
    const team = { team_id: 't', max_budget: 7, budget_duration: '7d', models: ['m', 'n'], rpm_limit: 2, blocked: true };
    const { spec } = only({ team_id: 't', models: ['m', 'x'], rpm_limit: 5 }, [team]);
    assert.deepEqual(spec.models, { allow: ['m'] });
    assert.deepEqual(spec.limits, { rpm: 2 });
    assert.deepEqual(spec.budgets, [{ name: 'team', amount: '7', period: 'Weekly', scope: 'Tenant' }]);
    assert.equal(spec.suspended, true);
  });

  test('a team without keys has one made, because its budget needs one', () => {
    const result = converted({ ...one(), litellm_settings: { default_team_settings: [{ team_id: 'jwt', max_budget: 3 }] } });
    assert.deepEqual(keysOf(result)[0]!.budgets, [{ name: 'team', amount: '3', period: 'Total', scope: 'Tenant' }]);
    assert.match(said(result), /jwt|has a budget and no key/);
  });

  test('the master key becomes a key like any other, because clients call models with it', () => {
    const result = converted({
      ...one(),
      general_settings: { master_key: 'os.environ/LITELLM_MASTER_KEY' },
      litellm_settings: { max_budget: 9, budget_duration: '30d' },
    });
    assert.deepEqual(keysOf(result)[0], {
      tenant: 'default',
      alias: 'litellm-master-key',
      secretRef: { name: 'litellm-keys', key: 'litellm-master-key' },
      budgets: [{ name: 'all', amount: '9', period: 'Monthly', scope: 'Tenant' }],
    });
  });
});

test('what cannot be read is named, whatever is wrong with it', () => {
  const bomb = `a: &a [x]\n${Array.from({ length: 30 }, (_, n) => `b${n}: &b${n} [${'*a, '.repeat(20)}]`).join('\n')}\n`;
  for (const text of ['a: [', 'a: *nothing', bomb, `${'['.repeat(50_000)}`, 'a: 1\na: 2']) {
    const result = convert({
      config: { name: 'config.yaml', text },
      ...{ keys: undefined, teams: undefined, forCluster: false, environment: {}, digest: sha256, now },
    });
    assert.ok('unreadable' in result && result.unreadable.startsWith('config.yaml:'), text.slice(0, 20));
  }
});

test('YAML is read as LiteLLM reads it: yes is true, anchors merge', () => {
  const result = converted(
    'x: &x {api_base: "http://box/v1"}\nmodel_list:\n- model_name: m\n  litellm_params: {<<: *x, model: openai/a}\n  model_info: {supports_vision: yes}\n',
  );
  assert.deepEqual(providersOf(result)[0]!.models[0]!.capabilities, ['Chat', 'Tools', 'JSONSchema', 'Vision']);
  assert.equal(providersOf(result)[0]!.openAICompatible.baseURL, 'http://box/v1');
});

describe('whatever the file says', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'gpt-4o', 'Ünicode/Name with spaces', 'x'.repeat(120));
  const upstream = fc.constantFrom(
    'gpt-4o',
    'openai/gpt-4.1',
    'claude-haiku-4-5',
    'groq/llama',
    'hosted_vllm/q',
    'azure/d',
    'vertex_ai/g',
    'nobody/x',
    'openai/*',
  );
  const amount = fc.constantFrom(0, 1, 0.5, 30, 1e9, -1, '7', 'x', null, true);
  const unknown = fc.dictionary(fc.constantFrom('zeta', 'eta', 'theta'), fc.constantFrom(1, 'x', [1], { y: 1 }), { maxKeys: 2 });
  const params = fc.record(
    {
      model: upstream,
      api_base: fc.constantFrom('http://box:1/v1', 'https://h/', 'nonsense', 3),
      rpm: amount,
      tpm: amount,
      timeout: amount,
      stream_timeout: amount,
      weight: amount,
      order: amount,
      max_parallel_requests: amount,
    },
    { requiredKeys: ['model'] },
  );
  const info = fc.record(
    {
      mode: fc.constantFrom('chat', 'embedding', 'image_generation'),
      input_cost_per_token: amount,
      supports_vision: amount,
      max_input_tokens: amount,
    },
    { requiredKeys: [] },
  );
  const fallbacks = fc.array(fc.dictionary(names, fc.array(names, { maxLength: 3 }), { maxKeys: 2 }), { maxLength: 2 });
  const config = fc.record({
    model_list: fc.array(
      fc
        .tuple(names, params, info, unknown)
        .map(([name, p, i, u]) => ({ model_name: name, litellm_params: { ...p, ...u }, model_info: i })),
      { maxLength: 8 },
    ),
    router_settings: fc.record(
      {
        fallbacks,
        context_window_fallbacks: fallbacks,
        content_policy_fallbacks: fallbacks,
        default_fallbacks: fc.array(names, { maxLength: 2 }),
        num_retries: amount,
        cooldown_time: amount,
        allowed_fails: amount,
        retry_after: amount,
        timeout: amount,
        model_group_alias: fc.dictionary(names, names, { maxKeys: 2 }),
      },
      { requiredKeys: [] },
    ),
    litellm_settings: fc
      .tuple(
        fc.record(
          {
            cache: fc.boolean(),
            cache_params: fc.record(
              {
                type: fc.constantFrom('redis', 'redis-semantic', 's3'),
                ttl: amount,
                similarity_threshold: amount,
                redis_semantic_cache_embedding_model: names,
              },
              { requiredKeys: [] },
            ),
            max_budget: amount,
            budget_duration: fc.constantFrom('30d', '10d', 'x'),
          },
          { requiredKeys: [] },
        ),
        unknown,
      )
      .map(([a, b]) => ({ ...a, ...b })),
  });
  const keys = fc.uniqueArray(
    fc.record(
      {
        token: fc.nat().map(seed => sha256(String(seed))),
        key_alias: names,
        team_id: names,
        max_budget: amount,
        budget_duration: fc.constantFrom('30d', '1d', '3d'),
        rpm_limit: amount,
        models: fc.array(names, { maxLength: 2 }),
        blocked: fc.boolean(),
      },
      { requiredKeys: ['token'] },
    ),
    { maxLength: 4, selector: it => it.token },
  );
  const teams = fc.uniqueArray(
    fc.record(
      { team_id: names, max_budget: amount, models: fc.array(names, { maxLength: 2 }), rpm_limit: amount },
      { requiredKeys: ['team_id'] },
    ),
    { maxLength: 3, selector: it => it.team_id },
  );

  test('what is written is sound, and no field that is unknown goes unsaid', async () => {
    await fc.assert(
      fc.asyncProperty(config, keys, teams, async (file, listed, bounds) => {
        const result = converted(file, {
          keys: listed,
          teams: bounds,
        });
        assert.deepEqual(await complaintsOf(result), []);
        const text = said(result);
        for (const [index, { litellm_params }] of file.model_list.entries())
          for (const name of ['zeta', 'eta', 'theta'])
            if (name in litellm_params)
              assert.match(
                text,
                new RegExp(`model_list\\[${index}\\](: the deployment is left out|\\.litellm_params\\.${name}:)`),
              );
        for (const name of ['zeta', 'eta', 'theta'])
          if (name in file.litellm_settings) assert.match(text, new RegExp(`litellm_settings\\.${name}:`));
      }),
      { numRuns: 100 },
    );
  });
});
