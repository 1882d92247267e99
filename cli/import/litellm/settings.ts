// `router_settings`, `litellm_settings` and `general_settings`: what applies to every deployment and every group of models.
import type { Section } from '../findings.ts';
import type { Credential } from '../manifests.ts';

/** By the group that fails: the groups to go to, in order. */
export type Fallbacks = ReadonlyMap<string, readonly string[]>;

export type Settings = {
  readonly strategy: string;
  readonly latency: { readonly window?: string; readonly tolerance?: string } | undefined;
  /** More attempts on one backend; undefined: our default. */
  readonly retries: number | undefined;
  readonly backoffSeconds: number | undefined;
  readonly timeoutSeconds: number | undefined;
  readonly streamTimeoutSeconds: number | undefined;
  readonly cooldownSeconds: number | undefined;
  readonly allowedFails: number | undefined;
  readonly maxConcurrency: number | undefined;
  readonly dropParams: boolean | undefined;
  readonly fallbacks: Fallbacks;
  readonly contextWindowFallbacks: Fallbacks;
  readonly contentPolicyFallbacks: Fallbacks;
  /** For groups that have none of their own. */
  readonly defaultFallbacks: readonly string[];
  readonly aliases: ReadonlyMap<string, string>;
  readonly cache: CacheSettings | undefined;
  readonly budget: { readonly amount: number; readonly duration: string | undefined; readonly at: Section } | undefined;
  readonly teams: readonly Section[];
  readonly masterKey: Credential | undefined;
};

export type CacheSettings = {
  readonly semantic: boolean;
  readonly ttlSeconds: number | undefined;
  readonly similarity: number | undefined;
  /** A group of `model_list` that makes embeddings. */
  readonly embeddingModel: string | undefined;
  readonly at: Section;
};

export function readSettings(root: Section): Settings {
  const router = root.section('router_settings');
  const litellm = root.section('litellm_settings');
  const general = root.section('general_settings');
  // Where both say it, the router's wins, as LiteLLM has it.
  const number = (name: string, max: number) => router.number(name, max) ?? litellm.number(name, max);
  const fallbacks = (name: string) => {
    const [own, other] = [fallbacksOf(router, name), fallbacksOf(litellm, name)];
    return own.size > 0 ? own : other;
  };
  const defaults = [...router.texts('default_fallbacks'), ...litellm.texts('default_fallbacks')];
  const settings = {
    ...strategyOf(router),
    retries: number('num_retries', most.retries),
    backoffSeconds: number('retry_after', most.seconds),
    timeoutSeconds: router.number('timeout', most.seconds) ?? litellm.number('request_timeout', most.seconds),
    streamTimeoutSeconds: router.number('stream_timeout', most.seconds),
    cooldownSeconds: number('cooldown_time', most.seconds),
    allowedFails: number('allowed_fails', most.failures),
    maxConcurrency:
      router.number('default_max_parallel_requests', most.rate) ?? general.number('max_parallel_requests', most.rate),
    dropParams: litellm.flag('drop_params'),
    fallbacks: fallbacks('fallbacks'),
    contextWindowFallbacks: fallbacks('context_window_fallbacks'),
    contentPolicyFallbacks: fallbacks('content_policy_fallbacks'),
    defaultFallbacks: defaults,
    aliases: aliasesOf(router),
    cache: cacheOf(litellm),
    budget: budgetOf(litellm),
    teams: litellm.sections('default_team_settings'),
    masterKey: masterKeyOf(general),
  };
  tellOfStores(router, general);
  tellOfObservers(litellm, general);
  tellOfTheRest(router, litellm, general);
  return settings;
}

/** `os.environ/NAME` is a variable, anything else a text that stands there; undefined for a name that no Secret of ours can take. */
export function credentialOf(text: string): Credential | undefined {
  if (!text.startsWith(VARIABLE)) return { literal: text };
  const variable = text.slice(VARIABLE.length);
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(variable) ? { variable } : undefined;
}
const VARIABLE = 'os.environ/';

function masterKeyOf(general: Section): Credential | undefined {
  const text = general.text('master_key');
  const credential = text === undefined ? undefined : credentialOf(text);
  if (text !== undefined && !credential)
    general.say('master_key', `left out: ${text} is no variable that a Secret can take a value from`);
  return credential;
}

// ---------------------------------------------------------------- routing

const strategies: Readonly<Record<string, string>> = {
  __proto__: null as never,
  'simple-shuffle': 'Weighted',
  'least-busy': 'LeastBusy',
  'usage-based-routing': 'LeastUsage',
  'usage-based-routing-v2': 'LeastUsage',
  'latency-based-routing': 'LowestLatency',
  'cost-based-routing': 'LowestCost',
};

function strategyOf(router: Section): Pick<Settings, 'strategy' | 'latency'> {
  const name = router.text('routing_strategy') ?? 'simple-shuffle';
  const strategy = strategies[name];
  if (strategy === undefined) router.say('routing_strategy', `Tollgate has no strategy like ${name}: Weighted is used`);
  const options = router.section('routing_strategy_args');
  if (strategy !== 'LowestLatency') {
    options.tellRest('not carried over: the strategy has no such setting in Tollgate');
    return { strategy: strategy ?? 'Weighted', latency: undefined };
  }
  const ttl = options.number('ttl', most.seconds);
  const buffer = options.number('lowest_latency_buffer', 1);
  options.tellRest('not carried over: the strategy has no such setting in Tollgate');
  const latency = {
    ...(ttl && { window: seconds(ttl) }),
    ...(buffer !== undefined && { tolerance: decimal(buffer) }),
  };
  return { strategy, latency: Object.keys(latency).length > 0 ? latency : undefined };
}

/** A list of mappings with one entry each: `[{"a": ["b", "c"]}]`. */
function fallbacksOf(section: Section, name: string): Fallbacks {
  const found = new Map<string, readonly string[]>();
  for (const entry of section.sections(name))
    for (const group of entry.names()) {
      const groups = entry.texts(group);
      if (groups.length < entry.list(group).length)
        entry.say(group, 'a fallback with messages or parameters of its own is not carried over: only names of models are');
      found.set(group, groups);
    }
  return found;
}

function aliasesOf(router: Section): ReadonlyMap<string, string> {
  const section = router.section('model_group_alias');
  return new Map(
    section.names().flatMap(alias => {
      const value = section.raw(alias);
      if (typeof value === 'string') return [[alias, value] as const];
      const item = section.section(alias);
      if (item.flag('hidden')) item.say('hidden', 'not carried over: /v1/models lists every model that a key may ask for');
      const model = item.text('model');
      return model === undefined ? [] : [[alias, model] as const];
    }),
  );
}

// ---------------------------------------------------------------- cache and budget

function cacheOf(litellm: Section): CacheSettings | undefined {
  const isOn = litellm.flag('cache') === true;
  const params = litellm.section('cache_params');
  if (!isOn) {
    params.ignore(...params.names());
    return undefined;
  }
  const type = params.text('type') ?? 'local';
  const callTypes = params.texts('supported_call_types');
  const semantic = type.endsWith('-semantic');
  const found: CacheSettings = {
    semantic,
    ttlSeconds: ['ttl', 'default_in_redis_ttl', 'default_in_memory_ttl']
      .map(name => params.number(name, 100 * most.seconds))
      .find(Boolean),
    similarity: params.number('similarity_threshold', 1),
    embeddingModel: params.text(`${type.replace('-semantic', '')}_semantic_cache_embedding_model`),
    at: params,
  };
  const isOptIn = params.text('mode') === 'default_off';
  if (isOptIn)
    params.say(
      'mode',
      'Tollgate has no cache that requests ask for: the cache stays off; set spec.cache of the routes that are to have one',
    );
  const isForChat = callTypes.length === 0 || callTypes.some(one => one.endsWith('completion'));
  if (!isForChat) params.say('supported_call_types', 'Tollgate caches answers of chat models only: the cache stays off');
  if (!type.startsWith('redis') && type !== 'local')
    params.say('type', `Tollgate keeps its cache in Redis (REDIS_URL) or in memory, not in ${type.replace('-semantic', '')}`);
  params.tell(
    'set REDIS_URL for the gateway instead',
    'host',
    'port',
    'password',
    'url',
    'redis_url',
    'redis_startup_nodes',
    'sentinel_nodes',
    'service_name',
    'ssl',
  );
  params.tellRest('not carried over: a setting of the store, not of the cache');
  return isOptIn || !isForChat ? undefined : found;
}

function budgetOf(litellm: Section): Settings['budget'] {
  const amount = litellm.number('max_budget', most.dollars);
  const duration = litellm.text('budget_duration');
  return amount === undefined ? undefined : { amount, duration, at: litellm };
}

// ---------------------------------------------------------------- what is set elsewhere

function tellOfStores(router: Section, general: Section): void {
  router.tell('set REDIS_URL for the gateway instead', 'redis_host', 'redis_port', 'redis_password', 'redis_url', 'redis_db');
  general.tell(
    "set DATABASE_URL for the gateway instead; give it a database of its own, LiteLLM's tables are not read",
    'database_url',
  );
  general.tell('set LEDGER_RETENTION_DAYS for the gateway instead', 'maximum_spend_logs_retention_period');
  general.tell(
    'what LiteLLM keeps in its database is not in this file: add those models to it, or write them as manifests',
    'store_model_in_db',
  );
}

const observers: Readonly<Record<string, string>> = {
  __proto__: null as never,
  prometheus: "nothing to do: /metrics has LiteLLM's names beside our own",
  otel: 'set OTEL_EXPORTER_OTLP_ENDPOINT for the gateway instead (docs/telemetry.md)',
  langfuse: "set OTEL_EXPORTER_OTLP_ENDPOINT to Langfuse's instead (docs/telemetry.md)",
  langfuse_otel: "set OTEL_EXPORTER_OTLP_ENDPOINT to Langfuse's instead (docs/telemetry.md)",
  sentry: 'set SENTRY_DSN for the gateway instead',
};

function tellOfObservers(litellm: Section, general: Section): void {
  for (const field of ['success_callback', 'failure_callback', 'callbacks', 'service_callbacks'])
    for (const name of new Set(litellm.texts(field)))
      litellm.say(field, `${name}: ${observers[name] ?? 'not carried over: Tollgate has no such callback'}`);
  general.tell('set ALERT_WEBHOOK_URL for the gateway instead', 'alerting', 'alert_to_webhook_url');
  litellm.tell('set LOG_LEVEL for the gateway instead', 'set_verbose');
}

/** Already so, or of no effect on what clients get. */
const settled = {
  router: ['enable_pre_call_checks', 'ignore_invalid_deployments', 'set_verbose', 'debug_level', 'client_ttl'],
  litellm: ['json_logs', 'turn_off_message_logging', 'redact_user_api_key_info', 'telemetry', 'suppress_debug_info'],
  general: [
    'background_health_checks',
    'health_check_interval',
    'health_check_details',
    'disable_prisma_schema_update',
    'proxy_batch_write_at',
    'database_connection_pool_limit',
    'database_connection_timeout',
    'user_api_key_cache_ttl',
  ],
};

function tellOfTheRest(router: Section, litellm: Section, general: Section): void {
  router.ignore(...settled.router);
  litellm.ignore(...settled.litellm);
  general.ignore(...settled.general);
  for (const section of [router, litellm, general]) section.tellRest();
}

// ---------------------------------------------------------------- values

/** What our manifests take at most, where LiteLLM's file may say more. */
export const most = {
  seconds: 86_400,
  retries: 10,
  failures: 999,
  dollars: 9_000_000,
  rate: 1_000_000_000_000,
  tokens: 1_000_000_000,
  weight: 1_000_000,
} as const;

/** Up to milliseconds, as our durations are written. */
export const seconds = (value: number): string =>
  Number.isInteger(value) ? `${value}s` : `${Math.max(1, Math.round(value * 1000))}ms`;

/** A decimal string of at most six decimals. */
export const decimal = (value: number): string => value.toFixed(6).replace(/\.?0+$/, '');
