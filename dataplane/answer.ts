// How the client gets its answer: whole, as a stream that begins, as an error, or as a stream that is broken off.
import { type Failure, failures, statusOf } from '#core/failure.ts';
import type { HttpHeaders } from '#platform/http-client.ts';
import type { AttemptResult } from './attempt.ts';
import type { Exchange } from './exchange.ts';
import { type HeadFacts, headerSafe, headOf, pushLimits, pushVerdicts } from './head.ts';
import { isEventStream } from './passthrough/flow.ts';
import type { Ports } from './ports.ts';
import { reportedCost } from './settle.ts';
import type { Trip } from './trip.ts';

export function answerWhole(trip: Trip, result: AttemptResult, ports: Ports): void {
  const { reply } = result;
  if (!reply) return;
  const head = successHead(trip, ports.monotonic(), {
    upstream: result.upstreamHeaders,
    cost: reportedCost(trip.candidate, result.usage),
  });
  head.push('content-type', 'application/json');
  trip.exchange.client.whole(200, head, reply.body);
}

/** An answer that no upstream was asked for. */
export function answerCount(trip: Trip, body: string, ports: Ports): void {
  const head = successHead(trip, ports.monotonic(), { upstreamMs: 0 });
  head.push('content-type', 'application/json');
  trip.exchange.client.whole(200, head, body);
}

/** @param startedAt when the attempt began, monotonic */
export function beginStream(trip: Trip, upstream: HttpHeaders, startedAt: number, ports: Ports): void {
  const now = ports.monotonic();
  trip.firstTokenMs ??= now - trip.exchange.startedAt;
  trip.exchange.client.startStream(successHead(trip, now, { upstream, upstreamMs: trip.upstreamMs + now - startedAt }));
}

/** An answer that is passed on as it comes. @param startedAt when the attempt began, monotonic */
export function beginFlow(trip: Trip, upstream: HttpHeaders, startedAt: number, ports: Ports): void {
  if (isEventStream(upstream)) return beginStream(trip, upstream, startedAt, ports);
  const now = ports.monotonic();
  trip.firstTokenMs ??= now - trip.exchange.startedAt;
  const head = successHead(trip, now, { upstream, upstreamMs: trip.upstreamMs + now - startedAt });
  head.push('content-type', headerSafe(String(upstream['content-type'] ?? 'application/octet-stream')));
  for (const name of ['content-length', 'content-disposition'])
    if (typeof upstream[name] === 'string' && !upstream['content-encoding']) head.push(name, headerSafe(upstream[name]));
  trip.exchange.client.startBytes(head);
}

type Success = Partial<Pick<HeadFacts, 'candidate' | 'cost' | 'cache' | 'kept' | 'upstream'>> & {
  /** Spent on waiting for upstreams. */
  readonly upstreamMs?: number;
};

export function successHead(trip: Trip, now: number, success: Success): string[] {
  const { exchange, call, attempts, fallbacks, dropped, hold } = trip;
  const { candidate = trip.candidate, upstreamMs = trip.upstreamMs, cache = trip.cacheState, upstream = {} } = success;
  const totalMs = now - exchange.startedAt;
  return headOf({
    requestId: exchange.id,
    modelRequested: call.envelope.model,
    routeId: call.plan.route?.id,
    candidate,
    attempts,
    fallbacks,
    overheadMs: Math.max(0, totalMs - upstreamMs),
    totalMs,
    dropped,
    cache,
    kept: success.kept,
    verdicts: trip.verdicts,
    cost: success.cost,
    upstream,
    limits: hold.limits,
  });
}

/** A route's `earlyHeartbeat` commits a 200 before the first token; then even a total failure can only be an error event. */
export function beginEarly(trip: Trip, ports: Ports): () => void {
  const after = trip.call.plan.route?.earlyHeartbeat;
  if (after === undefined || !trip.call.envelope.stream) return () => {};
  const { client } = trip.exchange;
  const timer = setTimeout(
    () => {
      if (client.began || client.gone) return;
      client.startStream(successHead(trip, ports.monotonic(), { upstreamMs: 0 }));
      client.heartbeat();
    },
    Math.max(0, trip.exchange.startedAt + after - ports.monotonic()),
  );
  return () => clearTimeout(timer);
}

export function answerFailure(exchange: Exchange, reason: Failure, trip?: Trip): void {
  const { client, frontend, id } = exchange;
  const told = trip ? lastWord(reason, trip) : reason;
  if (client.began) return client.breakOff(frontend.encodeStreamError(told, id));
  const head = ['content-type', 'application/json', 'x-request-id', id, 'request-id', id, 'x-litellm-call-id', id];
  if (trip) head.push(...tripHead(trip));
  if (told.retryAfter !== undefined)
    head.push('retry-after', String(Math.ceil(told.retryAfter / 1000)), 'retry-after-ms', String(Math.ceil(told.retryAfter)));
  if (!isWorthRetrying(told)) head.push('x-should-retry', 'false');
  client.whole(statusOf(told), head, frontend.encodeError(told, id));
}

export function breakStream({ exchange }: Trip, reason: Failure): void {
  exchange.client.breakOff(exchange.frontend.encodeStreamError(reason, exchange.id));
}

function tripHead({ call, candidate, attempts, fallbacks, hold, verdicts, cacheState }: Trip): string[] {
  const head = [
    'x-tollgate-attempts',
    String(attempts),
    'x-tollgate-fallback',
    fallbacks > 0 ? 'true' : 'false',
    'x-tollgate-cache',
    cacheState,
  ];
  if (call.plan.route) head.push('x-tollgate-route', call.plan.route.id);
  pushVerdicts(head, verdicts);
  head.push('x-tollgate-provider', candidate.provider.id, 'x-tollgate-model', headerSafe(candidate.model.name));
  pushLimits(head, hold.limits);
  return head;
}

/** The route's own last word, where it has one and the caller is not at fault. */
function lastWord(reason: Failure, { call }: Trip): Failure {
  const answer = call.plan.route?.catchAllAnswer;
  if (!answer || !isForLast(reason)) return reason;
  return { ...reason, class: 'no_backend', status: answer.status, message: answer.message ?? failures.no_backend.message };
}

/** There is nobody left who could answer, and not for the caller's sake. */
export const isForLast = ({ class: cls }: Failure): boolean =>
  failures[cls].origin === 'upstream' || cls === 'no_backend' || cls === 'provider_limit_reached';

/** The official SDKs retry 408, 409, 429 and 5xx by themselves, and heed this header: what cannot get better is not sent again. */
const isWorthRetrying = ({ class: cls }: Failure): boolean => {
  const { origin, ...policy } = failures[cls];
  return origin !== 'upstream' ? cls !== 'budget_exceeded' : 'retry' in policy || cls === 'circuit_open';
};
