// One attempt at a candidate: let in by its breaker and by its provider's limits, covered by a reservation and written down before it
// is sent, and written down again when it is over. Nothing here decides what happens next.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { type Failure, failure, policyOf as failurePolicyOf, ok, type Parsed, refuse } from '#core/failure.ts';
import { type JsonRecord, parseRecord } from '#core/json/record.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd, type Tokens } from '#core/units.ts';
import { askOnce } from '#platform/http-ask.ts';
import type { HttpRequest } from '#platform/http-client.ts';
import { beginFlow, beginStream } from './answer.ts';
import { type AttemptInput, type AttemptResult, type Flow, type Running, runAttempt } from './attempt.ts';
import { LEASE_GRACE_MS, type Sent, settle, settleBroken } from './attempt-over.ts';
import { settleBatch } from './batches.ts';
import { AttemptBounds } from './bounds.ts';
import type { Call } from './call.ts';
import { holdForFallback } from './fallback-budget.ts';
import type { HeldAnswer } from './held-answer.ts';
import { hasChecks } from './hooks/unseen.ts';
import { Keeping } from './keeping.ts';
import { planFor } from './open.ts';
import { Overheard } from './overheard.ts';
import { afterPassed } from './passthrough/kept.ts';
import { planAt } from './pinned.ts';
import type { Observation, Pass, Ports, SpendHold } from './ports.ts';
import { type Prepared, prepare } from './prepare.ts';
import { type Begun, openRow, withUntold } from './settle.ts';
import type { Leg, Trip } from './trip.ts';
import { unpriced } from './unknown-prices.ts';

/** One attempt as it is carried out. */
type Task = {
  readonly trip: Trip;
  readonly leg: Leg;
  readonly candidate: Candidate;
  readonly call: Call;
  /** Where the provider has several. */
  readonly endpoint: string | undefined;
  readonly ports: Ports;
  readonly held: HeldAnswer | undefined;
};

/** @param held present: it keeps the answer, and the client gets nothing yet */
export async function dispatch(trip: Trip, leg: Leg, ports: Ports, held?: HeldAnswer): Promise<AttemptResult> {
  const { health } = ports;
  const candidate = trip.candidates[leg.index]!;
  if (!health.tryEnter(candidate, ports.monotonic())) return notSent(trip.failure ?? failure('circuit_open'));
  const call = leg.continuation?.call ?? trip.call;
  const endpoint = endpointFor(trip, call, candidate, ports);
  const result = endpoint.ok
    ? await attempt({ trip, leg, candidate, call, endpoint: endpoint.value, ports, held })
    : notSent(trip.failure ?? endpoint.failure);
  if (result.kind === 'downgrade' || !result.sent) health.left(candidate, ports.monotonic());
  return result.kind === 'downgrade' ? downgraded(trip, result.refusal, ports) : result;
}

const onlyOne = ok<string | undefined>(undefined);

/** The engine for an attempt, of a provider with several of its own. */
function endpointFor(trip: Trip, call: Call, candidate: Candidate, { engines, random }: Ports): Parsed<string | undefined> {
  if (!('endpoints' in candidate.provider.connection)) return onlyOne;
  const pinned = call.pin?.endpoint;
  if (pinned !== undefined)
    return candidate.provider.connection.endpoints.includes(pinned) ? ok(pinned) : refuse('upstream_no_endpoint');
  const prefix = trip.plan.route?.strategy === 'PrefixAffinity' ? call.facts.needs.prefix() : undefined;
  const endpoint = engines.pick(candidate, { tried: trip.endpoints, prefix, random: random() });
  if (endpoint === undefined) return refuse('upstream_no_endpoint');
  trip.endpoints.push(endpoint);
  return ok(endpoint);
}

type Downgrade = { readonly kind: 'downgrade'; readonly refusal: Failure };

type Tried = AttemptResult | Downgrade;

function attempt(task: Task): Tried | Promise<Tried> {
  const { trip, leg, candidate, call, ports } = task;
  const retryPosition = trip.tried[leg.index]!++;
  const { mock } = call.envelope.controls;
  if (mock && leg.index === 0) return notSent(failure(mock, { message: 'Failed on purpose, as the request asked.' }));
  const prepared = prepareFor(task);
  // A fallback that cannot carry the request is no news for the client; what sent the request there is.
  if (!prepared.ok) return notSent(trip.failure ?? prepared.failure);
  const { provider, output } = prepared.value;
  const unknown = trip.plan.route?.onUnknownPrice === 'Deny' && unpriced(prepared.value, candidate.model);
  if (unknown) return notSent(trip.failure ?? unknown);
  const input = leg.continuation?.input ?? trip.input;
  const bounds = new AttemptBounds(input, candidate, provider, output, limitsOf(task).request, prepared.value);
  const spend = holdForFallback(trip, candidate, ports);
  if (spend === 'denied') return notSent(trip.failure ?? failure('no_backend', { message: FALLBACKS_SPENT }));
  const result = inPlace(task, prepared.value, bounds, retryPosition, spend);
  return spend ? result.then(tried => unspent(tried, spend)) : result;
}

/** What was not sent costs nothing. */
function unspent(tried: Tried, spend: SpendHold): Tried {
  if (tried.kind === 'downgrade' || !tried.sent) spend.settle(nanoUsd(0));
  return tried;
}

/** Takes a place at the provider, where it has limits, for as long as the attempt takes. */
async function inPlace(
  task: Task,
  prepared: Prepared,
  bounds: AttemptBounds,
  retryPosition: number,
  spend: SpendHold | undefined,
): Promise<Tried> {
  const { trip, leg, candidate, ports } = task;
  const entering = enter(task, bounds);
  const pass = entering instanceof Promise ? await entering : entering;
  if (!pass.ok) return notSent(pass.failure);
  let used: number | undefined = 0;
  try {
    const begun = beginning(task, prepared, retryPosition);
    const { leaseUntil } = begun;
    const mayClamp = trip.plan.route?.clampMaxTokens === true && trip.exchange.action !== 'pass';
    const rowOf = (reserved: CostRecord['reserved']) => openRow(begun, reserved);
    const covered = await trip.hold.cover({ attempt: begun.attempt, bounds, leaseUntil, mayClamp, row: rowOf });
    if (covered.kind === 'downgrade') return covered;
    if (covered.kind === 'refused') return notSent(trip.failure ?? covered.failure);
    const sendable = covered.outputLimit === undefined ? ok(prepared) : prepareFor(task, covered.outputLimit);
    if (!sendable.ok) return notSent(sendable.failure);
    const unauthorized = sendable.value.provider.authorize && (await authorize(sendable.value, ports));
    if (unauthorized) return untried({ trip, begun, open: covered.row.record, endpoint: task.endpoint, ports }, unauthorized);
    // Another leg has answered while this one was on its way.
    if (leg.race && leg.client.gone) return notSent(failure('hedge_lost'));
    // Its row is there before the first byte, and outlives this process wherever that dies.
    const { record, json } = covered.row;
    if (!ports.costLog.record(record, json, !covered.copied)) return notSent(failure('store_unavailable'));
    trip.began(candidate);
    used = undefined;
    const result = await sendAndSettle(
      task,
      sendable.value,
      { trip, begun, open: record, endpoint: task.endpoint, ports },
      spend,
    );
    used = tokensUsed(result);
    return result;
  } finally {
    pass.value.leave(used);
  }
}

/** With what was asked for, where the answer does not say. */
const asAsked = (begun: Begun, result: AttemptResult): AttemptResult =>
  result.usage && (begun.tools || begun.service) ? { ...result, usage: withUntold(begun, result.usage) } : result;

/** However it ends, it is paid for: with what was held for it where a bug of ours ends it, as the provider may have done all of it. */
async function sendAndSettle(task: Task, prepared: Prepared, sent: Sent, spend: SpendHold | undefined): Promise<AttemptResult> {
  const { trip, candidate, ports } = task;
  const gpu = candidate.model.price?.gpu && ports.gpuTime.enter(sent.begun.endpoint);
  let row: ReturnType<typeof settle> | undefined;
  try {
    const result = asAsked(sent.begun, await send(task, prepared));
    row = settle(sent, result, gpu?.leave());
    return result;
  } finally {
    if (!row) gpu?.leave();
    const paid = row ?? settleBroken(sent);
    trip.hold.ended(paid);
    if (spend) void Promise.resolve(paid).then(({ record: { cost } }) => spend.settle(cost ?? nanoUsd(0)));
  }
}

/** Who this process is decides whether it may ask. @returns why it could not say so */
async function authorize({ provider, request, target }: Prepared, ports: Ports): Promise<Failure | undefined> {
  try {
    await provider.authorize?.(request, target, ports.identities);
    return undefined;
  } catch (error) {
    // What the cloud's library says is the operator's business.
    ports.onNoIdentity(error, target.provider.id);
    return failure('upstream_auth_failed', { message: 'The gateway has no identity for this provider.' });
  }
}

/** The row of an attempt that could not be sent, which costs nothing. */
function untried(sent: Sent & { readonly trip: Trip }, reason: Failure): AttemptResult {
  const result = notSent(reason);
  sent.trip.began(sent.begun.candidate);
  sent.trip.hold.ended(settle(sent, result, undefined));
  return result;
}

const FALLBACKS_SPENT = 'The fallbacks of the route have cost what they may in an hour.';

function prepareFor({ trip, leg, candidate, call, endpoint, ports, held }: Task, outputLimit?: Tokens): Parsed<Prepared> {
  const createdSeconds = Math.floor(ports.now() / 1000);
  const { exchange } = trip;
  const { continuation } = leg;
  const prepared = prepare({ exchange, call, candidate, endpoint, createdSeconds, outputLimit, continuation });
  return prepared.ok && held ? ok(held.prepared(prepared.value)) : prepared;
}

function beginning(task: Task, { chat, request, tools, service }: Prepared, retryPosition: number): Begun {
  const { trip, leg, call, candidate, ports } = task;
  const at = ports.now() as EpochMillis;
  return {
    exchange: trip.exchange,
    call,
    candidate,
    chat,
    tools,
    service,
    endpoint: request.origin,
    attempt: trip.attempts,
    purpose: leg.purpose,
    fallbackPosition: trip.fallbacks,
    retryPosition,
    isFirst: trip.isFirst(candidate),
    cache: trip.cacheState,
    at,
    leaseUntil: epochMillis(at + limitsOf(task).request + LEASE_GRACE_MS),
  };
}

/** undefined: nobody knows. */
function tokensUsed({ kind, usage, failure }: AttemptResult): number | undefined {
  if (usage) return promptTokens(usage) + usage.output;
  return kind === 'refused' && !failure?.possiblyBilled ? 0 : undefined;
}

/** A place at the provider, where it has limits. */
function enter(task: Task, bounds: AttemptBounds): Parsed<Pass> | Promise<Parsed<Pass>> {
  const { leg, candidate, call, ports } = task;
  const { provider } = candidate;
  const deadline = ports.monotonic() + limitsOf(task).request;
  const entrance = { provider, tokens: 0, priority: call.key.entry.priority, client: leg.client, deadline };
  if (provider.limits?.tpm === undefined) return ports.gate.enter(entrance);
  const counted = Promise.resolve(bounds.bound('counted'));
  return counted.then(({ tokens }) => ports.gate.enter({ ...entrance, tokens }));
}

async function send(task: Task, prepared: Prepared): Promise<AttemptResult> {
  const { trip, leg, ports } = task;
  const heard = listening(task);
  const keeping = keepingOf(task, prepared);
  const noted = keeping?.at(prepared) ?? prepared;
  const { provider, chat, request, relay, read, flow, dropped } = heard?.at(noted) ?? noted;
  ports.tracing?.outgoing(trip.exchange.id, trip.attempts - 1, request.headers);
  const startedAt = ports.monotonic();
  const observation = ports.health.began(task.candidate, expectedTokens(task, prepared), startedAt);
  const lost = task.endpoint === undefined ? undefined : lossOf(task.endpoint, task);
  let drained = false;
  const begin = (upstream: AttemptResult['upstreamHeaders']) => {
    trip.answersFrom(leg, dropped, heard);
    // Of a hedge: since the attempt was sent that it stands beside.
    if (flow) beginFlow(trip, upstream, startedAt, ports);
    else if (!task.held) beginStream(trip, upstream, leg.race?.since ?? startedAt, ports);
  };
  const result = await runAttempt({
    http: ports.http,
    request,
    limits: limitsOf(task),
    client: leg.client,
    ...(relay && { stream: { relay, framing: chat?.framing, begin } }),
    ...(flow && { flow: flowOf(flow(), begin) }),
    bodyFailure: noted.bodyFailure,
    read,
    classify: error => provider.classify(error),
    mayDrain: () => {
      drained = trip.plan.route?.onClientDisconnect === 'Drain' && ports.drains.take();
      return drained;
    },
    race: leg.race,
    onFirstToken: after => observation.firstToken(after, ports.monotonic()),
    ...(lost && { onStart: lost.watch }),
    now: ports.now,
    monotonic: ports.monotonic,
  });
  lost?.unwatch();
  if (drained) ports.drains.free();
  if (result.kind === 'answered') trip.answersFrom(leg, dropped, heard);
  else heard?.forget();
  if (keeping) await keeping.written();
  trip.ended(result, leg);
  observe(task, observation, result);
  return passedResult(task, request, result);
}

/** Its methods stay where they are: a class has them. */
const flowOf = (flow: Omit<Flow, 'begin'>, begin: Flow['begin']): Flow => ({
  takes: headers => flow.takes(headers),
  begin,
  push: chunk => flow.push(chunk),
  close: () => flow.close(),
  told: () => flow.told(),
});

/** Of a reply that was passed on: what it says is kept is noted, and what is not the tenant's is taken out of it. */
function passedResult(task: Task, request: HttpRequest, result: AttemptResult): AttemptResult | Promise<AttemptResult> {
  const { trip, call, candidate, endpoint, ports } = task;
  if (trip.exchange.action !== 'pass') return result;
  const { exchange } = trip;
  const provider = candidate.provider.id;
  return afterPassed(exchange.call, result, {
    tenant: call.key.entry.tenant,
    place: { provider, ...(endpoint !== undefined && { endpoint }) },
    pins: ports.pins,
    file: exchange.form?.batchFile(),
    batchMade: (id, pin) => call.batch?.made(id, pin),
    // What is told of a batch is told to who holds its cost.
    batchTold: batch => call.pin && settleBatch(batch, call.pin, call.config, ports),
    pageAfter: id => pageAfter(id, request, ports),
  });
}

/** The same list, from behind an entry. */
async function pageAfter(id: string, request: HttpRequest, { http }: Ports): Promise<JsonRecord | undefined> {
  const url = new URL(request.path, request.origin);
  url.searchParams.set('after', id);
  const told = await askOnce(http, { ...request, path: url.pathname + url.search }, PAGE);
  return told?.status === 200 ? parseRecord(told.body.toString()) : undefined;
}

const PAGE = { timeoutMs: 30_000, maxBytes: 64 * 1024 * 1024 };

/** Where the provider keeps the answer for later requests: one that passes through, in the dialect that can name it. */
function keepingOf({ trip, call, candidate, endpoint, ports }: Task, { chat }: Prepared): Keeping | undefined {
  if (!call.envelope.keeps || !chat?.telling || chat.dialect !== trip.exchange.frontend.dialect) return undefined;
  const { provider, model } = candidate;
  const pin = {
    provider: provider.id,
    model: model.name,
    ...(endpoint !== undefined && { endpoint }),
    ...(hasChecks(trip.plan.route, 'After') && { isGuarded: true as const }),
  };
  return new Keeping(ports.pins, call.key.entry.tenant, pin);
}

/** Where the answer may be kept. One that goes on with another's is none by itself. */
function listening({ trip, leg, ports }: Task): Overheard | undefined {
  if (!trip.visit?.wantsAnswer || leg.continuation) return undefined;
  return new Overheard(MAX_KEPT_BYTES, ports.answers?.allowance);
}

/** Of a stream as it comes: some hundred bytes a token. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** An attempt at an engine ends when that engine does. */
function lossOf(endpoint: string, { candidate: { provider }, ports: { engines } }: Task) {
  let running: Running | undefined;
  const attempt = { endpointLost: () => running?.giveUp(failure('upstream_endpoint_lost')) };
  return {
    watch(started: Running) {
      running = started;
      engines.watch(provider, endpoint, attempt);
    },
    unwatch: () => engines.unwatch(provider, endpoint, attempt),
  };
}

function observe(task: Task, observation: Observation, { kind, failure, duration, usage }: AttemptResult): void {
  const isOpinion = kind !== 'abandoned' && kind !== 'lost' && countsForProvider(task, failure);
  observation.ended({ failure, abandoned: !isOpinion, ms: duration, outputTokens: usage?.output }, task.ports.monotonic());
}

/** What happens at one engine says nothing of the others, as long as there are some. */
function countsForProvider({ endpoint, candidate, ports }: Task, reason: Failure | undefined): boolean {
  if (endpoint === undefined) return true;
  const failed = reason !== undefined && failurePolicyOf(reason).hurtsHealth;
  return ports.engines.ended(candidate, endpoint, failed) || !failed;
}

/** What an answer commonly has where the request does not say. */
const COMMON_OUTPUT_TOKENS = 500;

const expectedTokens = ({ call }: Task, { output }: Prepared): number =>
  call.facts.inputTokens() + Math.min(output.maxTokens ?? COMMON_OUTPUT_TOKENS, COMMON_OUTPUT_TOKENS) * output.choices;

/** A spent budget leaves only the smaller models: the request starts anew with those, or is refused where its route has none. */
function downgraded(trip: Trip, refusal: Failure, ports: Ports): Promise<AttemptResult> | AttemptResult {
  const { config, key, envelope, facts } = trip.call;
  const plan = planFor(config, key, { ...facts, model: envelope.model }, ports, 'only');
  const here = plan.ok && trip.plan.route ? planAt(plan.value, trip.call.pin, envelope) : undefined;
  if (!here?.ok) return notSent(refusal);
  trip.replan(here.value);
  return dispatch(trip, trip.firstLeg(), ports);
}

/**
 * The shorter of the provider's and the route's limits, and never beyond the request's own. A judge says a few tokens: it has as long as a
 * first token, and leaves at least half of the time to the step that may come after it.
 */
function limitsOf({ trip: { plan, deadline }, leg, candidate, ports }: Task): AttemptInput['limits'] {
  const { provider, model } = candidate;
  const route = plan.route?.timeouts;
  const firstToken = model.firstToken ?? provider.timeouts.firstToken;
  const left = deadline - ports.monotonic();
  return {
    firstToken,
    streamIdle: millis(Math.min(provider.timeouts.streamIdle, route?.streamIdle ?? Number.POSITIVE_INFINITY)),
    request: millis(
      leg.purpose === 'judge'
        ? Math.min(provider.timeouts.request, firstToken, left / 2)
        : Math.min(provider.timeouts.request, left),
    ),
  };
}

/** An attempt that ended before anything was sent. */
const notSent = (reason: Failure): AttemptResult => ({
  kind: 'refused',
  sent: false,
  reply: undefined,
  failure: reason,
  upstreamStatus: 0,
  upstreamHeaders: {},
  usage: undefined,
  model: undefined,
  upstreamId: undefined,
  streamed: undefined,
  spoken: undefined,
  firstToken: undefined,
  duration: millis(0),
});
