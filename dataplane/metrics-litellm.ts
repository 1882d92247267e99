// LiteLLM's metrics under its names and labels, so that dashboards made for it work: all of them derived from our own counts when somebody
// scrapes. Labels that would have no bound, or tell who a client is (end_user, user, user_email, client_ip, user_agent), are left out, as are
// addresses of upstreams (api_base); to Prometheus a label that is not there is one that is empty.
import type { BreakerState } from '#core/health/breaker.ts';
import type { KeyEntry, ProviderType, Snapshot } from '#core/snapshot/snapshot.ts';
import type { Derived, MetricSpec, MetricTable, Sample } from '#platform/metrics.ts';
import { endedRequests, keyLimits, NANO, spreadOut, summed, usedTokens } from './metrics-derived.ts';
import { type Identity, OTHERS, type UsageCell, type UsageTally } from './metrics-usage.ts';

const K = ['hashed_api_key', 'api_key_alias'] as const;
const T = ['team', 'team_alias'] as const;
const D = ['litellm_model_name', 'model_id', 'api_provider'] as const;

const BUCKETS = [
  0.005, 0.00625, 0.0125, 0.025, 0.05, 0.1, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 15,
  20, 25, 30, 60, 120, 180, 240, 300,
];
const TOKEN_BUCKETS = [0.005, 0.00625, 0.0125, 0.025, 0.05, 0.1, 0.5, 1];

const counted = (name: string, labels: readonly string[], help: string, unit = 'requests'): MetricSpec => ({
  name: `litellm_${name}_total`,
  type: 'counter',
  unit,
  labels,
  help,
});
const spread = (name: string, labels: readonly string[], help: string, buckets: readonly number[] = BUCKETS): MetricSpec => ({
  name: `litellm_${name}`,
  type: 'histogram',
  unit: 'seconds',
  labels,
  help,
  buckets,
});
const level = (name: string, labels: readonly string[], unit: string, help: string): MetricSpec => ({
  name: `litellm_${name}`,
  type: 'gauge',
  unit,
  labels,
  help,
});

const asked = [...K, 'requested_model', ...T, 'model_id', 'route'] as const;
const usage = [...K, 'model', ...T, 'requested_model', 'model_id'] as const;
const timed = ['model', ...T, 'requested_model', 'model_id'] as const;

export const litellmMetrics = {
  totalRequests: counted('proxy_total_requests_metric', [...asked, 'status_code'], 'Requests of clients.'),
  failedRequests: counted(
    'proxy_failed_requests_metric',
    [...asked, 'exception_status', 'exception_class'],
    'Requests of clients that failed.',
  ),
  requests: counted('requests_metric', usage, 'Attempts at models that were answered.'),
  spend: counted('spend_metric', usage, 'What they cost, in US dollars.', 'US dollars'),
  inputTokens: counted('input_tokens_metric', usage, 'Tokens of prompts.', 'tokens'),
  outputTokens: counted('output_tokens_metric', usage, 'Tokens of answers.', 'tokens'),
  totalTokens: counted('total_tokens_metric', usage, 'Tokens of both.', 'tokens'),
  apiLatency: spread('llm_api_latency_metric', timed, 'Time of the attempts at models that went well.'),
  apiFirstToken: spread(
    'llm_api_time_to_first_token_metric',
    timed,
    'Time from the start of such an attempt to its first token.',
  ),
  totalLatency: spread('request_total_latency_metric', timed, 'From the arrival of a request to the end of its answer.'),
  overhead: spread(
    'overhead_latency_metric',
    ['model_group', 'api_provider', 'litellm_model_name', 'model_id'],
    'Time of a request that was not spent on waiting for upstreams.',
  ),
  deploymentState: level('deployment_state', D, '0, 1 or 2', 'Breaker of a model: 0 healthy, 1 being tried, 2 out.'),
  deploymentTpm: level('deployment_tpm_limit', D, 'tokens a minute', 'Limit of the provider.'),
  deploymentRpm: level('deployment_rpm_limit', D, 'requests a minute', 'Limit of the provider.'),
  cooledDown: counted('deployment_cooled_down', D, 'Breakers that opened, as this process saw them.', 'changes'),
  deploymentRequests: counted('deployment_total_requests', ['requested_model', ...D, ...K, ...T], 'Attempts.', 'attempts'),
  deploymentSuccess: counted(
    'deployment_success_responses',
    ['requested_model', ...D, ...K, ...T],
    'Attempts that went well.',
    'attempts',
  ),
  deploymentFailure: counted(
    'deployment_failure_responses',
    ['requested_model', ...D, 'exception_class', ...K, ...T],
    'Attempts that failed.',
    'attempts',
  ),
  perOutputToken: spread(
    'deployment_latency_per_output_token',
    [...D, ...T],
    'Time for each token of a stream after its first.',
    TOKEN_BUCKETS,
  ),
  successfulFallbacks: counted(
    'deployment_successful_fallbacks',
    ['requested_model', 'fallback_model', ...K, ...T, 'model_id'],
    'Requests that another backend than the first answered.',
  ),
  failedFallbacks: counted(
    'deployment_failed_fallbacks',
    ['requested_model', 'fallback_model', ...K, ...T, 'model_id'],
    'Requests that no other backend answered either.',
  ),
  teamRemaining: level('remaining_team_budget_metric', T, 'US dollars', "What is left of a tenant's tightest budget."),
  teamMax: level('team_max_budget_metric', T, 'US dollars', 'Its amount.'),
  teamHours: level('team_budget_remaining_hours_metric', T, 'hours', 'Until its period ends.'),
  keyRemaining: level('remaining_api_key_budget_metric', K, 'US dollars', "What is left of a key's tightest budget."),
  keyMax: level('api_key_max_budget_metric', K, 'US dollars', 'Its amount.'),
  keyHours: level('api_key_budget_remaining_hours_metric', K, 'hours', 'Until its period ends.'),
  keyRequests: level(
    'remaining_api_key_requests_for_model',
    K,
    'requests',
    "What is left of a key's limit of requests a minute.",
  ),
  keyTokens: level('remaining_api_key_tokens_for_model', K, 'tokens', "What is left of a key's limit of tokens a minute."),
  cacheHits: counted('cache_hits_metric', ['model', ...K, ...T, 'model_id'], 'Answers from the cache.'),
  cacheMisses: counted('cache_misses_metric', ['model', ...K, ...T, 'model_id'], 'Requests that the cache had no answer for.'),
  inFlight: level('in_flight_requests', [], 'requests', 'Requests that are not over.'),
} as const satisfies MetricTable;

/** A budget in use, as this process last heard of it. */
export type BudgetStanding = {
  readonly tenant: string;
  /** `namespace/name`; empty for scope Tenant. */
  readonly key: string;
  readonly budget: string;
  /** US dollars. */
  readonly amount: number;
  readonly remaining: number;
  /** Seconds until its period ends. */
  readonly resetIn: number | undefined;
};

export type LitellmSources = {
  readonly tally: UsageTally;
  snapshot(): Pick<Snapshot, 'providers' | 'routes'>;
  keyNamed(name: string): Pick<KeyEntry, 'id' | 'name' | 'alias'> | undefined;
  budgets(): readonly BudgetStanding[];
  breakers(): Iterable<{ readonly provider: string; readonly model: string; readonly breaker: BreakerState }>;
  /** Breakers that opened. */
  opened(): Promise<Iterable<{ readonly provider: string; readonly model: string; readonly count: number }>>;
  inFlight(): number;
  /** Monotonic. */
  now(): number;
};

/** LiteLLM's names of providers. */
const apiProviders: Readonly<Record<ProviderType, string>> = {
  OpenAI: 'openai',
  Anthropic: 'anthropic',
  AzureOpenAI: 'azure',
  Gemini: 'gemini',
  Bedrock: 'bedrock',
  OpenAICompatible: 'openai_like',
  VLLM: 'hosted_vllm',
};

const paths = {
  'openai-chat': '/v1/chat/completions',
  'anthropic-messages': '/v1/messages',
  'openai-responses': '/v1/responses',
  'openai-completions': '/v1/completions',
  gemini: '/v1beta/models/{model}:generateContent',
  'bedrock-converse': '/model/{model}/converse',
  'openai-embeddings': '/v1/embeddings',
  'openai-moderations': '/v1/moderations',
  rerank: '/v1/rerank',
  'openai-api': '/v1/{path}',
} as const satisfies Record<Identity['dialect'], string>;

/** Names that LiteLLM has for what a cell is of, by the configuration in force. */
class Names {
  readonly #requested: ReadonlyMap<string, string>;
  readonly #snapshot: Pick<Snapshot, 'providers'>;

  constructor({ providers, routes }: Pick<Snapshot, 'providers' | 'routes'>) {
    this.#snapshot = { providers };
    this.#requested = new Map(routes.map(route => [route.id, requestedModel(route)]));
  }

  /** What clients ask for, as far as the configuration names it. */
  requested({ route, model }: Pick<Identity, 'route' | 'model'>): string {
    return this.#requested.get(route) ?? model;
  }

  /** Parallel to D. */
  deployment({ provider, model }: Pick<Identity, 'provider' | 'model'>): readonly string[] {
    const entry = this.#snapshot.providers[provider];
    const upstream = entry?.models.find(({ name }) => name === model)?.upstreamName ?? model;
    return [upstream, modelId({ provider, model }), entry ? apiProviders[entry.connection.type] : ''];
  }
}

/** The model that a route is for: its first exact name, else its own. */
export const requestedModel = ({ match, name }: Snapshot['routes'][number]): string =>
  match.find(({ model }) => model?.type === 'Exact')?.model?.value ?? name;

const modelId = ({ provider, model }: Pick<Identity, 'provider' | 'model'>): string => (provider ? `${provider}/${model}` : '');
const key = ({ keyId, key, keyAlias }: Identity): readonly string[] => (key === OTHERS ? ['', OTHERS] : [keyId, keyAlias]);
const team = ({ tenant }: Identity): readonly string[] => [tenant, tenant];

export function litellmDerived(from: LitellmSources): readonly Derived[] {
  const { tally } = from;
  const m = litellmMetrics;
  const sum = (
    spec: MetricSpec,
    count: (cell: UsageCell, add: (values: readonly string[], amount: number) => void, names: Names) => void,
    unit?: number,
  ): Derived => ({
    spec,
    samples() {
      const names = new Names(from.snapshot());
      return summed(tally, spec, (cell, add) => count(cell, add, names), unit).samples();
    },
  });
  const spreads = (
    spec: MetricSpec,
    part: Parameters<typeof spreadOut>[2],
    values: (of: Identity, names: Names) => readonly string[],
  ): Derived => ({
    spec,
    samples() {
      const names = new Names(from.snapshot());
      return spreadOut(tally, spec, part, of => values(of, names)).samples();
    },
  });
  const askedFor = (of: Identity, names: Names) => [...key(of), names.requested(of), ...team(of), modelId(of), paths[of.dialect]];
  const usedBy = (of: Identity, names: Names) => [...key(of), of.model, ...team(of), names.requested(of), modelId(of)];
  const timedFor = (of: Identity, names: Names) => [of.model, ...team(of), names.requested(of), modelId(of)];
  const fellBack = (of: Identity, names: Names) => [names.requested(of), of.model, ...key(of), ...team(of), modelId(of)];
  const cached = (of: Identity) => [of.model, ...key(of), ...team(of), modelId(of)];
  const deployed = (of: Identity, names: Names, ...more: readonly string[]) => [
    names.requested(of),
    ...names.deployment(of),
    ...more,
    ...key(of),
    ...team(of),
  ];
  return [
    sum(m.totalRequests, (cell, add, names) => {
      for (const [, status, count] of endedRequests(cell)) add([...askedFor(cell.of, names), String(status)], count);
    }),
    sum(m.failedRequests, (cell, add, names) => {
      for (const [failure, status, count] of endedRequests(cell))
        if (failure) add([...askedFor(cell.of, names), String(status), failure], count);
    }),
    sum(m.requests, ({ of, outcomes }, add, names) => add(usedBy(of, names), outcomes.get(undefined) ?? 0)),
    sum(m.spend, ({ of, cost }, add, names) => add(usedBy(of, names), cost), NANO),
    sum(m.inputTokens, (cell, add, names) => add(usedBy(cell.of, names), usedTokens(cell).input)),
    sum(m.outputTokens, (cell, add, names) => add(usedBy(cell.of, names), usedTokens(cell).output)),
    sum(m.totalTokens, (cell, add, names) => {
      const { input, output } = usedTokens(cell);
      add(usedBy(cell.of, names), input + output);
    }),
    spreads(m.apiLatency, s => s.attempt, timedFor),
    spreads(m.apiFirstToken, s => s.attemptFirstToken, timedFor),
    spreads(m.totalLatency, s => s.request, timedFor),
    spreads(
      m.overhead,
      s => s.overhead,
      (of, names) => {
        const [upstream = '', id = '', provider = ''] = names.deployment(of);
        return [names.requested(of), provider, upstream, id];
      },
    ),
    { spec: m.deploymentState, samples: () => states(from) },
    { spec: m.deploymentTpm, samples: () => limits(from, 'tpm') },
    { spec: m.deploymentRpm, samples: () => limits(from, 'rpm') },
    {
      spec: m.cooledDown,
      async samples() {
        const names = new Names(from.snapshot());
        return Array.from(await from.opened(), one => [names.deployment(one), one.count] as const);
      },
    },
    sum(m.deploymentRequests, ({ of, outcomes }, add, names) => {
      for (const count of outcomes.values()) add(deployed(of, names), count);
    }),
    sum(m.deploymentSuccess, ({ of, outcomes }, add, names) => add(deployed(of, names), outcomes.get(undefined) ?? 0)),
    sum(m.deploymentFailure, ({ of, outcomes }, add, names) => {
      for (const [failure, count] of outcomes) if (failure) add(deployed(of, names, failure), count);
    }),
    spreads(
      m.perOutputToken,
      s => s.perOutputToken,
      (of, names) => [...names.deployment(of), ...team(of)],
    ),
    sum(m.successfulFallbacks, ({ of, fellBackWell }, add, names) => add(fellBack(of, names), fellBackWell)),
    sum(m.failedFallbacks, ({ of, fellBackBadly }, add, names) => add(fellBack(of, names), fellBackBadly)),
    { spec: m.teamRemaining, samples: () => teamBudgets(from, ({ remaining }) => remaining) },
    { spec: m.teamMax, samples: () => teamBudgets(from, ({ amount }) => amount) },
    { spec: m.teamHours, samples: () => teamBudgets(from, hours) },
    { spec: m.keyRemaining, samples: () => keyBudgets(from, ({ remaining }) => remaining) },
    { spec: m.keyMax, samples: () => keyBudgets(from, ({ amount }) => amount) },
    { spec: m.keyHours, samples: () => keyBudgets(from, hours) },
    { spec: m.keyRequests, samples: () => remaining(from, 'requests') },
    { spec: m.keyTokens, samples: () => remaining(from, 'tokens') },
    sum(m.cacheHits, ({ of, cacheHits }, add) => add(cached(of), cacheHits)),
    sum(m.cacheMisses, ({ of, cacheMisses }, add) => add(cached(of), cacheMisses)),
    { spec: m.inFlight, samples: () => [[[], from.inFlight()]] },
  ];
}

const STATES = { closed: 0, 'half-open': 1, open: 2 } as const satisfies Record<BreakerState, number>;

function states({ snapshot, breakers }: LitellmSources): Sample[] {
  const names = new Names(snapshot());
  return Array.from(breakers(), one => [names.deployment(one), STATES[one.breaker]] as const);
}

function limits({ snapshot }: LitellmSources, kind: 'rpm' | 'tpm'): Sample[] {
  const current = snapshot();
  const names = new Names(current);
  return Object.values(current.providers).flatMap(({ id, limits, models }) => {
    const max = limits?.[kind];
    return max === undefined ? [] : models.map(({ name }) => [names.deployment({ provider: id, model: name }), max] as const);
  });
}

type Figure = (budget: BudgetStanding) => number | undefined;

const hours: Figure = ({ resetIn }) => (resetIn === undefined ? undefined : resetIn / 3600);

/** LiteLLM knows one budget of each: the one with the least left. */
function tightest(budgets: readonly BudgetStanding[], name: (budget: BudgetStanding) => string): readonly BudgetStanding[] {
  const groups = Map.groupBy(budgets, name).values();
  return Array.from(groups, group => group.reduce((least, one) => (one.remaining < least.remaining ? one : least)));
}

function teamBudgets({ budgets }: LitellmSources, figure: Figure): Sample[] {
  const ofTenants = budgets().filter(({ key }) => key === '');
  return tightest(ofTenants, ({ tenant }) => tenant).flatMap(budget => sampleOf([budget.tenant, budget.tenant], figure(budget)));
}

function keyBudgets({ budgets, keyNamed }: LitellmSources, figure: Figure): Sample[] {
  const ofKeys = budgets().filter(({ key }) => key !== '');
  return tightest(ofKeys, ({ key }) => key).flatMap(budget => {
    const entry = keyNamed(budget.key);
    return entry ? sampleOf([entry.id, entry.alias ?? entry.name], figure(budget)) : [];
  });
}

const sampleOf = (values: readonly string[], value: number | undefined): Sample[] =>
  value === undefined ? [] : [[values, value]];

const remaining = ({ tally, now }: LitellmSources, wanted: 'requests' | 'tokens'): Sample[] =>
  [...keyLimits(tally, now())].flatMap(({ of, kind, remaining }) => (kind === wanted ? [[key(of), remaining] as const] : []));
