// What the commands take from the environment (docs/configuration.md, "Environment"), read once and checked.
import { hostname } from 'node:os';
import { isCidr, type UpstreamPolicy, webhookComplaint } from '#core/compile/index.ts';
import type { Locality } from '#core/plan/context.ts';
import { type TelemetrySettings, type TraceSettings, traceSamplers } from '#dataplane/telemetry-settings.ts';
import { readRedisUrl } from '#platform/redis-url.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Settings = TelemetrySettings & {
  readonly host: string;
  readonly port: number;
  readonly internalPort: number;
  readonly dataFolder: string;
  readonly logLevel: string;
  readonly maxBodyBytes: number;
  /** For how long a connection of a client may be idle. */
  readonly keepAliveMs: number;
  readonly drainMs: number;
  readonly policy: UpstreamPolicy;
  readonly redisUrl?: string;
  /** For how long a call of Redis is waited for. */
  readonly redisTimeoutMs: number;
  readonly databaseUrl?: string;
  readonly adminOnPublic: boolean;
  readonly metricsOnPublic: boolean;
  /** Where this process runs, for routes to the nearest backend. */
  readonly home: Locality;
  readonly podName: string;
  readonly pods: number;
  readonly retentionDays?: number;
  /** What the cache of answers keeps at most. */
  readonly cacheMaxBytes: number;
  /** Where warnings are sent; the URL is a secret. */
  readonly alertWebhook: string | undefined;
  /** HTTP status of a request that a budget refuses. */
  readonly budgetExceededStatus: number;
};

/** A setting that cannot be used, in words that name it. */
export class BadSetting extends Error {}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export function settingsOf(env: Environment): Settings {
  const policy = standalonePolicy(env);
  return {
    host: env.HOST || '127.0.0.1',
    port: integer(env, 'PORT', 4000, 0, 65_535),
    internalPort: integer(env, 'INTERNAL_PORT', 4001, 0, 65_535),
    dataFolder: env.TOLLGATE_DATA || '.tollgate',
    logLevel: oneOf(env, 'LOG_LEVEL', LEVELS, 'info'),
    maxBodyBytes: integer(env, 'MAX_BODY_BYTES', 32 * 1024 * 1024, 1024, 1024 * 1024 * 1024),
    keepAliveMs: integer(env, 'KEEP_ALIVE_MS', 75_000, 1000, 7_200_000),
    drainMs: integer(env, 'DRAIN_TIMEOUT_MS', 600_000, 0, 3_600_000),
    policy,
    alertWebhook: webhook(env, policy),
    budgetExceededStatus: Number(oneOf(env, 'BUDGET_EXCEEDED_STATUS', ['400', '402', '429'], '402')),
    adminOnPublic: env.ADMIN_ON_PUBLIC !== 'false',
    metricsOnPublic: env.METRICS_ON_PUBLIC !== 'false',
    home: { ...(env.TOLLGATE_REGION && { region: env.TOLLGATE_REGION }), ...(env.TOLLGATE_ZONE && { zone: env.TOLLGATE_ZONE }) },
    podName: env.POD_NAME || hostname(),
    pods: integer(env, 'TOLLGATE_PODS', 1, 1, 10_000),
    cacheMaxBytes: integer(env, 'CACHE_MAX_BYTES', 256 * 1024 * 1024, 1024 * 1024, 1024 ** 4),
    redisTimeoutMs: integer(env, 'REDIS_TIMEOUT_MS', 40, 1, 10_000),
    ...(env.REDIS_URL && { redisUrl: redisUrl(env.REDIS_URL) }),
    ...(env.DATABASE_URL && { databaseUrl: databaseUrl(env.DATABASE_URL) }),
    ...telemetry(env),
    ...(env.LEDGER_RETENTION_DAYS && { retentionDays: integer(env, 'LEDGER_RETENTION_DAYS', 0, 1, 100_000) }),
  };
}

/** What a process in a cluster takes besides (`dataplane/main.ts`, `operator/main.ts`). */
export type ClusterSettings = Settings & {
  /** Where its pod is; undefined: as the kubeconfig says. */
  readonly namespace: string | undefined;
  /** Base of the operator's internal listener. */
  readonly operatorUrl: string | undefined;
  /** A volume with the published configuration. */
  readonly configMount: string | undefined;
};

export function clusterSettingsOf(env: Environment): ClusterSettings {
  const url = env.OPERATOR_URL || undefined;
  if (url !== undefined && !/^https?:\/\//.test(url)) throw new BadSetting('OPERATOR_URL must be an http or https URL');
  return {
    ...settingsOf({ ...env, HOST: env.HOST || '0.0.0.0' }),
    policy: clusterPolicy(env),
    namespace: env.POD_NAMESPACE || undefined,
    operatorUrl: url,
    configMount: env.CONFIG_MOUNT || undefined,
  };
}

/** In a cluster hosted types are reached over https, and nobody over loopback, unless it is listed. */
const clusterPolicy = (env: Environment): UpstreamPolicy => ({
  standalone: false,
  allowHttpUpstreams: env.ALLOW_HTTP_UPSTREAMS === 'true',
  allowUpstreamCidrs: listedCidrs(env),
});

/** Without a cluster, http and loopback are allowed for all types. */
export const standalonePolicy = (env: Environment): UpstreamPolicy => ({
  standalone: true,
  allowHttpUpstreams: true,
  allowUpstreamCidrs: listedCidrs(env),
});

function listedCidrs(env: Environment): readonly string[] {
  const cidrs = (env.ALLOW_UPSTREAM_CIDRS ?? '')
    .split(',')
    .map(c => c.trim())
    .filter(c => c !== '');
  const wrong = cidrs.find(c => !isCidr(c));
  if (wrong !== undefined) throw new BadSetting(`ALLOW_UPSTREAM_CIDRS: ${wrong} is not an address block such as 10.0.0.0/8`);
  return cidrs;
}

function telemetry(env: Environment): TelemetrySettings {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: forTraces, SENTRY_DSN: dsn } = env;
  const isTraced = (endpoint || forTraces) && env.OTEL_SDK_DISABLED !== 'true' && env.OTEL_TRACES_EXPORTER !== 'none';
  if (dsn && !/^https?:\/\/[^@/]+@[^/]+\/.*\d+$/.test(dsn)) throw new BadSetting('SENTRY_DSN must be https://KEY@HOST/PROJECT');
  return {
    ...(isTraced && { traces: traceSettings(env) }),
    ...(dsn && { sentryDsn: dsn }),
    ...(env.SENTRY_ENVIRONMENT && { sentryEnvironment: env.SENTRY_ENVIRONMENT }),
  };
}

function traceSettings(env: Environment): TraceSettings {
  for (const name of ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'])
    oneOf(env, name, ['http/protobuf'], 'http/protobuf');
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG || '1');
  if (!(ratio >= 0 && ratio <= 1)) throw new BadSetting('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1');
  const batch = {
    scheduledDelayMillis: 'OTEL_BSP_SCHEDULE_DELAY',
    maxQueueSize: 'OTEL_BSP_MAX_QUEUE_SIZE',
    maxExportBatchSize: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    exportTimeoutMillis: 'OTEL_BSP_EXPORT_TIMEOUT',
  };
  const set = Object.entries(batch).filter(([, name]) => env[name]);
  return {
    sampler: oneOf(env, 'OTEL_TRACES_SAMPLER', traceSamplers, 'parentbased_always_on'),
    ratio,
    batch: Object.fromEntries(set.map(([option, name]) => [option, integer(env, name, 0, 1, 1_000_000)])),
  };
}

function webhook({ ALERT_WEBHOOK_URL: url }: Environment, policy: UpstreamPolicy): string | undefined {
  if (!url) return undefined;
  const complaint = webhookComplaint(url, policy);
  if (complaint !== undefined) throw new BadSetting(`ALERT_WEBHOOK_URL ${complaint}`);
  return url;
}

/** What is wrong with a URL of a store is said without it: it may hold a password. */
function redisUrl(url: string): string {
  try {
    readRedisUrl(url);
    return url;
  } catch {
    throw new BadSetting('REDIS_URL must be redis://, rediss://, redis+cluster://, redis+sentinel:// or unix:/path');
  }
}

function databaseUrl(url: string): string {
  const isPostgres = /^postgres(ql)?:\/\//.test(url) && URL.canParse(url);
  if (!isPostgres) throw new BadSetting('DATABASE_URL must be postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  return url;
}

function integer(env: Environment, name: string, otherwise: number, min: number, max: number): number {
  const text = env[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new BadSetting(`${name} must be an integer from ${min} to ${max}, not '${text}'`);
  return value;
}

function oneOf<const T extends string>(env: Environment, name: string, values: readonly T[], otherwise: T): T {
  const text = env[name] || otherwise;
  const value = values.find(one => one === text);
  if (value === undefined) throw new BadSetting(`${name} must be one of ${values.join(', ')}, not '${text}'`);
  return value;
}
