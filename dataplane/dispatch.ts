// One attempt at the current candidate: let in by its provider's limits, covered by a reservation and written down before it is sent,
// and written down again when it is over. Nothing here decides what happens next.
import { type CostRecord, type Written, written } from '#core/accounting/cost-record.ts';
import { dearFallbackAlert } from '#core/admission/alerts.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { type Failure, failure, type Parsed } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type EpochMillis, epochMillis, millis, type Tokens } from '#core/units.ts';
import { beginStream } from './answer.ts';
import { type AttemptInput, type AttemptResult, runAttempt } from './attempt.ts';
import { AttemptBounds } from './bounds.ts';
import { planFor } from './open.ts';
import type { Pass, Ports } from './ports.ts';
import { type Prepared, prepare } from './prepare.ts';
import type { Provider } from './providers/provider.ts';
import { type Begun, openRow, settledRow } from './settle.ts';
import type { Trip } from './trip.ts';

export async function dispatch(trip: Trip, ports: Ports): Promise<AttemptResult> {
  const { exchange, call, candidate, current } = trip;
  const retryPosition = trip.tried[current]!++;
  const { mock } = call.envelope.controls;
  if (mock && current === 0) return notSent(failure(mock, { message: 'Failed on purpose, as the request asked.' }));
  const created = Math.floor(ports.now() / 1000);
  const prepareFor = (outputLimit?: Tokens) => prepare(exchange, call, candidate, trip.attempts, created, outputLimit);
  const prepared = prepareFor();
  // A fallback that cannot carry the request is no news for the client; what sent the request there is.
  if (!prepared.ok) return notSent(trip.failure ?? prepared.failure);
  const { provider, request, output } = prepared.value;
  const bounds = new AttemptBounds(trip.input, candidate, provider, output, limitsOf(trip, ports).request);
  const pass = await enter(trip, bounds, ports);
  if (!pass.ok) return notSent(pass.failure);
  let used: number | undefined = 0;
  try {
    const begun = beginning(trip, provider, request.origin, retryPosition, ports);
    const { attempt, leaseUntil } = begun;
    const mayClamp = trip.plan.route?.clampMaxTokens === true;
    const covered = await trip.hold.cover({ attempt, bounds, leaseUntil, mayClamp, row: reserved => openRow(begun, reserved) });
    if (covered.kind === 'downgrade') return downgraded(trip, covered.refusal, ports);
    if (covered.kind === 'refused') return notSent(trip.failure ?? covered.failure);
    const sendable = covered.outputLimit === undefined ? prepared : prepareFor(covered.outputLimit);
    if (!sendable.ok) return notSent(sendable.failure);
    // Its row is there before the first byte, and outlives this process wherever that dies.
    const { record, json } = covered.row;
    if (!ports.costLog.record(record, json, !covered.copied)) return notSent(failure('store_unavailable'));
    trip.began();
    const gpu = candidate.model.price?.gpu && ports.gpuTime.enter(request.origin);
    const result = await send(trip, sendable.value, ports);
    trip.hold.ended(settle(trip, begun, record, result, gpu?.leave(), ports));
    used = tokensUsed(result);
    return result;
  } finally {
    pass.value.leave(used);
  }
}

function beginning(trip: Trip, provider: Provider, endpoint: string, retryPosition: number, ports: Ports): Begun {
  const { exchange, call, candidate, fallbacks } = trip;
  const at = ports.now() as EpochMillis;
  return {
    exchange,
    call,
    candidate,
    provider,
    endpoint,
    attempt: trip.attempts,
    fallbackPosition: fallbacks,
    retryPosition,
    isFirst: trip.isFirst(),
    at,
    leaseUntil: epochMillis(at + limitsOf(trip, ports).request + LEASE_GRACE_MS),
  };
}

/** When an attempt is over: its row, with what it cost. */
async function settle(
  trip: Trip,
  begun: Begun,
  open: CostRecord,
  result: AttemptResult,
  gpuSeconds: number | undefined,
  ports: Ports,
): Promise<Written> {
  const row = written(await settledRow(begun, open, result, gpuSeconds, ports.estimateTokens));
  ports.costLog.record(row.record, row.json, false);
  ports.observer.attempted(row.record);
  warnIfDear(trip, begun.candidate, row.record, ports);
  return row;
}

/** undefined: nobody knows. */
function tokensUsed({ kind, usage, failure }: AttemptResult): number | undefined {
  if (usage) return promptTokens(usage) + usage.output;
  return kind === 'refused' && !failure?.possiblyBilled ? 0 : undefined;
}

/** A place at the provider, where it has limits. */
async function enter(trip: Trip, bounds: AttemptBounds, ports: Ports): Promise<Parsed<Pass>> {
  const { candidate, call, exchange } = trip;
  const { provider } = candidate;
  const deadline = ports.monotonic() + limitsOf(trip, ports).request;
  const tokens = provider.limits?.tpm === undefined ? 0 : (await bounds.bound('counted')).tokens;
  return ports.gate.enter({ provider, tokens, priority: call.key.entry.priority, client: exchange.client, deadline });
}

function warnIfDear({ plan, fallbacks }: Trip, used: Candidate, { usage, cost }: CostRecord, ports: Ports): void {
  const [primary] = plan.candidates;
  if (fallbacks === 0 || !plan.route || !primary || cost === null) return;
  const alert = dearFallbackAlert({ route: plan.route, primary, used, usage, cost });
  if (alert) ports.alerts.emit(alert);
}

async function send(trip: Trip, prepared: Prepared, ports: Ports): Promise<AttemptResult> {
  const { provider, request, relay, read, dropped } = prepared;
  const { exchange } = trip;
  const startedAt = ports.monotonic();
  let drained = false;
  trip.dropped = dropped;
  const result = await runAttempt({
    http: ports.http,
    request,
    limits: limitsOf(trip, ports),
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
  return dispatch(trip, ports);
}

/** After an attempt's own limit: a drain, and the settling of its row. */
const LEASE_GRACE_MS = 90_000;

/** The shorter of the provider's and the route's limits, and never beyond the request's own. */
function limitsOf({ plan, candidate, deadline }: Trip, { monotonic }: Ports): AttemptInput['limits'] {
  const { provider, model } = candidate;
  const route = plan.route?.timeouts;
  return {
    firstToken: model.firstToken ?? provider.timeouts.firstToken,
    streamIdle: millis(Math.min(provider.timeouts.streamIdle, route?.streamIdle ?? Number.POSITIVE_INFINITY)),
    request: millis(Math.min(provider.timeouts.request, deadline - monotonic())),
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
