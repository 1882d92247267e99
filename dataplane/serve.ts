// The loop: open the request, attempt, ask the pure core what comes next, until the client has an answer. It knows interfaces and
// the tables of frontends and providers, and nothing of what stands behind them.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { dearFallbackAlert } from '#core/admission/alerts.ts';
import { type AttemptPolicy, nextStep } from '#core/attempt/next-step.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { type Failure, failure, type Parsed } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type EpochMillis, epochMillis, millis, type Tokens } from '#core/units.ts';
import { answerFailure, answerWhole, beginEarly, beginStream, breakStream } from './answer.ts';
import { type AttemptInput, type AttemptResult, runAttempt } from './attempt.ts';
import { AttemptBounds } from './bounds.ts';
import { answerOwnCount } from './count-tokens.ts';
import type { Exchange } from './exchange.ts';
import { type Covered, written } from './hold.ts';
import { open, planFor } from './open.ts';
import type { Ports } from './ports.ts';
import { type Prepared, prepare } from './prepare.ts';
import { openRow, settledRow } from './settle.ts';
import { Trip } from './trip.ts';

export async function serve(exchange: Exchange, ports: Ports): Promise<void> {
  const opened = await open(exchange, ports);
  if (!opened.ok) {
    answerFailure(exchange, opened.failure);
    ports.observer.refused(exchange, opened.failure);
    return;
  }
  const trip = new Trip(exchange, opened.value, ports);
  if (!(await answerOwnCount(trip, ports))) {
    const stopHeartbeat = beginEarly(trip, ports);
    await travel(trip, ports);
    stopHeartbeat();
  }
  ports.observer.served(trip);
  await trip.hold.settle();
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

/** One attempt at the current candidate: covered by a reservation and written down before it is sent, and again when it is over. */
async function attempt(trip: Trip, ports: Ports): Promise<AttemptResult> {
  const { exchange, call, candidate, current } = trip;
  const retryPosition = trip.tried[current]!++;
  const { mock } = call.envelope.controls;
  if (mock && current === 0) return notSent(failure(mock, { message: 'Failed on purpose, as the request asked.' }));
  const at = ports.now() as EpochMillis;
  const prepareWith = (outputLimit?: Tokens) =>
    prepare(exchange, call, candidate, trip.attempts, Math.floor(at / 1000), outputLimit);
  let prepared = prepareWith();
  // A fallback that cannot carry the request is no news for the client; what sent the request there is.
  if (!prepared.ok) return notSent(trip.failure ?? prepared.failure);
  const { provider, request, output } = prepared.value;
  const startedAt = ports.monotonic();
  const limits = limitsOf(trip, startedAt);
  const leaseUntil = epochMillis(at + limits.request + LEASE_GRACE_MS);
  const bounds = new AttemptBounds(trip.input, candidate, provider, output, limits.request);
  const pass = await enter(trip, bounds, startedAt + limits.request, ports);
  if (!pass.ok) return notSent(pass.failure);
  const position = { attempt: trip.attempts, fallbackPosition: trip.fallbacks, retryPosition, isFirst: trip.isFirst() };
  const begun = { exchange, call, candidate, provider, endpoint: request.origin, ...position, at, leaseUntil };
  const covered = await trip.hold.cover({
    attempt: position.attempt,
    bounds,
    leaseUntil,
    mayClamp: trip.plan.route?.clampMaxTokens === true,
    row: reserved => openRow(begun, reserved),
  });
  if (covered.kind === 'covered' && covered.outputLimit !== undefined) prepared = prepareWith(covered.outputLimit);
  const reason = whyNotSent(covered, prepared, ports);
  if (reason || covered.kind !== 'covered' || !prepared.ok) {
    pass.value.leave(0);
    if (covered.kind === 'downgrade') return downgraded(trip, covered.refusal, ports);
    return notSent(trip.failure ?? reason ?? failure('internal_error'));
  }
  trip.began();
  const stay = candidate.model.price?.gpu && ports.gpuTime.enter(request.origin);
  const result = await send(trip, prepared.value, limits, startedAt, ports);
  const gpuSeconds = stay?.leave();
  pass.value.leave(tokensUsed(result));
  trip.hold.ended(
    settledRow(begun, covered.row.record, result, gpuSeconds, ports.estimateTokens).then(record => {
      const row = written(record);
      ports.costLog.record(record, row.json, false);
      ports.observer.attempted(record);
      warnIfDear(trip, candidate, record, ports);
      return row;
    }),
  );
  return result;
}

/** undefined: nobody knows. */
function tokensUsed({ kind, usage, failure }: AttemptResult): number | undefined {
  if (usage) return promptTokens(usage) + usage.output;
  return kind === 'refused' && !failure?.possiblyBilled ? 0 : undefined;
}

/** The last things before the first byte: its row is written down, and outlives this process wherever that dies. */
function whyNotSent(covered: Covered, prepared: Parsed<Prepared>, ports: Ports): Failure | undefined {
  if (covered.kind === 'downgrade') return covered.refusal;
  if (covered.kind === 'refused') return covered.failure;
  if (!prepared.ok) return prepared.failure;
  const { record, json } = covered.row;
  return ports.costLog.record(record, json, !covered.copied) ? undefined : failure('store_unavailable');
}

/** A place at the provider, where it has limits. */
async function enter({ candidate, call, exchange }: Trip, bounds: AttemptBounds, deadline: number, ports: Ports) {
  const { provider } = candidate;
  const tokens = provider.limits?.tpm === undefined ? 0 : (await bounds.bound('counted')).tokens;
  return ports.gate.enter({ provider, tokens, priority: call.key.entry.priority, client: exchange.client, deadline });
}

function warnIfDear({ plan, fallbacks }: Trip, used: Candidate, { usage, cost }: CostRecord, ports: Ports): void {
  const [primary] = plan.candidates;
  if (fallbacks === 0 || !plan.route || !primary || cost === null) return;
  const alert = dearFallbackAlert({ route: plan.route, primary, used, usage, cost });
  if (alert) ports.alerts.emit(alert);
}

async function send(
  trip: Trip,
  { provider, request, relay, read, dropped }: Prepared,
  limits: AttemptInput['limits'],
  startedAt: number,
  ports: Ports,
): Promise<AttemptResult> {
  const { exchange } = trip;
  let drained = false;
  trip.dropped = dropped;
  const result = await runAttempt({
    http: ports.http,
    request,
    limits,
    client: exchange.client,
    ...(relay && { stream: { relay, begin: upstream => beginStream(trip, upstream, startedAt, ports) } }),
    read,
    classify: error => provider.classify(error),
    mayDrain: () => {
      drained = trip.plan.route?.onClientDisconnect === 'Drain' && ports.drains.take();
      return drained;
    },
    now: ports.now,
    monotonic: ports.monotonic,
  });
  if (drained) ports.drains.free();
  trip.ended(result);
  return result;
}

/** A spent budget leaves only the smaller models: the request starts anew with those, or is refused where its route has none. */
function downgraded(trip: Trip, refusal: Failure, ports: Ports): Promise<AttemptResult> | AttemptResult {
  const { config, key, envelope, facts } = trip.call;
  const plan = planFor(config, key, { ...facts, model: envelope.model }, ports, 'only');
  if (!plan.ok || !trip.plan.route) return notSent(refusal);
  trip.replan(plan.value);
  return attempt(trip, ports);
}

/** After an attempt's own limit: a drain, and the settling of its row. */
const LEASE_GRACE_MS = 90_000;

/** The shorter of the provider's and the route's limits, and never beyond the request's own. */
function limitsOf({ plan, candidate, deadline }: Trip, now: number): AttemptInput['limits'] {
  const { provider, model } = candidate;
  const route = plan.route?.timeouts;
  return {
    firstToken: model.firstToken ?? provider.timeouts.firstToken,
    streamIdle: millis(Math.min(provider.timeouts.streamIdle, route?.streamIdle ?? Number.POSITIVE_INFINITY)),
    request: millis(Math.min(provider.timeouts.request, deadline - now)),
  };
}

/** An attempt that ended before anything was sent. */
const notSent = (reason: Failure): AttemptResult => ({
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
