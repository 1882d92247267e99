// Turns what the loop reports into metrics and the access log.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { formatUsd } from '#core/accounting/money.ts';
import type { Estimate } from '#core/cache/false-hits.ts';
import { type Failure, statusOf } from '#core/failure.ts';
import type { Log } from '#platform/log.ts';
import type { Exchange } from './exchange.ts';
import type { Metrics } from './metrics.ts';
import type { UsageCell, UsageTally } from './metrics-usage.ts';
import type { Observer } from './ports.ts';
import type { Trip } from './trip.ts';
import type { CacheVisit } from './visit.ts';

/** Route label of what no route took. */
const NO_ROUTE = 'none';

export function observer(metrics: Metrics, log: Log, monotonic: () => number): Observer {
  const { usage } = metrics;
  return {
    refused(exchange, reason) {
      const ms = monotonic() - exchange.startedAt;
      const cell = nobodys(usage, exchange.frontend);
      cell.requestEnded(reason.class, statusOf(reason));
      cell.spreads.request.observe(ms / 1000);
      if (log.isLevelEnabled('info')) log.info(refusalLine(exchange, reason, ms), 'request');
    },
    served(trip) {
      const now = monotonic();
      const ms = now - trip.exchange.startedAt;
      const route = trip.call.plan.route?.id ?? NO_ROUTE;
      requestUsage(cellOf(usage, trip, route), trip, ms, now);
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
    hooked(_, { route, hook, outcome, ms }) {
      metrics.hooks.inc({ route, hook, outcome });
      metrics.hookSeconds.observe({ route, hook }, ms / 1000);
    },
  };
}

/** Of requests that were refused before anybody knew whose they are. */
function nobodys(usage: UsageTally, { dialect, operation }: Exchange['frontend']): UsageCell {
  const nobody = { keyId: '', key: '', keyAlias: '', tenant: '', route: NO_ROUTE, provider: '', model: '' };
  return usage.at(['', '', NO_ROUTE, '', '', dialect], () => ({ ...nobody, dialect, operation }));
}

function cellOf(usage: UsageTally, { exchange, call, candidate }: Trip, route: string): UsageCell {
  const { entry } = call.key;
  const { dialect, operation } = exchange.frontend;
  const [provider, model] = [candidate.provider.id, candidate.model.name];
  return usage.at([entry.tenant, entry.id, route, provider, model, dialect], () => ({
    keyId: entry.id,
    key: `${entry.namespace}/${entry.name}`,
    keyAlias: entry.alias ?? entry.name,
    tenant: entry.tenant,
    ...{ route, dialect, operation, provider, model },
  }));
}

function rowCell(usage: UsageTally, row: CostRecord): UsageCell {
  const { keyId, keyName, keyAlias, tenant, route = NO_ROUTE, dialect, operation, provider, model } = row;
  // Names of the configuration: what clients ask for and what upstreams call it has no bound.
  return usage.at([tenant, keyId, route, provider, model, dialect], () => {
    const alias = keyAlias ?? keyName.slice(keyName.indexOf('/') + 1);
    return { keyId, key: keyName, keyAlias: alias, tenant, route, dialect, operation, provider, model };
  });
}

function requestUsage(cell: UsageCell, trip: Trip, ms: number, now: number): void {
  const { spreads } = cell;
  cell.requestEnded(trip.failure?.class, statusShown(trip));
  spreads.request.observe(ms / 1000);
  spreads.overhead.observe(Math.max(0, ms - trip.upstreamMs) / 1000);
  if (trip.firstTokenMs !== undefined) spreads.firstToken.observe(trip.firstTokenMs / 1000);
  if (trip.fallbacks > 0) {
    if (trip.failure) cell.fellBackBadly++;
    else cell.fellBackWell++;
  }
  if (trip.visit?.state === 'miss') cell.cacheMisses++;
  if (trip.hold.limits.length > 0) {
    cell.limits = trip.hold.limits;
    cell.limitsAt = now;
  }
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
    hooked(exchange, told) {
      for (const one of observers) one.hooked?.(exchange, told);
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
  const cell = rowCell(metrics.usage, row);
  const { route = NO_ROUTE } = row;
  if (row.purpose === 'cache') {
    cell.cacheHits++;
    cell.cacheSaved += row.saved;
    return;
  }
  cell.attempted(row);
  if (row.purpose === 'hedge') metrics.hedges.inc({ route, outcome: outcomeOf(row) });
  if (row.purpose === 'continue') metrics.continued.inc({ route, outcome: outcomeOf(row) });
}

function outcomeOf({ failure }: CostRecord): 'won' | 'lost' | 'failed' {
  if (failure === undefined) return 'won';
  return failure === 'hedge_lost' ? 'lost' : 'failed';
}

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
