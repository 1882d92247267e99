// Turns what the loop reports into metrics and the access log.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { formatUsd } from '#core/accounting/money.ts';
import type { Estimate } from '#core/cache/false-hits.ts';
import { type Usage, usageClasses } from '#core/chat/usage.ts';
import { type Failure, statusOf } from '#core/failure.ts';
import type { Log } from '#platform/log.ts';
import type { Exchange } from './exchange.ts';
import type { Metrics } from './metrics.ts';
import type { Observer } from './ports.ts';
import type { Trip } from './trip.ts';
import type { CacheVisit } from './visit.ts';

/** Route label of what no route took. */
const NO_ROUTE = 'none';

export function observer(metrics: Metrics, log: Log, monotonic: () => number): Observer {
  const requestOver = (exchange: Exchange, route: string, status: number, seconds: number) => {
    const { dialect } = exchange.frontend;
    metrics.requests.inc({ route, dialect, status });
    metrics.duration.observe({ route, dialect }, seconds);
  };
  return {
    refused(exchange, reason) {
      const ms = monotonic() - exchange.startedAt;
      requestOver(exchange, NO_ROUTE, statusOf(reason), ms / 1000);
      if (log.isLevelEnabled('info')) log.info(refusalLine(exchange, reason, ms), 'request');
    },
    served(trip) {
      const ms = monotonic() - trip.exchange.startedAt;
      const route = trip.call.plan.route?.id ?? NO_ROUTE;
      requestOver(trip.exchange, route, statusShown(trip), ms / 1000);
      if (trip.firstTokenMs !== undefined)
        metrics.firstToken.observe({ route, dialect: trip.exchange.frontend.dialect }, trip.firstTokenMs / 1000);
      if (trip.visit) cacheMetrics(metrics, route, trip.visit);
      if (trip.verdicts) for (const [backend, verdict] of trip.verdicts) metrics.cascades.inc({ route, backend, verdict });
      if (log.isLevelEnabled('info')) log.info(requestLine(trip, ms), 'request');
    },
    fellBack({ plan }, reason) {
      metrics.fallbackReasons.inc({ route: plan.route?.id ?? NO_ROUTE, reason });
    },
    attempted(row) {
      attemptMetrics(metrics, row);
      if (log.isLevelEnabled('info')) log.info(attemptLine(row), 'attempt');
    },
  };
}

/** Each is told what the others are. */
export function allOf(...observers: readonly Observer[]): Observer {
  return {
    refused(exchange, reason, plan) {
      for (const one of observers) one.refused(exchange, reason, plan);
    },
    served(trip) {
      for (const one of observers) one.served(trip);
    },
    fellBack(trip, reason) {
      for (const one of observers) one.fellBack?.(trip, reason);
    },
    notSent(trip, reason) {
      for (const one of observers) one.notSent?.(trip, reason);
    },
    attempted(row) {
      for (const one of observers) one.attempted(row);
    },
  };
}

function cacheMetrics(metrics: Metrics, route: string, { state, told }: CacheVisit): void {
  const outcome = told.isShadow && told.tier ? 'shadow' : state;
  metrics.cache.inc({ route, outcome, tier: told.tier ?? 'none' });
  if (told.bypass !== undefined) metrics.cacheBypasses.inc({ route, reason: told.bypass });
  for (const { guard } of told.refused) metrics.cacheRefusals.inc({ route, guard });
  if (told.waited) metrics.cacheWaits.inc({ route });
  else if (state !== 'bypass') metrics.cacheLookup.observe({ outcome }, told.ms / 1000);
}

type Sample = {
  readonly route: string;
  readonly outcome: 'agreed' | 'differed' | 'failed';
  readonly estimate: Estimate;
  readonly tightened: boolean;
};

/** A hit that was also asked upstream. */
export function noteSample(metrics: Metrics, { route, outcome, estimate, tightened }: Sample): void {
  const { samples, wrong, low, high } = estimate;
  metrics.cacheSamples.inc({ route, outcome });
  if (tightened) metrics.cacheTightened.inc({ route });
  metrics.cacheFalseHits.set({ route, bound: 'low' }, low);
  metrics.cacheFalseHits.set({ route, bound: 'high' }, high);
  if (samples > 0) metrics.cacheFalseHits.set({ route, bound: 'estimate' }, wrong / samples);
}

function attemptMetrics(metrics: Metrics, row: CostRecord): void {
  const { provider, model, usage, cost, route = NO_ROUTE } = row;
  if (row.purpose === 'cache') {
    metrics.cacheSaved.inc({ route }, row.saved / 1e9);
    return;
  }
  // Names of the configuration: what clients ask for and what upstreams call it has no bound.
  const labels = { provider, model };
  metrics.attempts.inc({ ...labels, outcome: row.failure ?? 'ok' });
  if (row.fallbackPosition > 0) metrics.fallbacks.inc({ route, provider });
  if (row.purpose === 'hedge') metrics.hedges.inc({ route, outcome: outcomeOf(row) });
  if (row.purpose === 'continue') metrics.continued.inc({ route, outcome: outcomeOf(row) });
  for (const kind of usageClasses) if (usage[kind] > 0) metrics.tokens.inc({ ...labels, kind }, usage[kind]);
  if (cost !== null) metrics.cost.inc(labels, cost / 1e9);
  else if (hasTokens(usage)) metrics.unpriced.inc(labels);
  if (row.streamed && row.failure && row.firstToken !== undefined && row.failure !== 'client_closed')
    metrics.truncated.inc(labels);
}

function outcomeOf({ failure }: CostRecord): 'won' | 'lost' | 'failed' {
  if (failure === undefined) return 'won';
  return failure === 'hedge_lost' ? 'lost' : 'failed';
}

const hasTokens = (usage: Usage): boolean => usageClasses.some(kind => usage[kind] > 0);

/** 499, as the access logs of proxies have it, where the client did not wait for an answer. */
const statusShown = ({ exchange, failure }: Trip): number => (failure?.class === 'client_closed' ? 499 : exchange.client.status);

function refusalLine({ id, path }: Exchange, reason: Failure, ms: number): object {
  return { request_id: id, path, status: statusOf(reason), failure: reason.class, ms: round(ms) };
}

function requestLine(trip: Trip, ms: number): object {
  const { exchange, call, candidate, failure, firstTokenMs, hold } = trip;
  const { entry } = call.key;
  return {
    request_id: exchange.id,
    path: exchange.path,
    status: statusShown(trip),
    ...(failure && { failure: failure.class }),
    tenant: entry.tenant,
    key_id: entry.id,
    model: call.envelope.model,
    stream: call.envelope.stream,
    ...(call.plan.route && { route: call.plan.route.id }),
    provider: candidate.provider.id,
    attempts: trip.attempts,
    fallback: trip.fallbacks > 0,
    ...(trip.visit && { cache: trip.visit.state }),
    ms: round(ms),
    ...(firstTokenMs !== undefined && { first_token_ms: round(firstTokenMs) }),
    ...(hold.failMode && { fail_mode: hold.failMode }),
  };
}

function attemptLine(row: CostRecord): object {
  return {
    request_id: row.requestId,
    attempt: row.attempt,
    tenant: row.tenant,
    key_id: row.keyId,
    provider: row.provider,
    model: row.model,
    status: row.upstreamStatus,
    ...(row.failure && { failure: row.failure }),
    prompt_tokens: row.usage.inputUncached + row.usage.cacheRead + row.usage.cacheWrite5m + row.usage.cacheWrite1h,
    completion_tokens: row.usage.output,
    estimated: row.estimated,
    cost_usd: row.cost === null ? null : formatUsd(row.cost),
    ms: round(row.duration),
  };
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
