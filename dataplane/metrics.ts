// The metrics of the data plane, each declared once.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    requests: new Counter({
      name: 'tollgate_requests_total',
      help: 'Requests of clients, by route and status.',
      labelNames: ['route', 'dialect', 'status'],
      registers,
    }),
    duration: new Histogram({
      name: 'tollgate_request_duration_seconds',
      help: 'From the arrival of a request to the end of its answer.',
      labelNames: ['route', 'dialect'],
      buckets: SECONDS,
      registers,
    }),
    firstToken: new Histogram({
      name: 'tollgate_first_token_seconds',
      help: 'From the arrival of a streamed request to its first content token.',
      labelNames: ['route', 'dialect'],
      buckets: SECONDS,
      registers,
    }),
    attempts: new Counter({
      name: 'tollgate_attempts_total',
      help: 'Attempts at upstreams, by what came of them (`ok` or a failure class).',
      labelNames: ['provider', 'model', 'outcome'],
      registers,
    }),
    fallbacks: new Counter({
      name: 'tollgate_fallback_attempts_total',
      help: 'Attempts at a backend other than the first.',
      labelNames: ['route', 'provider'],
      registers,
    }),
    cascades: new Counter({
      name: 'tollgate_cascade_answers_total',
      help: 'Answers of the backends of cascades: `accepted`, what they fell short of, or why there was none.',
      labelNames: ['route', 'backend', 'verdict'],
      registers,
    }),
    fallbackReasons: new Counter({
      name: 'tollgate_fallbacks_total',
      help: 'Decisions to go on at another backend, by the trigger of `fallback.on` that led there.',
      labelNames: ['route', 'reason'],
      registers,
    }),
    hedges: new Counter({
      name: 'tollgate_hedges_total',
      help: 'Second attempts beside a slow one: `won`, `lost` (the first answered after all) or `failed`.',
      labelNames: ['route', 'outcome'],
      registers,
    }),
    continued: new Counter({
      name: 'tollgate_streams_continued_total',
      help: 'Attempts to go on with a stream that broke off: `won` or `failed`.',
      labelNames: ['route', 'outcome'],
      registers,
    }),
    tokens: new Counter({
      name: 'tollgate_tokens_total',
      help: 'Tokens, by the class they are priced in.',
      labelNames: ['provider', 'model', 'kind'],
      registers,
    }),
    cost: new Counter({
      name: 'tollgate_cost_usd_total',
      help: 'What the attempts cost, in US dollars.',
      labelNames: ['provider', 'model'],
      registers,
    }),
    unpriced: new Counter({
      name: 'tollgate_unpriced_attempts_total',
      help: 'Attempts with usage whose model has no known price.',
      labelNames: ['provider', 'model'],
      registers,
    }),
    truncated: new Counter({
      name: 'tollgate_streams_truncated_total',
      help: 'Streams that died after their first token.',
      labelNames: ['provider', 'model'],
      registers,
    }),
    cache: new Counter({
      name: 'tollgate_cache_requests_total',
      help: 'Requests of routes with a cache: `hit`, `miss`, `stale`, `bypass`, or `shadow` (would have hit), and by what: `exact`, `alias` (words that a judge found to be the same) or `semantic`.',
      labelNames: ['route', 'outcome', 'tier'],
      registers,
    }),
    cacheBypasses: new Counter({
      name: 'tollgate_cache_bypasses_total',
      help: 'Requests that had nothing to do with the cache of their route, by why not.',
      labelNames: ['route', 'reason'],
      registers,
    }),
    cacheRefusals: new Counter({
      name: 'tollgate_cache_refusals_total',
      help: 'Similar questions whose answers were not given, by the guard that refused them.',
      labelNames: ['route', 'guard'],
      registers,
    }),
    cacheWaits: new Counter({
      name: 'tollgate_cache_waits_total',
      help: 'Requests that waited for another one that asked the same.',
      labelNames: ['route'],
      registers,
    }),
    cacheLookup: new Histogram({
      name: 'tollgate_cache_lookup_seconds',
      help: 'Time of a request at the cache, without waits for other requests.',
      labelNames: ['outcome'],
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
      registers,
    }),
    cacheSamples: new Counter({
      name: 'tollgate_cache_samples_total',
      help: 'Hits that were also asked upstream: the answers `agreed`, `differed`, or there was none (`failed`).',
      labelNames: ['route', 'outcome'],
      registers,
    }),
    cacheFalseHits: new Gauge({
      name: 'tollgate_cache_false_hit_share',
      help: 'Estimated share of hits that were wrong, under the strictness in force: the estimate, and the bounds at 95 %.',
      labelNames: ['route', 'bound'],
      registers,
    }),
    cacheTightened: new Counter({
      name: 'tollgate_cache_tightened_total',
      help: 'How often the match of a route was made stricter, as its false hits were beyond its budget.',
      labelNames: ['route'],
      registers,
    }),
    cacheJudgements: new Counter({
      name: 'tollgate_cache_judgements_total',
      help: 'Near misses for the judge: `approved`, `refused`, `failed`, or `skipped` (beyond its bounds, or speaking to it).',
      labelNames: ['route', 'outcome'],
      registers,
    }),
    cacheSaved: new Counter({
      name: 'tollgate_cache_saved_usd_total',
      help: 'What the answers of the cache cost when they were made, in US dollars.',
      labelNames: ['route'],
      registers,
    }),
    breakerTransitions: new Counter({
      name: 'tollgate_breaker_transitions_total',
      help: 'Changes of breakers, as this process saw them; model `*` is all of a provider (its account or credential was refused).',
      labelNames: ['provider', 'model', 'to'],
      registers,
    }),
    retriesDenied: new Counter({
      name: 'tollgate_retries_denied_total',
      help: 'Retries at the same provider that were beyond `retries.budgetPercent`.',
      labelNames: ['provider'],
      registers,
    }),
    failModes: new Counter({
      name: 'tollgate_fail_mode_requests_total',
      help: 'Requests that the fail mode of their key decided, as the counters could not be asked.',
      labelNames: ['mode', 'outcome'],
      registers,
    }),
    rebuilds: new Histogram({
      name: 'tollgate_counters_rebuild_seconds',
      help: 'Time to make the sums of a tenant anew from the ledger.',
      buckets: SECONDS,
      registers,
    }),
    exceeded: new Counter({
      name: 'tollgate_reservations_exceeded_total',
      help: 'Requests that cost more than was reserved for them.',
      registers,
    }),
    alerts: new Counter({
      name: 'tollgate_alerts_total',
      help: 'Warnings, each event once, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    alertWebhook: new Counter({
      name: 'tollgate_alert_webhook_total',
      help: 'Warnings for the webhook, by what came of them (`delivered`, `failed`, `dropped`).',
      labelNames: ['outcome'],
      registers,
    }),
    generation: new Gauge({
      name: 'tollgate_config_generation',
      help: 'Counts the configurations this process has taken up.',
      registers,
    }),
    unsound: new Gauge({
      name: 'tollgate_config_unsound_objects',
      help: 'Objects of the configuration that need mending.',
      registers,
    }),
  } as const;
}
