// The loop: open the request, attempt, ask the pure core what comes next, until the client has an answer. It knows interfaces and
// the tables of frontends and providers, and nothing of what stands behind them.
import type { AttemptPolicy } from '#core/attempt/next-step.ts';
import { failure } from '#core/failure.ts';
import { answerFailure, answerWhole, beginEarly, breakStream } from './answer.ts';
import type { AttemptResult } from './attempt.ts';
import { answerFromCache, cacheOf, keepAnswer } from './cached.ts';
import { CascadeRun } from './cascade.ts';
import { continuationOf } from './continue.ts';
import { answerOwnCount } from './count-tokens.ts';
import type { Exchange } from './exchange.ts';
import { attempt } from './hedge.ts';
import { HookRun } from './hooks/hook-run.ts';
import { answerLast } from './last-stage.ts';
import { open } from './open.ts';
import type { Ports } from './ports.ts';
import { type ChatTrip, isChatTrip, type Leg, Trip } from './trip.ts';
import { policyOf, stepAfter } from './waterfall.ts';

export async function serve(asked: Exchange, ports: Ports): Promise<void> {
  const opened = await open(asked, ports);
  const hooks = opened.ok ? HookRun.of(asked, opened.value, ports) : undefined;
  const exchange = hooks?.exchange ?? asked;
  const request: Awaited<ReturnType<typeof open>> = hooks ? await hooks.before() : opened;
  if (!request.ok) {
    if (opened.ok) opened.value.batch?.over(request.failure);
    answerFailure(exchange, request.failure);
    ports.observer.refused(exchange, request.failure, 'plan' in request ? request.plan : undefined);
    return;
  }
  const trip = new Trip(exchange, request.value, ports);
  hooks?.began(trip);
  try {
    const answered = isChatTrip(trip) && answerOurselves(trip, ports);
    if (!(answered instanceof Promise ? await answered : answered)) await travel(trip, ports);
    if (hooks) await hooks.over();
    ports.observer.served(trip);
  } finally {
    // First: what it holds is given back whatever else fails.
    const settling = trip.settle();
    keepAnswer(trip);
    trip.call.batch?.over(trip.failure, trip.attempts > 0);
    if (settling) await settling;
  }
}

/** @returns true: no upstream has to be asked */
function answerOurselves(trip: ChatTrip, ports: Ports): boolean | Promise<boolean> {
  const answers = cacheOf(trip, ports);
  return answers ? answerFromCache(trip, answers, ports) : answerOwnCount(trip, ports);
}

/** Attempts until the client has its answer, or there is no client any more. */
async function travel(trip: Trip, ports: Ports): Promise<void> {
  const stopHeartbeat = beginEarly(trip, ports);
  try {
    const policy = policyOf(trip);
    const mayHedge = policy.fallback.on.length > 0;
    const cascade = CascadeRun.of(trip, ports);
    for (let leg: Leg | undefined = cascade ? await cascade.firstLeg() : trip.firstLeg(); leg; ) {
      const result: AttemptResult = await (cascade ? cascade.attempt(leg) : attempt(trip, leg, mayHedge, ports));
      const next = nextLeg(trip, leg, result, policy, ports);
      leg = next instanceof Promise ? await next : next;
    }
  } finally {
    stopHeartbeat();
  }
}

/** Answers, or says what is tried next. */
function nextLeg(
  trip: Trip,
  leg: Leg,
  result: AttemptResult,
  policy: AttemptPolicy,
  ports: Ports,
): Leg | undefined | Promise<Leg | undefined> {
  trip.failure = result.failure;
  if (!result.sent) ports.observer.notSent?.(trip, result.failure!);
  if (trip.exchange.client.gone || result.kind === 'abandoned') {
    trip.failure = failure('client_closed');
    return undefined;
  }
  if (result.kind === 'answered') {
    answerWhole(trip, result, ports);
    return undefined;
  }
  return legAfter(trip, leg, result, policy, ports);
}

/** The same backend, another one, or another one that goes on with a stream that broke off; none: the client is told of the failure. */
async function legAfter(
  trip: Trip,
  leg: Leg,
  result: AttemptResult,
  policy: AttemptPolicy,
  ports: Ports,
): Promise<Leg | undefined> {
  const { client } = trip.exchange;
  const continuation = result.kind === 'broken' ? await continuationOf(trip, result, policy, ports) : leg.continuation;
  const step = result.kind === 'broken' && !continuation ? GIVE_UP : stepAfter(trip, result, continuation, policy, ports);
  if (step.kind === 'fail') {
    if (trip.hasSpoken) breakStream(trip, continuation?.broken ?? result.failure!);
    else await answerLast(trip, result.failure!, step.retryAfter, ports);
    return undefined;
  }
  if (step.kind === 'fallback') {
    trip.waited += step.after;
    ports.observer.fellBack?.(trip, step.reason);
  }
  if (step.after > 0 && !(await client.stays(step.after))) {
    trip.failure = failure('client_closed');
    return undefined;
  }
  return trip.nextLeg(step.to, continuation ? 'continue' : step.kind, continuation);
}

const GIVE_UP = { kind: 'fail', retryAfter: undefined } as const;
