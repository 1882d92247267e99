// Puts together what is known of the backends: this process's observations, what processes tell each other, and the metrics of both.
import type { RouteEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import type { RedisLink } from '#platform/redis.ts';
import type { LiveConfig } from '../config/live.ts';
import type { Metrics } from '../metrics.ts';
import type { BackendHealth, Engines, FallbackSpend } from '../ports.ts';
import type { ProviderGate } from '../quota/gate.ts';
import { HourlyFallbackSpend, redisSpendPool } from './fallback-spend.ts';
import { registerBreakerState } from './metrics.ts';
import { Observations } from './observations.ts';
import { SharedBreakers } from './shared-breakers.ts';

export type BackendHealthOptions = {
  readonly current: () => LiveConfig;
  /** Absent: this process is by itself. */
  readonly redis?: RedisLink | undefined;
  /** Names this process, and no process before it. */
  readonly pod: string;
  readonly gate: Pick<ProviderGate, 'used'>;
  readonly engines?: Pick<Engines, 'load'>;
  readonly metrics: Pick<Metrics, 'registry' | 'breakerTransitions' | 'retriesDenied'>;
  readonly now: () => number;
  readonly monotonic: () => number;
};

export type OpenBackendHealth = {
  readonly health: BackendHealth;
  readonly fallbackSpend: FallbackSpend;
  close(): void;
};

const SWEEP_EVERY_MS = 1_000;

export function openBackendHealth(options: BackendHealthOptions): OpenBackendHealth {
  const { current, redis, pod, gate, engines, metrics, now, monotonic } = options;
  const health = new Observations({
    snapshot: () => current().snapshot,
    credential: ({ auth }) => auth && current().credential(auth.credential),
    usage: provider => gate.used(provider),
    ...(engines && { engine: served => engines.load(served) }),
    onTurn: ({ provider, model = ALL_MODELS, to }) => metrics.breakerTransitions.inc({ provider, model, to }),
    onRetryDenied: provider => metrics.retriesDenied.inc({ provider }),
  });
  registerBreakerState(metrics.registry, health, monotonic);
  const fallbackSpend = new HourlyFallbackSpend(
    guardedRoutes(() => current().snapshot),
    redis && redisSpendPool(redis, pod),
  );
  fallbackSpend.share(now);
  const shared = redis && new SharedBreakers(redis, pod, health, monotonic);
  const sweep = () => {
    health.sweep(monotonic());
    fallbackSpend.sweep();
  };
  const timer = setInterval(sweep, SWEEP_EVERY_MS).unref();
  return {
    health,
    fallbackSpend,
    close() {
      clearInterval(timer);
      shared?.close();
      fallbackSpend.close();
    },
  };
}

/** Label of what concerns a provider as a whole. */
const ALL_MODELS = '*';

/** Ids of the routes whose fallbacks have a budget, made once for each configuration. */
function guardedRoutes(snapshot: () => Snapshot): () => readonly string[] {
  let of: Snapshot | undefined;
  let ids: readonly string[] = [];
  return () => {
    if (snapshot() === of) return ids;
    of = snapshot();
    ids = of.routes.filter(hasBudget).map(route => route.id);
    return ids;
  };
}

const hasBudget = ({ fallback }: RouteEntry): boolean => fallback.costGuard?.budgetPerHour !== undefined;
