// What was decided about the last requests, for `GET /debug/decisions/{id}`: references to the facts that the loop has anyway, and words
// only for who asks. Nothing of a body and no credential is in them, so nothing large is kept alive and nothing secret can be told.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { formatUsd } from '#core/accounting/money.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { type Failure, type FailureClass, failure, statusOf } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Excluded, Plan } from '#core/plan/plan.ts';
import { strategies } from '#core/plan/strategies/index.ts';
import { UNKNOWN_SCORE } from '#core/plan/strategies/order.ts';
import type { Standing } from '#core/plan/strategies/strategy.ts';
import type { NearestTask } from '#core/plan/tasks.ts';
import type { NanoUsd } from '#core/units.ts';
import type { Exchange } from './exchange.ts';
import type { Page } from './http/router.ts';
import type { HookTold, Observer } from './ports.ts';
import type { Trip } from './trip.ts';
import type { CacheTold, CacheVisit } from './visit.ts';

/** A request that is over. */
type Over = {
  readonly id: string;
  /** Epoch milliseconds of its end. */
  readonly at: number;
  readonly ms: number;
  readonly path: string;
  readonly status: number;
  readonly failure: FailureClass | undefined;
  /** The plan it began with, and the one it ended with where a spent budget brought another. */
  readonly plans: readonly Plan[];
  /** What no row tells. Most requests have none. */
  readonly asides: readonly Aside[];
  /** What its hooks said. */
  readonly hooks: readonly HookTold[];
  /** Undefined for what was refused before it could be attempted. */
  readonly trip: Told | undefined;
};

/** `not_sent`: an attempt was kept back. `fell_back`: another backend came next, for this trigger of `fallback.on`. */
type Aside =
  | { readonly backend: string; readonly not_sent: FailureClass }
  | { readonly backend: string; readonly fell_back: string };

const nothing: readonly never[] = [];

type Told = Pick<Trip, 'attempts' | 'fallbacks' | 'firstTokenMs' | 'dropped' | 'verdicts'> & {
  readonly tenant: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly model: string;
  readonly stream: boolean;
  readonly route: string | undefined;
  readonly failMode: Trip['hold']['failMode'];
  readonly task: NearestTask | undefined;
  /** A copy: a visit remembers what was asked. */
  readonly cache: (CacheTold & { readonly state: CacheVisit['state'] }) | undefined;
};

type Clock = { now(): number; monotonic(): number };

/** To each request belong about so many rows: those of a request with more may be forgotten before it is. */
const ROWS_PER_REQUEST = 2;

/** A stream may be checked in many windows. */
const MAX_HOOKS = 64;

export class Decisions implements Observer {
  readonly #over: Ring<Over>;
  /** They may come before or after their request is over. */
  readonly #rows: Ring<CostRecord>;
  /** Of requests that are under way. */
  readonly #asides = new WeakMap<Trip, Aside[]>();
  readonly #hooks = new WeakMap<Exchange, HookTold[]>();
  readonly #clock: Clock;

  /** @param size how many requests are kept; the oldest goes first */
  constructor(size: number, clock: Clock) {
    this.#over = new Ring(size);
    this.#rows = new Ring(size * ROWS_PER_REQUEST);
    this.#clock = clock;
  }

  refused(exchange: Exchange, reason: Failure, plan?: Plan): void {
    const { id, path, startedAt } = exchange;
    const end = this.#end(startedAt);
    const plans = plan ? [plan] : nothing;
    this.#over.add({
      id,
      ...end,
      path,
      status: statusOf(reason),
      failure: reason.class,
      plans,
      asides: nothing,
      hooks: this.#hooks.get(exchange) ?? nothing,
      trip: undefined,
    });
  }

  served(trip: Trip): void {
    const { id, path, client, startedAt } = trip.exchange;
    const plans = trip.plan === trip.call.plan ? [trip.plan] : [trip.call.plan, trip.plan];
    const asides = this.#asides.get(trip) ?? nothing;
    const hooks = this.#hooks.get(trip.exchange) ?? nothing;
    const { status } = client;
    const { at, ms } = this.#end(startedAt);
    this.#over.add({ id, at, ms, path, status, failure: trip.failure?.class, plans, asides, hooks, trip: told(trip) });
  }

  hooked(exchange: Exchange, told: HookTold): void {
    const before = this.#hooks.get(exchange);
    if (!before) this.#hooks.set(exchange, [told]);
    else if (before.length < MAX_HOOKS) before.push(told);
  }

  fellBack(trip: Trip, reason: string): void {
    this.#note(trip, { backend: trip.candidate.backend, fell_back: reason });
  }

  notSent(trip: Trip, reason: Failure): void {
    this.#note(trip, { backend: trip.candidate.backend, not_sent: reason.class });
  }

  attempted(row: CostRecord): void {
    this.#rows.add(row);
  }

  /** As JSON; undefined: there was no such request, or too many since. */
  find(id: string): Decision | undefined {
    const [over] = this.#over.filter(one => one.id === id);
    const rows = this.#rows.filter(row => row.requestId === id);
    return over || rows.length > 0 ? decision(id, rows, over) : undefined;
  }

  #note(trip: Trip, aside: Aside): void {
    const before = this.#asides.get(trip);
    if (before) before.push(aside);
    else this.#asides.set(trip, [aside]);
  }

  #end = (startedAt: number) => ({ at: this.#clock.now(), ms: this.#clock.monotonic() - startedAt });
}

/** The last so many of something. Adding is one write; finding looks at all. */
class Ring<T> {
  readonly #slots: (T | undefined)[];
  #next = 0;

  constructor(size: number) {
    this.#slots = new Array(size).fill(undefined);
  }

  add(one: T): void {
    this.#slots[this.#next] = one;
    this.#next = (this.#next + 1) % this.#slots.length;
  }

  filter(test: (one: T) => boolean): T[] {
    return this.#slots.filter((one): one is T & {} => one !== undefined && test(one as T));
  }
}

function told({ call, attempts, fallbacks, firstTokenMs, dropped, verdicts, visit, hold }: Trip): Told {
  const { entry, name } = call.key;
  return {
    attempts,
    fallbacks,
    firstTokenMs,
    dropped,
    verdicts,
    task: call.facts.needs.task,
    cache: visit && { state: visit.state, ...visit.told },
    tenant: entry.tenant,
    key: name,
    model: call.envelope.model,
    stream: call.envelope.stream,
    route: call.plan.route?.id,
    failMode: hold.failMode,
  };
}

// ---------------------------------------------------------------- in words

export type Decision = ReturnType<typeof decision>;

function decision(id: string, rows: readonly CostRecord[], over: Over | undefined) {
  const inOrder = rows.toSorted((a, b) => a.attempt - b.attempt);
  const trip = over?.trip;
  return {
    request_id: id,
    path: over?.path ?? null,
    ended_at: over ? new Date(over.at).toISOString() : null,
    ...(trip && requested(trip)),
    outcome: over ? outcome(over, inOrder) : null,
    plans: (over?.plans ?? []).map(plan => planned(plan, inOrder)),
    ...(over && over.asides.length > 0 && { asides: over.asides }),
    ...(over && over.hooks.length > 0 && { hooks: over.hooks.map(hooked) }),
    attempts: inOrder.map(attempted),
  };
}

const requested = ({ tenant, key, model, stream, dropped, verdicts, cache, task, failMode, route }: Told) => ({
  tenant,
  key,
  model,
  stream,
  route: route ?? null,
  ...(dropped.length > 0 && { dropped }),
  ...(verdicts && { cascade: Object.fromEntries(verdicts) }),
  ...(task && { task }),
  ...(cache && { cache: cacheOf(cache) }),
  ...(failMode && { fail_mode: failMode }),
});

const hooked = ({ hook, when, outcome, ms }: HookTold) => ({ hook, when, outcome, ms: rounded(ms) });

const cacheOf = ({ state, tier, entry, similarity, isShadow, bypass, refused, waited, ms }: NonNullable<Told['cache']>) => ({
  state,
  ...(tier && { tier, entry, similarity }),
  ...(isShadow && { shadow: true }),
  ...(bypass !== undefined && { bypass }),
  ...(refused.length > 0 && { refused }),
  ...(waited && { waited }),
  ms: rounded(ms),
});

const outcome = ({ status, failure, ms, trip }: Over, rows: readonly CostRecord[]) => ({
  status,
  failure: failure ?? null,
  ms: rounded(ms),
  ...(trip && { attempts: trip.attempts, fallbacks: trip.fallbacks }),
  ...(trip?.firstTokenMs !== undefined && { first_token_ms: rounded(trip.firstTokenMs) }),
  cache: rows.at(-1)?.cache ?? 'bypass',
  cost_usd: formatUsd(rows.reduce((sum, { cost }) => sum + (cost ?? 0), 0) as NanoUsd),
});

function planned({ route, candidates, excluded, standings = [] }: Plan, rows: readonly CostRecord[]) {
  const figure = route && strategies[route.strategy].figure?.name;
  return {
    route: route?.id ?? null,
    strategy: route?.strategy ?? null,
    /** What the scores are, before ties and draws; the lowest comes first. */
    ...(figure !== undefined && { figure }),
    candidates: candidates.map(candidate => candidateOf(candidate, { standings, isScored: figure !== undefined }, rows)),
    excluded: excluded.map(leftOut),
  };
}

type Scores = { readonly standings: readonly Standing[]; readonly isScored: boolean };

function candidateOf(candidate: Candidate, { standings, isScored }: Scores, rows: readonly CostRecord[]) {
  const { backend, provider, model, priority } = candidate;
  const standing = standings.find(one => one.candidate === candidate);
  return {
    backend,
    provider: provider.id,
    model: model.name,
    priority,
    weight: standing?.weight ?? candidate.weight,
    ...(isScored && standing && { score: standing.score === UNKNOWN_SCORE ? null : standing.score }),
    /** Numbers of the attempts that went there; a judge is asked as no backend. */
    attempts: rows.filter(row => row.purpose !== 'judge' && isAt(row, candidate)).map(({ attempt }) => attempt),
  };
}

const isAt = (row: CostRecord, { provider, model }: Candidate): boolean =>
  row.provider === provider.id && row.model === model.name;

const leftOut = ({ backend, cause, reason }: Excluded) => ({ backend, cause, reason });

const attempted = (row: CostRecord) => ({
  attempt: row.attempt,
  purpose: row.purpose ?? null,
  at: new Date(row.at).toISOString(),
  provider: row.provider,
  model: row.model,
  upstream_model: row.upstreamModel,
  endpoint: row.endpoint,
  status: row.upstreamStatus,
  failure: row.failure ?? null,
  fallback_position: row.fallbackPosition,
  retry_position: row.retryPosition,
  ms: rounded(row.duration),
  first_token_ms: row.firstToken === undefined ? null : rounded(row.firstToken),
  prompt_tokens: promptTokens(row.usage),
  completion_tokens: row.usage.output,
  estimated: row.estimated,
  cost_usd: row.cost === null ? null : formatUsd(row.cost),
  reserved_usd: formatUsd(row.reserved),
  possibly_billed: row.possiblyBilled,
  upstream_id: row.upstreamId ?? null,
});

const rounded = (ms: number): number => Math.round(ms * 10) / 10;

const FOLDER = '/debug/decisions/';

export const decisionsPage =
  (decisions: Decisions): Page =>
  ({ path }) => {
    const found = decisions.find(path.slice(FOLDER.length));
    if (found) return { status: 200, body: found };
    return failure('not_found', { message: 'No request of this id is among the last ones of this process.' });
  };
