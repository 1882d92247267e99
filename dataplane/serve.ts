// The loop: open the request, attempt, ask the pure core what comes next, until the client has an answer. It knows interfaces and
// the tables of frontends and providers, and nothing of what stands behind them.
import { inputBound, noAttachments, outputBound } from '#core/admission/bound.ts';
import { type AttemptPolicy, nextStep } from '#core/attempt/next-step.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import { type EpochMillis, type Millis, millis } from '#core/units.ts';
import { answerFailure, answerWhole, beginEarly, beginStream, breakStream } from './answer.ts';
import { type AttemptResult, runAttempt } from './attempt.ts';
import { answerOwnCount } from './count-tokens.ts';
import type { Exchange } from './exchange.ts';
import { open } from './open.ts';
import type { Ports } from './ports.ts';
import { prepare } from './prepare.ts';
import { settle } from './settle.ts';
import { Trip } from './trip.ts';

export async function serve(exchange: Exchange, ports: Ports): Promise<void> {
  const opened = await open(exchange, ports);
  if (!opened.ok) {
    answerFailure(exchange, opened.failure);
    ports.observer.refused(exchange, opened.failure);
    return;
  }
  const trip = new Trip(exchange, opened.value);
  if (!(await answerOwnCount(trip, ports))) {
    const stopHeartbeat = beginEarly(trip, ports);
    await travel(trip, ports);
    stopHeartbeat();
  }
  ports.observer.served(trip);
}

/** Attempts until the client has its answer, or there is no client any more. */
async function travel(trip: Trip, ports: Ports): Promise<void> {
  const policy = policyOf(trip);
  const { client } = trip.exchange;
  for (;;) {
    const result = await attempt(trip, ports);
    trip.failure = result.failure;
    if (result.kind === 'abandoned' || client.gone) trip.failure = failure('client_closed');
    else if (result.kind === 'broken') breakStream(trip, result.failure!);
    else if (result.kind === 'answered') answerWhole(trip, result, ports);
    if (result.kind !== 'refused' || client.gone) return;
    const step = nextStep(result.failure!, trip.progress(ports.monotonic()), policy, ports.random());
    if (step.kind === 'fail') return answerFailure(trip.exchange, result.failure!, trip);
    if (step.kind === 'fallback') trip.fallBackTo(step.to);
    else if (!(await client.stays(step.after))) return;
  }
}

/** One attempt at the current candidate, and its row in the cost log. */
async function attempt(trip: Trip, ports: Ports): Promise<AttemptResult> {
  const { exchange, call, candidate, current } = trip;
  const retryPosition = trip.tried[current]!++;
  const { mock } = call.envelope.controls;
  if (mock && current === 0) return refusedHere(failure(mock, { message: 'Failed on purpose, as the request asked.' }));
  const at = ports.now() as EpochMillis;
  const prepared = prepare(exchange, call, candidate, trip.attempts, Math.floor(at / 1000));
  // A fallback that cannot carry the request is no news for the client; what sent the request there is.
  if (!prepared.ok) return refusedHere(trip.failure ?? prepared.failure);
  const { provider, request, relay, read, dropped } = prepared.value;
  const { priority } = call.key.entry;
  const { deadline } = trip;
  const entered = await ports.gate.enter({
    provider: candidate.provider,
    tokens: tokenBound(trip),
    priority,
    client: exchange.client,
    deadline,
  });
  if (!entered.ok) return refusedHere(entered.failure);
  const number = trip.attempts++;
  let drained = false;
  trip.dropped = dropped;
  const replica = candidate.model.price?.gpu && ports.gpuTime.enter(request.origin);
  const startedAt = ports.monotonic();
  const result = await runAttempt({
    http: ports.http,
    request,
    limits: limitsOf(trip, startedAt),
    client: exchange.client,
    ...(relay && { stream: { relay, begin: upstream => beginStream(trip, upstream, startedAt, ports) } }),
    read,
    classify: error => provider.classify(error),
    mayDrain: () => {
      drained = call.plan.route?.onClientDisconnect === 'Drain' && ports.drains.take();
      return drained;
    },
    now: ports.now,
    monotonic: ports.monotonic,
  });
  if (drained) ports.drains.free();
  entered.value.leave(tokensUsed(result));
  const gpuSeconds = replica?.leave();
  trip.ended(result);
  const position = { attempt: number, fallbackPosition: trip.fallbacks, retryPosition, isFirst: trip.isFirst() };
  settle({ exchange, call, candidate, provider, endpoint: request.origin, ...position, at, result, gpuSeconds }, ports);
  return result;
}

/** What the attempt can use at most, for the limits of its provider: no token has less than a byte. */
function tokenBound({ call, candidate: { provider, model } }: Trip): number {
  if (provider.limits?.tpm === undefined) return 0;
  const facts = { bytes: call.body.bytes.length, attachments: noAttachments, tools: false };
  return inputBound(facts, model) + outputBound(undefined, 1, model);
}

/** undefined: nobody knows. */
function tokensUsed({ kind, usage, failure }: AttemptResult): number | undefined {
  if (usage) return promptTokens(usage) + usage.output;
  return kind === 'refused' && !failure?.possiblyBilled ? 0 : undefined;
}

/** The shorter of the provider's and the route's limits, and never beyond the request's own. */
function limitsOf({ call, candidate, deadline }: Trip, now: number): { firstToken: Millis; streamIdle: Millis; request: Millis } {
  const { provider, model } = candidate;
  const route = call.plan.route?.timeouts;
  return {
    firstToken: model.firstToken ?? provider.timeouts.firstToken,
    streamIdle: millis(Math.min(provider.timeouts.streamIdle, route?.streamIdle ?? Number.POSITIVE_INFINITY)),
    request: millis(Math.min(provider.timeouts.request, deadline - now)),
  };
}

/** An attempt that ended before anything was sent. */
const refusedHere = (reason: Failure): AttemptResult => ({
  kind: 'refused',
  reply: undefined,
  failure: reason,
  upstreamStatus: 0,
  upstreamHeaders: {},
  usage: undefined,
  model: undefined,
  upstreamId: undefined,
  streamed: undefined,
  firstToken: undefined,
  duration: millis(0),
});

/** A direct `<provider>/<model>` call has no route: one attempt, and nowhere else to go. */
const direct: AttemptPolicy = {
  retries: { attempts: 0, on: [], backoff: { base: millis(0), max: millis(0) }, budgetPercent: 0 },
  fallback: { on: [], allowDowngrade: false, midStream: 'Fail' },
};

/** A client may ask for more attempts than its route has, within reason. */
const MAX_RETRIES = 10;

function policyOf({ call }: Trip): AttemptPolicy {
  const { retries, fallback } = call.plan.route ?? direct;
  const { numRetries, disableFallbacks } = call.envelope.controls;
  return {
    retries: numRetries === undefined ? retries : { ...retries, attempts: Math.min(numRetries, MAX_RETRIES) },
    fallback: disableFallbacks ? direct.fallback : fallback,
  };
}
