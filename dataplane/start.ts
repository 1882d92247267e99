// Builds a data plane from its parts: ports, pages, listeners. The caller chooses where the configuration comes from.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Calendar } from '#core/accounting/periods.ts';
import { HedgeShares } from '#core/attempt/hedge-share.ts';
import { isForbiddenAddress, type UpstreamPolicy } from '#core/compile/index.ts';
import type { Locality } from '#core/plan/context.ts';
import { Sessions } from '#core/plan/sessions.ts';
import { systemClock, uuidV7Source } from '#platform/clock.ts';
import { CloudIdentity } from '#platform/cloud-identity.ts';
import { sha256 } from '#platform/digest.ts';
import { addressCheck, createHttpClient, type HttpClient } from '#platform/http-client.ts';
import { schemaCheck } from '#platform/json-schema.ts';
import type { Log } from '#platform/log.ts';
import { tokenEstimator } from '#platform/token-estimate.ts';
import { dial } from '#platform/websocket.ts';
import { adminApp, isAdminPath } from './admin/admin-app.ts';
import { auditLog } from './admin/audit.ts';
import { backendsHealthPage } from './admin/backends-health.ts';
import { isKeyChange, keyForwarder } from './admin/forward.ts';
import { configzPage, livenessPage, readinessPage } from './admin/health.ts';
import { modelInfoPage, modelsPage } from './admin/models.ts';
import { surroundingsPage } from './admin/surroundings.ts';
import { createAlerts } from './alerts/alerts.ts';
import { firstInRedis } from './alerts/first.ts';
import { Webhook } from './alerts/webhook.ts';
import { presentedKey } from './authenticate.ts';
import { type Caching, caching } from './cache/caching.ts';
import { providerEmbedders } from './cache/embedders/provider.ts';
import type { EmbedderAt } from './cache/meaning.ts';
import type { CacheStore } from './cache/store.ts';
import { NearestTasks } from './cache/tasks.ts';
import type { LiveKey } from './config/live.ts';
import { Decisions, decisionsPage } from './decisions.ts';
import { EngineWatch } from './engines/engines.ts';
import { registerEngineMetrics, scrapeMetrics } from './engines/metrics.ts';
import { openBackendHealth } from './health/backend-health.ts';
import { ObserverPlaces } from './hooks/observer-places.ts';
import { type Handler, type Listener, listen } from './http/listener.ts';
import { type Page, pageHandler, publicRouter, type RouterOptions } from './http/router.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { registerServing } from './metrics-serving.ts';
import { allOf, noteSample, observer } from './observe.ts';
import { ownKey } from './own-requests.ts';
import type { Alerts, KeyStore, Ports, ServedConfig } from './ports.ts';
import { Realtime } from './realtime/realtime.ts';
import { RefusedCredentials } from './refused-credentials.ts';
import { serve } from './serve.ts';
import { BudgetLevels, storeEvents } from './store-events.ts';
import { registerStoreMetrics } from './store-metrics.ts';
import { serveStored } from './stored.ts';
import { openStores, type StoreSettings, type Stores } from './stores.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

export type DataPlaneOptions = StoreSettings &
  TelemetrySettings & {
    /** What the cache of answers keeps at most. */
    readonly cacheMaxBytes: number;
    readonly config: ServedConfig;
    readonly policy: UpstreamPolicy;
    readonly log: Log;
    readonly masterKey: string;
    readonly host: string;
    readonly port: number;
    readonly internalPort: number;
    readonly maxBodyBytes: number;
    /** For how long a connection of a client may be idle. */
    readonly keepAliveMs: number;
    /** Where warnings are sent. */
    readonly alertWebhook: string | undefined;
    /** HTTP status of a request that a budget refuses. */
    readonly budgetExceededStatus: number;
    readonly keys: KeyStore;
    /** In a cluster changes of keys are the operator's; `url` undefined: there is no way to it. Absent: they are made here. */
    readonly operator?: { readonly url: string | undefined };
    /** A provider refused the credential it was sent. */
    readonly onCredentialRefused?: () => void;
    /** Where this process runs. */
    readonly home: Locality;
    /** Whether the administration API is on the public listener; else it is on the internal one. */
    readonly adminOnPublic: boolean;
    /** Whether `/metrics` is on the public listener as well; it tells tenants and costs, and asks for no key. */
    readonly metricsOnPublic: boolean;
  };

export type DataPlane = {
  readonly port: number;
  readonly internalPort: number;
  readonly metrics: Metrics;
  /** Answers and accounts for what it has begun, takes nothing new, then resolves. */
  drain(): Promise<void>;
  close(): Promise<void>;
};

/** Request bodies that may be in memory while they arrive, all connections together. */
const MAX_BODIES_BYTES = 512 * 1024 * 1024;
/** Attempts that may read on after their client left. */
const MAX_DRAINS = 64;
/** Realtime sessions at one time. */
const MAX_SESSIONS = 1000;
/** Requests whose decisions can be asked for. */
const MAX_DECISIONS = 1000;

export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { config, log } = options;
  const metrics = createMetrics();
  const rules = { ...options.policy, hosted: false };
  const http = createHttpClient({ isForbidden: address => isForbiddenAddress(address, rules) });
  const levels = new BudgetLevels();
  const events = storeEvents(metrics, levels, alert => alerts.emit(alert), systemClock.now);
  const stores = await openStores(options, events, () => config.current(), { log, ...systemClock });
  const alerts = alertsOf(options, http, stores, metrics);
  registerStoreMetrics(metrics.registry, stores, levels, systemClock.now);
  const engines = enginesOf(options, http, alerts, stores, metrics);
  const backends = openBackendHealth({
    current: () => config.current(),
    redis: stores.redis,
    pod: stores.pod,
    gate: stores.gate,
    engines,
    metrics,
    ...systemClock,
  });
  const refused = new RefusedCredentials(options.onCredentialRefused ?? (() => {}));
  const decisions = new Decisions(MAX_DECISIONS, systemClock);
  const telemetry = await openTelemetry(options);
  const traces = telemetry.tracing?.traces;
  const onBug = (error: unknown, request_id: string): void => {
    log.error({ err: error, request_id }, 'a bug of the gateway, without which the request goes on');
    telemetry.errors?.report(error, request_id);
  };
  const withoutCache: Ports = {
    config,
    http,
    identities: new CloudIdentity(),
    alerts,
    admitter: traces?.admitter(stores.admitter) ?? stores.admitter,
    budgetExceededStatus: options.budgetExceededStatus,
    costLog: stores.costLog,
    gate: stores.gate,
    health: backends.health,
    engines,
    fallbackSpend: backends.fallbackSpend,
    hedges: new HedgeShares(),
    gpuTime: stores.replicas,
    observer: allOf(observer(metrics, log, systemClock.monotonic), decisions, refused, ...(traces ? [traces] : [])),
    tracing: traces,
    now: systemClock.now,
    monotonic: systemClock.monotonic,
    random: Math.random,
    turn: turns(),
    pins: stores.pins,
    surroundings: { home: options.home, pods: stores.readyPods, sessions: new Sessions() },
    newRequestId: uuidV7Source(systemClock),
    drains: places(MAX_DRAINS),
    hookPlaces: new ObserverPlaces(),
    digest: sha256,
    estimateTokens: tokenEstimator(),
    fitsSchema: schemaCheck(),
    onBug,
    onNoIdentity: (error, provider) => log.error({ err: error, provider }, 'no identity to ask this provider with'),
  };
  const own = ownKey(sha256);
  const embedderAt = providerEmbedders({ ...withoutCache, key: own });
  const cache = cacheOf(options, stores, embedderAt, own, withoutCache, metrics);
  const caches = config.current().snapshot.routes.flatMap(route => route.cache ?? []);
  if (caches.length > 0) await cache.open(caches);
  const ports: Ports = {
    ...withoutCache,
    answers: traces?.answers(cache.answers) ?? cache.answers,
    tasks: new NearestTasks(embedderAt),
  };
  const withAdmin = administration(ports, stores, cache.store, options);
  const [onPublic, onInternal] = options.adminOnPublic ? [withAdmin, asIs] : [asIs, withAdmin];
  let draining = false;
  const pages: SharedPages = {
    surroundings: surroundingsPage({ engines, levels, refused, now: systemClock.now }),
    backends: backendsHealthPage({ ...ports, engines, isMasterKey: masterKeyCheck(options.masterKey) }),
    metrics: metricsPage(metrics),
    readiness: readinessPage(config, {
      draining: () => draining,
      degraded: () => [...stores.degraded(), ...(config.degraded?.() ?? [])],
    }),
  };
  const running = new Set<Promise<void>>();
  const counted = (served: Promise<void>): Promise<void> => {
    const request = served.finally(() => running.delete(request));
    running.add(request);
    return request;
  };
  registerServing(metrics, { config, levels, health: backends.health, inFlight: () => running.size, ...systemClock });
  const router: RouterOptions = {
    serve: exchange => counted(traces ? traces.around(exchange, () => serve(exchange, ports)) : serve(exchange, ports)),
    serveStored: (exchange, call) => counted(serveStored(exchange, call, ports)),
    pages: publicPages(ports, options, pages),
    newRequestId: ports.newRequestId,
    monotonic: ports.monotonic,
    maxBodyBytes: options.maxBodyBytes,
    bodyBudget: { held: 0, max: MAX_BODIES_BYTES },
    onError(error, request_id) {
      log.error({ err: error, request_id }, 'a request failed on a bug of the gateway');
      telemetry.errors?.report(error, request_id);
    },
  };
  const check = addressCheck(address => isForbiddenAddress(address, rules));
  const realtime = new Realtime({
    ports,
    dial: to => dial(to, check),
    maxSessions: MAX_SESSIONS,
    onError: router.onError,
  });
  const internal = await listen(
    onInternal(pageHandler({ ...router, pages: internalPages(options, decisions, pages) })),
    options.host,
    options.internalPort,
    options.keepAliveMs,
  );
  const listeners = [
    // A start that fails leaves nothing open that would keep the process alive.
    await listen(onPublic(publicRouter(router)), options.host, options.port, options.keepAliveMs, realtime).catch(error => {
      stop(internal);
      throw error;
    }),
    internal,
  ] as const;
  return {
    port: listeners[0].port,
    internalPort: listeners[1].port,
    metrics,
    async drain() {
      draining = true;
      await Promise.all([listeners[0].drain(), realtime.drain()]);
      // A request has its answer before its row is written and its reservation settled.
      await Promise.allSettled(running);
    },
    async close() {
      for (const listener of listeners) stop(listener);
      engines.close();
      backends.close();
      await cache.close();
      await stores.close();
      await telemetry.close();
      alerts.close();
      await http.close();
    },
  };
}

/** How long what is left to tell is waited for at the end. */
const TELEMETRY_MS = 5_000;

/** What is sent to others, where that is asked for: their libraries are loaded only then. */
async function openTelemetry({ config, traces, sentryDsn, sentryEnvironment }: DataPlaneOptions) {
  const tracing = traces && (await import('./tracing/open.ts')).openTracing(traces, () => config.current().snapshot);
  const errors = sentryDsn && (await import('./error-reports.ts')).errorReports(sentryDsn, sentryEnvironment);
  return {
    tracing,
    errors: errors || undefined,
    close: async () => {
      await Promise.race([tracing?.close().catch(() => {}), setTimeout(TELEMETRY_MS, undefined, { ref: false })]);
      if (errors) await errors.close(TELEMETRY_MS);
    },
  };
}

function alertsOf({ log, alertWebhook: url }: DataPlaneOptions, http: HttpClient, { redis }: Stores, metrics: Metrics) {
  const webhook =
    url === undefined ? undefined : new Webhook({ url, http, log, count: outcome => metrics.alertWebhook.inc({ outcome }) });
  return createAlerts({
    log,
    count: kind => metrics.alerts.inc({ kind }),
    ...(webhook && { webhook }),
    ...(redis && { isFirst: firstInRedis(redis) }),
    now: systemClock.now,
  });
}

function cacheOf(
  { redisUrl, redisTimeoutMs, cacheMaxBytes, log }: DataPlaneOptions,
  { redis: link }: Stores,
  embedderAt: EmbedderAt,
  key: LiveKey,
  ports: Ports,
  metrics: Metrics,
): Caching {
  return caching({
    ...ports,
    ports,
    key,
    ...(link && redisUrl !== undefined && { redis: { link, url: redisUrl, timeoutMs: redisTimeoutMs } }),
    maxBytes: cacheMaxBytes,
    embedderAt,
    log,
    onSampled: (route, outcome, estimate, tightened) => noteSample(metrics, { route, outcome, estimate, tightened }),
    onJudged: (route, outcome) => metrics.cacheJudgements.inc({ route, outcome }),
  });
}

function enginesOf(
  { config, log, pods }: DataPlaneOptions,
  http: HttpClient,
  alerts: Alerts,
  { redis, readyPods }: Stores,
  { registry }: Metrics,
): EngineWatch {
  const engines = new EngineWatch({
    current: () => config.current(),
    http,
    alerts,
    log,
    // Without Redis processes do not hear of each other.
    pods: redis ? readyPods : () => pods,
    onScrape: scrapeMetrics(registry),
    monotonic: systemClock.monotonic,
    random: Math.random,
  });
  registerEngineMetrics(registry, engines);
  return engines;
}

const asIs = (handler: Handler): Handler => handler;

/** The administration API before whatever else a listener serves. */
function administration(
  ports: Ports,
  stores: Stores,
  cache: Pick<CacheStore, 'flush'>,
  { masterKey, keys, operator, dataFolder, log }: DataPlaneOptions,
) {
  const audit = auditLog(stores.ledger, dataFolder);
  // What a dead process could not bring to the ledger; while that is away, the next change tries again.
  audit.flush().catch(() => {});
  const admin = adminApp({
    ...ports,
    keys,
    ledger: stores.upToDateLedger,
    cache,
    counters: {
      levels: (tenant, accounts) => stores.admitter.endingsSettled().then(() => stores.counters.levels(tenant, accounts)),
    },
    calendar: new Calendar(),
    audit,
    isMasterKey: masterKeyCheck(masterKey),
    randomBytes,
    onError: (error, request_id) =>
      log.error({ err: error, request_id }, 'an administrative request failed on a bug of the gateway'),
  });
  const forward = operator && keyForwarder({ operatorUrl: operator.url, newRequestId: ports.newRequestId });
  return (handler: Handler): Handler =>
    (req, res, path, query) =>
      forward && isKeyChange(req.method, path)
        ? forward(req, res, path, query)
        : isAdminPath(path)
          ? admin(req, res, path, query)
          : handler(req, res, path, query);
}

function stop(listener: Listener): void {
  void listener.drain();
  listener.close();
}

/** Pages of both listeners. */
type SharedPages = { readonly [name in 'backends' | 'metrics' | 'readiness' | 'surroundings']: Page };

function publicPages(
  ports: Ports,
  { masterKey, adminOnPublic, metricsOnPublic }: DataPlaneOptions,
  { backends, metrics, readiness }: SharedPages,
): ReadonlyMap<string, Page> {
  const admin = { ...ports, isMasterKey: masterKeyCheck(masterKey) };
  const [models, modelInfo] = [modelsPage(admin), modelInfoPage(admin)];
  return new Map([
    ['/v1/models', models],
    ['/v1/models/', models],
    ['/v1beta/models', models],
    ['/v1beta/models/', models],
    ['/models', models],
    ['/models/', models],
    ['/model/info', modelInfo],
    ['/v1/model/info', modelInfo],
    ...(adminOnPublic ? ([['/health', backends]] as const) : []),
    ['/health/liveliness', livenessPage],
    ['/health/liveness', livenessPage],
    ['/health/readiness', readiness],
    ...(metricsOnPublic ? ([['/metrics', metrics]] as const) : []),
  ]);
}

function internalPages(
  { config }: DataPlaneOptions,
  decisions: Decisions,
  { backends, metrics, readiness, surroundings }: SharedPages,
): ReadonlyMap<string, Page> {
  return new Map([
    ['/debug/decisions/', decisionsPage(decisions)],
    ['/health', backends],
    ['/livez', livenessPage],
    ['/readyz', readiness],
    ['/configz', configzPage(config)],
    ['/statusz', surroundings],
    ['/metrics', metrics],
  ]);
}

const metricsPage =
  (metrics: Metrics): Page =>
  async () => ({ status: 200, body: await metrics.page(), type: metrics.contentType });

/** Compares digests, so that neither length nor content shows in the time it takes. */
function masterKeyCheck(masterKey: string) {
  const wanted = Buffer.from(sha256(masterKey));
  return (headers: Parameters<typeof presentedKey>[0]): boolean =>
    timingSafeEqual(Buffer.from(sha256(presentedKey(headers))), wanted);
}

/** Counts the requests of each route. */
function turns(): (routeId: string) => number {
  const counts = new Map<string, number>();
  return routeId => {
    const count = counts.get(routeId) ?? 0;
    counts.set(routeId, count + 1);
    return count;
  };
}

function places(max: number): Ports['drains'] {
  let taken = 0;
  return {
    take: () => taken < max && ++taken > 0,
    free: () => {
      taken--;
    },
  };
}
