// What a request does after an attempt: the decision is core/attempt/next-step.ts, here it gets to know how things stand.
import { type AttemptPolicy, nextStep, type Step } from '#core/attempt/next-step.ts';
import type { Failure } from '#core/failure.ts';
import { type Millis, millis } from '#core/units.ts';
import type { AttemptResult } from './attempt.ts';
import { canContinue } from './continue.ts';
import type { Ports } from './ports.ts';
import type { Continuation, Trip } from './trip.ts';

/** A direct `<provider>/<model>` call has no route: one attempt, and nowhere else to go. */
const direct: AttemptPolicy = {
  retries: { attempts: 0, on: [], backoff: { base: millis(0), max: millis(0) }, budgetPercent: 0 },
  fallback: { on: [], allowDowngrade: false, midStream: 'Fail' },
};

/** A client may ask for more attempts than its route has, within reason. */
const MAX_RETRIES = 10;

export function policyOf({ call }: Trip): AttemptPolicy {
  const { retries, fallback } = call.plan.route ?? direct;
  const { numRetries, disableFallbacks } = call.envelope.controls;
  return {
    retries: numRetries === undefined ? retries : { ...retries, attempts: Math.min(numRetries, MAX_RETRIES) },
    fallback: disableFallbacks ? direct.fallback : fallback,
  };
}

/** @param continuation present: the client has a part of the answer, and only who can go on with it is of use */
export function stepAfter(
  trip: Trip,
  result: AttemptResult,
  continuation: Continuation | undefined,
  policy: AttemptPolicy,
  ports: Ports,
): Step {
  // What sent the request on its way through the others decides, not that one of them cannot go on with it.
  const failure: Failure = continuation?.broken ?? result.failure!;
  const now = ports.monotonic();
  const next = (mayRetry: boolean) =>
    nextStep(
      failure,
      trip.progress(now, result.sent && (!continuation || result.kind === 'broken'), {
        availableIn: index => (continuation && !canContinue(trip, index) ? NEVER : recoversIn(trip, index, ports, now)),
        mayRetry,
        elsewhereFirst: continuation !== undefined,
      }),
      policy,
      ports.random(),
    );
  const step = next(true);
  if (step.kind !== 'retry' || isForAnotherEngine(trip, failure, ports)) return step;
  return ports.health.retryAllowed(trip.candidate.provider, policy.retries.budgetPercent, now) ? step : next(false);
}

/** The first retry at another engine puts no more load on the one that failed: like a first fallback it needs no budget. */
function isForAnotherEngine({ candidate, tried, current, endpoints }: Trip, reason: Failure, { engines }: Ports): boolean {
  if (endpoints.length === 0 || tried[current] !== 1) return false;
  const itself = reason.class === 'upstream_endpoint_lost' ? 0 : 1;
  return (engines.load(candidate)?.usable ?? 0) > itself;
}

const NEVER = millis(Number.POSITIVE_INFINITY);

function recoversIn({ candidates }: Trip, index: number, { health }: Ports, now: number): Millis {
  const { openUntil, mayTry, engine } = health.of(candidates[index]!, now);
  if (engine?.usable === 0) return ENGINE_WAIT;
  if (openUntil === 0) return millis(0);
  return openUntil > now ? millis(openUntil - now) : mayTry ? millis(0) : PROBE_WAIT;
}

/** A probe is under way: that long until it may have told something. */
const PROBE_WAIT = millis(100);
/** Nobody knows when an engine is back: metrics are read four times a second, and a start takes its time. */
const ENGINE_WAIT = millis(1000);
