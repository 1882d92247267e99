// Every metric of the data plane, declared once: docs/metrics.md, the registry and the text that Prometheus reads come from here.
import type { MetricSpec, MetricTable } from '#platform/metrics.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const OVERHEAD_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * What bounds the values of each label. None takes a value that a client or an upstream chose: what clients ask for, and what upstreams
 * call it, has no bound.
 */
export const labelBounds: Readonly<Record<string, string>> = {
  backend: 'backends of the LLMRoutes',
  bound: '`estimate`, `low` and `high`',
  budget: 'budgets of the TenantKeys',
  dialect: 'dialects of clients',
  endpoint: 'endpoints of self-hosted engines',
  guard: 'guards of the cache (core/cache)',
  hook: 'hooks of the LLMRoutes',
  key: 'the first 1,000 combinations of key, route, model and dialect that a process sees; keys after that are `other`',
  kind: 'a fixed list',
  mode: 'fail modes',
  model: "public names of the LLMProviders' models",
  outcome: '`ok` and the failure classes of docs/errors.md, or a fixed list',
  provider: 'LLMProviders',
  reason: 'a fixed list',
  route: 'LLMRoutes, and `none`',
  state: 'states of an engine',
  status: 'HTTP statuses the gateway answers with',
  tenant: 'the first 2,000 such combinations; tenants after that are `other`',
  tier: 'tiers of the cache',
  to: 'states of a breaker',
  verdict: 'verdicts of a cascade (docs/resources.md)',
};

const count = <const L extends readonly string[]>(name: string, unit: string, labels: L, help: string) =>
  ({ name, type: 'counter', unit, labels, help }) as const;
const level = <const L extends readonly string[]>(name: string, unit: string, labels: L, help: string, bound?: string) =>
  ({ name, type: 'gauge', unit, labels, help, ...(bound !== undefined && { bound }) }) as const;
const spread = <const L extends readonly string[]>(name: string, labels: L, help: string, buckets: readonly number[] = SECONDS) =>
  ({ name, type: 'histogram', unit: 'seconds', labels, help, buckets }) as const;

const BUDGETS = 'the 10,000 budgets used last';

/** Made by observe.ts out of the counts in metrics-usage.ts. */
export const usageMetrics = {
  requests: count(
    'tollgate_requests_total',
    'requests',
    ['route', 'dialect', 'status'],
    'Requests of clients, by route and status.',
  ),
  duration: spread(
    'tollgate_request_duration_seconds',
    ['route', 'dialect'],
    'From the arrival of a request to the end of its answer.',
  ),
  firstToken: spread(
    'tollgate_first_token_seconds',
    ['route', 'dialect'],
    'From the arrival of a streamed request to its first content token.',
  ),
  overhead: spread(
    'tollgate_overhead_seconds',
    ['route', 'dialect'],
    'Time of a request that was not spent on waiting for upstreams: the gateway itself, places at providers, backoff.',
    OVERHEAD_SECONDS,
  ),
  attempts: count(
    'tollgate_attempts_total',
    'attempts',
    ['provider', 'model', 'outcome'],
    'Attempts at upstreams, by what came of them (`ok` or a failure class).',
  ),
  attemptDuration: spread(
    'tollgate_attempt_duration_seconds',
    ['provider', 'model'],
    'From the start of an attempt that went well to the end of its answer.',
  ),
  fallbacks: count(
    'tollgate_fallback_attempts_total',
    'attempts',
    ['route', 'provider'],
    'Attempts at a backend other than the first.',
  ),
  tokens: count('tollgate_tokens_total', 'tokens', ['provider', 'model', 'kind'], 'Tokens, by the class they are priced in.'),
  cost: count('tollgate_cost_usd_total', 'US dollars', ['provider', 'model'], 'What the attempts cost, in US dollars.'),
  fallbackCost: count(
    'tollgate_fallback_cost_usd_total',
    'US dollars',
    ['route'],
    'The part of it that attempts at a backend other than the first cost.',
  ),
  unpriced: count(
    'tollgate_unpriced_attempts_total',
    'attempts',
    ['provider', 'model'],
    'Attempts with usage whose model has no known price, or with calls of tools that have none.',
  ),
  truncated: count(
    'tollgate_streams_truncated_total',
    'streams',
    ['provider', 'model'],
    'Streams that died after their first token.',
  ),
  cacheSaved: count(
    'tollgate_cache_saved_usd_total',
    'US dollars',
    ['route'],
    'What the answers of the cache cost when they were made, in US dollars.',
  ),
  tenantRequests: count(
    'tollgate_tenant_requests_total',
    'requests',
    ['tenant', 'model', 'status'],
    'Requests of a tenant, by the model that answered or was tried last.',
  ),
  tenantTokens: count(
    'tollgate_tenant_tokens_total',
    'tokens',
    ['tenant', 'model', 'kind'],
    'Tokens of a tenant: `input` (cached or not) and `output`.',
  ),
  tenantCost: count('tollgate_tenant_cost_usd_total', 'US dollars', ['tenant', 'model'], 'What the attempts of a tenant cost.'),
  keyRequests: count('tollgate_key_requests_total', 'requests', ['tenant', 'key', 'status'], 'Requests of a key.'),
  keyCost: count('tollgate_key_cost_usd_total', 'US dollars', ['tenant', 'key'], 'What the attempts of a key cost.'),
  limitRemaining: level(
    'tollgate_key_limit_remaining',
    'requests or tokens',
    ['tenant', 'key', 'kind'],
    "What its last request left of a key's tightest limit of `requests` or `tokens` in 60 s; all of it after a minute without requests.",
  ),
  limitMax: level('tollgate_key_limit', 'requests or tokens', ['tenant', 'key', 'kind'], 'That limit.'),
} as const satisfies MetricTable;

/** Counted as they happen, which is not with every request. */
export const countedMetrics = {
  cascades: count(
    'tollgate_cascade_answers_total',
    'answers',
    ['route', 'backend', 'verdict'],
    'Answers of the backends of cascades: `accepted`, what they fell short of, or why there was none.',
  ),
  fallbackReasons: count(
    'tollgate_fallbacks_total',
    'decisions',
    ['route', 'reason'],
    'Decisions to go on at another backend, by the trigger of `fallback.on` that led there.',
  ),
  hedges: count(
    'tollgate_hedges_total',
    'attempts',
    ['route', 'outcome'],
    'Second attempts beside a slow one: `won`, `lost` (the first answered after all) or `failed`.',
  ),
  continued: count(
    'tollgate_streams_continued_total',
    'attempts',
    ['route', 'outcome'],
    'Attempts to go on with a stream that broke off: `won` or `failed`.',
  ),
  cache: count(
    'tollgate_cache_requests_total',
    'requests',
    ['route', 'outcome', 'tier'],
    'Requests of routes with a cache: `hit`, `miss`, `stale`, `bypass`, or `shadow` (would have hit), and by what: `exact`, `alias` (words that a judge found to be the same) or `semantic`.',
  ),
  cacheBypasses: count(
    'tollgate_cache_bypasses_total',
    'requests',
    ['route', 'reason'],
    'Requests that had nothing to do with the cache of their route, by why not.',
  ),
  cacheRefusals: count(
    'tollgate_cache_refusals_total',
    'answers',
    ['route', 'guard'],
    'Similar questions whose answers were not given, by the guard that refused them.',
  ),
  cacheWaits: count(
    'tollgate_cache_waits_total',
    'requests',
    ['route'],
    'Requests that waited for another one that asked the same.',
  ),
  cacheLookup: spread(
    'tollgate_cache_lookup_seconds',
    ['outcome'],
    'Time of a request at the cache, without waits for other requests.',
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
  ),
  cacheSamples: count(
    'tollgate_cache_samples_total',
    'hits',
    ['route', 'outcome'],
    'Hits that were also asked upstream: the answers `agreed`, `differed`, or there was none (`failed`).',
  ),
  cacheFalseHits: level(
    'tollgate_cache_false_hit_share',
    '0..1',
    ['route', 'bound'],
    'Estimated share of hits that were wrong, under the strictness in force: the estimate, and the bounds at 95 %.',
  ),
  cacheTightened: count(
    'tollgate_cache_tightened_total',
    'changes',
    ['route'],
    'How often the match of a route was made stricter, as its false hits were beyond its budget.',
  ),
  cacheJudgements: count(
    'tollgate_cache_judgements_total',
    'near misses',
    ['route', 'outcome'],
    'Near misses for the judge: `approved`, `refused`, `failed`, or `skipped` (beyond its bounds, or speaking to it).',
  ),
  hooks: count(
    'tollgate_hook_calls_total',
    'calls',
    ['route', 'hook', 'outcome'],
    'What hooks said: `allow`, `deny`, `replace`; or why they said nothing: `timeout`, `unreachable`, `refused` (another status than 200), `bad_verdict`, `too_large`, `unusable` (its address or its secret); `dropped`: one that observes, and too many were being told.',
  ),
  hookSeconds: spread('tollgate_hook_seconds', ['route', 'hook'], 'How long a hook took.', OVERHEAD_SECONDS),
  breakerTransitions: count(
    'tollgate_breaker_transitions_total',
    'changes',
    ['provider', 'model', 'to'],
    'Changes of breakers, as this process saw them; model `*` is all of a provider (its account or credential was refused).',
  ),
  retriesDenied: count(
    'tollgate_retries_denied_total',
    'retries',
    ['provider'],
    'Retries at the same provider that were beyond `retries.budgetPercent`.',
  ),
  failModes: count(
    'tollgate_fail_mode_requests_total',
    'requests',
    ['mode', 'outcome'],
    'Requests that the fail mode of their key decided, as the counters could not be asked.',
  ),
  rebuilds: spread('tollgate_counters_rebuild_seconds', [], 'Time to make the sums of a tenant anew from the ledger.'),
  exceeded: count('tollgate_reservations_exceeded_total', 'requests', [], 'Requests that cost more than was reserved for them.'),
  alerts: count('tollgate_alerts_total', 'warnings', ['kind'], 'Warnings, each event once, by kind.'),
  alertWebhook: count(
    'tollgate_alert_webhook_total',
    'warnings',
    ['outcome'],
    'Warnings for the webhook, by what came of them (`delivered`, `failed`, `dropped`).',
  ),
} as const satisfies MetricTable;

/** Read when somebody asks. */
export const stateMetrics = {
  inFlight: level('tollgate_inflight_requests', 'requests', [], 'Requests that are not settled yet, their streams included.'),
  generation: level(
    'tollgate_config_generation',
    'generation',
    [],
    'Generation of the configuration in force; from a folder: how many were taken up.',
  ),
  loadedAt: level(
    'tollgate_config_last_load_success_timestamp_seconds',
    'seconds since 1970',
    [],
    'When the configuration in force was taken up.',
  ),
  unsound: level('tollgate_config_unsound_objects', 'objects', [], 'Objects of the configuration that need mending.'),
  spoolRows: level(
    'tollgate_spool_rows_waiting',
    'rows',
    [],
    'Rows of the cost log that the ledger does not have yet: its backlog.',
  ),
  spoolOldest: level('tollgate_spool_oldest_seconds', 'seconds', [], 'How long the oldest of them waits.'),
  spoolFill: level('tollgate_spool_fill_ratio', '0..1', [], 'How full the spool is; at 1 requests are refused.'),
  ledgerWritten: level('tollgate_ledger_rows_written', 'rows', [], 'Rows that this process has brought to the ledger.'),
  ledgerRejected: level('tollgate_ledger_rows_rejected', 'rows', [], 'Rows that the ledger refused, kept in rejected.jsonl.'),
  ledgerRecovered: level('tollgate_ledger_rows_recovered', 'rows', [], 'Rows of dead processes settled at their reservation.'),
  ledgerUp: level('tollgate_ledger_up', '0 or 1', [], '1: the ledger took what it was last given.'),
  settlementsWaiting: level(
    'tollgate_settlements_waiting',
    'settlements',
    [],
    'Settlements that the counters have not taken yet.',
  ),
  readyPods: level('tollgate_ready_pods', 'processes', [], 'Data-plane processes that share the counters.'),
  redisUp: level('tollgate_redis_up', '0 or 1', [], '1: Redis answers. Absent where the counters are in memory.'),
  budgetUsed: level(
    'tollgate_budget_used_ratio',
    '0..1',
    ['tenant', 'key', 'budget'],
    'Settled and reserved spend of a budget in its period, as a part of its amount.',
    BUDGETS,
  ),
  budgetRemaining: level(
    'tollgate_budget_remaining_usd',
    'US dollars',
    ['tenant', 'key', 'budget'],
    'What is left of a budget, reservations taken off; less than 0 where it was overspent.',
    BUDGETS,
  ),
  budgetLimit: level('tollgate_budget_limit_usd', 'US dollars', ['tenant', 'key', 'budget'], 'Its amount.', BUDGETS),
  budgetReset: level(
    'tollgate_budget_reset_seconds',
    'seconds',
    ['tenant', 'key', 'budget'],
    'Until its period ends; absent for period Total.',
    BUDGETS,
  ),
  breakerState: level(
    'tollgate_breaker_state',
    '0, 1 or 2',
    ['provider', 'model'],
    'What is sent to a model at a provider: 0 all (closed), 1 a few that try whether it works again (half-open), 2 nothing (open).',
  ),
  engineLoad: level(
    'tollgate_engine_load',
    '1 is saturation',
    ['provider', 'endpoint'],
    'Load of an endpoint, by which attempts are balanced: 1 is saturation.',
  ),
  engineWaiting: level(
    'tollgate_engine_waiting',
    'requests',
    ['provider', 'endpoint'],
    'Requests that wait at an endpoint, as it last said.',
  ),
  engineKv: level(
    'tollgate_engine_kv_usage',
    '0..1',
    ['provider', 'endpoint'],
    'Share of the KV cache in use, of its fullest engine.',
  ),
  engineState: level(
    'tollgate_engine_state',
    '1',
    ['provider', 'endpoint', 'state'],
    '1 for the state that an endpoint is in.',
    'endpoints',
  ),
  engineScrape: spread(
    'tollgate_engine_scrape_seconds',
    ['provider'],
    'Time to read the metrics of an engine.',
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  ),
  engineScrapeErrors: count(
    'tollgate_engine_scrape_errors_total',
    'looks',
    ['provider', 'reason'],
    'Looks at the metrics of an engine that brought none: `missed` (too late or broken off), `refused`, `unreadable`.',
  ),
} as const satisfies MetricTable;

/** Those of prom-client for Node itself that follow the naming rules of Prometheus: event-loop delay, heap, garbage collection, CPU. */
export const runtimePrefixes: readonly string[] = ['process_', 'nodejs_'];
/** Gauges that have the name of a counter; the same figures are there under names without `_total`. */
export const misnamedRuntimeMetrics: readonly string[] = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

export const ownMetrics: readonly MetricSpec[] = [
  ...Object.values(usageMetrics),
  ...Object.values(countedMetrics),
  ...Object.values(stateMetrics),
];
