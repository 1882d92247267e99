// The loop: open the request, attempt, ask the pure core what comes next, until the client has an answer. It knows interfaces and
// the tables of frontends and providers, and nothing of what stands behind them.
import { type AttemptPolicy, nextStep } from '#core/attempt/next-step.ts';
import { failure } from '#core/failure.ts';
import { millis } from '#core/units.ts';
import { answerFailure, answerWhole, beginEarly, breakStream } from './answer.ts';
import { answerOwnCount } from './count-tokens.ts';
import { dispatch } from './dispatch.ts';
import type { Exchange } from './exchange.ts';
import { open } from './open.ts';
import type { Ports } from './ports.ts';
import { Trip } from './trip.ts';

export async function serve(exchange: Exchange, ports: Ports): Promise<void> {
  const opened = await open(exchange, ports);
  if (!opened.ok) {
    answerFailure(exchange, opened.failure);
    ports.observer.refused(exchange, opened.failure);
    return;
  }
  const trip = new Trip(exchange, opened.value, ports);
  try {
    if (!(await answerOwnCount(trip, ports))) await travel(trip, ports);
    ports.observer.served(trip);
  } finally {
    await trip.hold.settle();
  }
}

/** Attempts until the client has its answer, or there is no client any more. */
async function travel(trip: Trip, ports: Ports): Promise<void> {
  const stopHeartbeat = beginEarly(trip, ports);
  try {
    await attempts(trip, ports);
  } finally {
    stopHeartbeat();
  }
}

async function attempts(trip: Trip, ports: Ports): Promise<void> {
  const policy = policyOf(trip);
  const { client } = trip.exchange;
  for (;;) {
    const result = await dispatch(trip, ports);
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
