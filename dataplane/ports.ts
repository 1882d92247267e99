// What the loop needs from the outside, as interfaces: `serve.ts` knows these and nothing of who stands behind them.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Alert } from '#core/admission/alerts.ts';
import type { Fits } from '#core/cascade/accept.ts';
import type { Failure, Parsed } from '#core/failure.ts';
import type { BreakerState } from '#core/health/breaker.ts';
import type { EngineLoad, Health, LatencySketch, TargetHealth } from '#core/health/health.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Locality } from '#core/plan/context.ts';
import type { Plan } from '#core/plan/plan.ts';
import type { Sessions } from '#core/plan/sessions.ts';
import type { NearestTask } from '#core/plan/tasks.ts';
import type { TenantKeySpec } from '#core/resources/tenant-key.ts';
import type { ConfigReport } from '#core/snapshot/pod-report.ts';
import type { ModelEntry, ProviderEntry, SemanticTasks } from '#core/snapshot/snapshot.ts';
import type { EpochMillis, NanoUsd } from '#core/units.ts';
import type { HttpClient } from '#platform/http-client.ts';
import type { Admitter } from './admission/admission.ts';
import type { Call } from './call.ts';
import type { LiveConfig } from './config/live.ts';
import type { ChatExchange, Exchange } from './exchange.ts';
import type { Answer, HookFailure } from './hooks/ask.ts';
import type { ClientResponse } from './http/client-response.ts';
import type { Allowance } from './overheard.ts';
import type { Pins } from './pins/pins.ts';
import type { CloudIdentities } from './providers/provider.ts';
import type { Trip } from './trip.ts';
import type { CacheVisit } from './visit.ts';

/** The configuration in force at this moment. */
export type ConfigSource = { current(): LiveConfig };

/** A configuration, and what there is to say of how it came. */
export type ServedConfig = ConfigSource & {
  /** Epoch milliseconds. */
  readonly loadedAt: () => number;
  readonly lastError: () => string | undefined;
  /** Of what an operator published: the version of the credentials in use, and what could not be read. */
  readonly report?: () => Pick<ConfigReport, 'credentials' | 'rejected'>;
  /** What cannot be reached at the moment. */
  readonly degraded?: () => readonly string[];
};

/** Where rows of the cost log go. Never throws. */
export type CostLog = {
  /**
   * @param json the row as JSON
   * @param durable it outlives this process when this returns; else a moment later
   * @returns false: there is no room. That happens to rows that open an attempt, which must not be sent then
   */
  record(row: CostRecord, json: string, durable: boolean): boolean;
};

/** Who watches: metrics, the access log. Never blocks, never throws. */
export type Observer = {
  /** A request that was answered before any attempt. */
  /** @param plan of one that no backend could take, now or later: why each was left out */
  refused(exchange: Exchange, reason: Failure, plan?: Plan): void;
  /** A request that was attempted, when it is over. */
  served(trip: Trip): void;
  /** A request goes to another backend, for this reason: a trigger of `fallback.on`. */
  fellBack?(trip: Trip, reason: string): void;
  /** An attempt at the trip's candidate was kept back. */
  notSent?(trip: Trip, reason: Failure): void;
  /** Every row of the cost log as well. */
  attempted(row: CostRecord): void;
  /** A hook has said something, or failed to. */
  hooked?(exchange: Exchange, told: HookTold): void;
};

/** `dropped`: one that observes, and too many were being told already. */
export type HookOutcome = Exclude<Answer['kind'], 'failed'> | HookFailure | 'dropped';

export type HookTold = {
  readonly route: string;
  readonly hook: string;
  readonly when: 'Before' | 'After';
  readonly outcome: HookOutcome;
  /** Monotonic. */
  readonly startedAt: number;
  readonly ms: number;
};

/** An attempt that wants to go to its provider. */
export type Entrance = {
  readonly provider: ProviderEntry;
  /** Upper bound of the tokens of the attempt. */
  readonly tokens: number;
  /** Of the key: higher is let in first. */
  readonly priority: number;
  readonly client: Pick<ClientResponse, 'gone' | 'listener'>;
  /** Monotonic; nobody waits beyond it. */
  readonly deadline: number;
};

/** A place at the provider, until it is left; leaving twice is leaving once. */
export type Pass = {
  /** @param tokens what the attempt used; undefined: not known, all that was taken */
  leave(tokens?: number): void;
};

/** What providers are sent at most: their `limits`. */
export type Gate = {
  /** At once where there is a place, or none to wait for; an attempt that was let in leaves its pass, however it ends. */
  enter(entrance: Entrance): Parsed<Pass> | Promise<Parsed<Pass>>;
};

/** Who is told of what somebody should know. Never blocks, never throws. */
export type Alerts = { emit(alert: Alert): void };

/** The replicas whose time is the price of their models. */
export type GpuTime = {
  /** @param endpoint its origin; `leave` tells the seconds that were this attempt's */
  enter(endpoint: string): { leave(): number };
};

/**
 * What is measured of backends, and what is decided by it. Answers at once, from memory. All times are monotonic milliseconds.
 *
 * An attempt: `tryEnter` says whether its target's breaker lets it pass; then either `began`, as it is sent, whose observation always gets
 * an `ended`, or `left`, as something else kept it from being sent.
 */
export type BackendHealth = Health & {
  /** Where the breaker is half-open this takes a place of a probe, until `ended`, `left`, or the end of its lease. */
  tryEnter(candidate: Candidate, now: number): boolean;
  left(candidate: Candidate, now: number): void;
  /** @param expectedTokens of both directions */
  began(candidate: Candidate, expectedTokens: number, now: number): Observation;
  /** Whether one more retry at the same provider is within `retries.budgetPercent`; if so it is counted. Fallbacks do not ask. */
  retryAllowed(provider: ProviderEntry, budgetPercent: number, now: number): boolean;
  /**
   * Of routes that hedge by a percentile. Given up before its first token: the time until then, as a first token.
   * @param population id of the route; what follows a space tells its populations apart
   */
  routeFirstToken(population: string): LatencySketch;
  /** All that is known, for who asks how backends are: nothing on the path of a request does. */
  report(now: number): readonly TargetReport[];
};

/** One attempt that was sent. */
export type Observation = {
  /** @param ms since the attempt was sent; of streams only */
  firstToken(ms: number, now: number): void;
  /** Once; later calls do nothing. */
  ended(outcome: AttemptOutcome, now: number): void;
};

export type AttemptOutcome = {
  /** Absent: it went well, or was given up. */
  readonly failure?: Failure | undefined;
  /** It was given up from this side: the client left, or another attempt of a hedge won. Tells nothing of the target's health. */
  readonly abandoned?: boolean;
  /** Since it was sent. */
  readonly ms: number;
  readonly outputTokens?: number | undefined;
};

export type TargetReport = {
  readonly provider: ProviderEntry;
  readonly model: ModelEntry;
  readonly breaker: BreakerState;
  readonly health: TargetHealth;
};

/** What fallbacks of a route cost in this hour of the clock, over all pods as far as it is known. */
export type FallbackSpend = {
  /** Takes the expected cost from what is left; undefined: it does not fit. Settle it with what it did cost, 0 where it was not sent. */
  hold(routeId: string, budgetPerHour: NanoUsd, expectedCost: NanoUsd, now: number): SpendHold | undefined;
};
/** How many requests of a route are doubled. */
export type Hedges = {
  /** A request that may be. */
  requested(routeId: string, now: number): void;
  /** Whether one more is within `hedge.maxPercent`; if so it is counted. */
  take(routeId: string, maxPercent: number, now: number): boolean;
};

/** What requests are about, for routes that go by it. */
export type Tasks = {
  /** Never throws. undefined: nothing is near. */
  nearest(semantic: SemanticTasks, prompt: string): Promise<NearestTask | undefined>;
};

/** Answers that were given before. Never throws: a store that is away has none. */
export type Answers = {
  /** Of a request whose route has a cache. May wait a little for another one that asks the same. */
  visit(exchange: ChatExchange, call: Call): Promise<CacheVisit>;
  /** What all answers that are overheard at this moment may hold. */
  readonly allowance: Allowance;
};

/** Traces of requests, for their upstreams to belong to. */
export type Tracing = {
  /** @param headers of an attempt that is about to be sent */
  outgoing(requestId: string, attempt: number, headers: Record<string, string>): void;
};

export type SpendHold = { settle(cost: NanoUsd): void };

/** Self-hosted engines, judged by their own metrics. Answers at once, from memory. Endpoints are those of `connection.endpoints`. */
export type Engines = {
  /** How the endpoints stand that serve this model; undefined: the provider has none. */
  load({ provider, model }: Pick<Candidate, 'provider' | 'model'>): EngineLoad | undefined;
  /**
   * The endpoint of one attempt, which counts from now on as sent to it: asked for once an attempt, also where its body is prepared
   * twice. undefined: none of them may get requests (or the provider has none).
   */
  pick({ provider, model }: Pick<Candidate, 'provider' | 'model'>, ask: EndpointAsk): string | undefined;
  /** From when an attempt is sent until its first byte or its end: `unwatch` with the same arguments. */
  watch(provider: ProviderEntry, endpoint: string, attempt: EndpointWatcher): void;
  unwatch(provider: ProviderEntry, endpoint: string, attempt: EndpointWatcher): void;
  /**
   * An attempt is over, and whether it failed on the endpoint's account. Several failures in a row make it a last choice for a while.
   * @returns whether a failure counts against the provider as well: it has no other endpoint that serves the model
   */
  ended({ provider, model }: Pick<Candidate, 'provider' | 'model'>, endpoint: string, failed: boolean): boolean;
};

export type EndpointAsk = {
  /** Endpoints of the provider that had an attempt of this request; others come first. */
  readonly tried: readonly string[];
  /** Requests that begin alike go to the same endpoint: 32 bits of tenant and prompt. undefined: to the one with the least load. */
  readonly prefix: number | undefined;
  /** In [0, 1). */
  readonly random: number;
};

export type EndpointWatcher = {
  /** The endpoint is wedged, gone or asleep: no answer will come from it. Called once at most, and outside of `watch`. */
  endpointLost(): void;
};

/** Where this process is, and what it remembers: what plans depend on besides the request and the backends. */
export type Surroundings = {
  /** TOLLGATE_REGION and TOLLGATE_ZONE. */
  readonly home: Locality;
  /** Ready pods. */
  readonly pods: () => number;
  readonly sessions: Sessions;
};

export type Places = { take(): boolean; free(): void };
/** By the hook that takes them. */
export type HookPlaces = { take(hook: string): boolean; free(hook: string): void };

export type Ports = {
  readonly config: ConfigSource;
  readonly http: HttpClient;
  readonly identities: CloudIdentities;
  readonly costLog: CostLog;
  readonly admitter: Admitter;
  /** HTTP status of a request that a budget refuses. */
  readonly budgetExceededStatus: number;
  readonly observer: Observer;
  readonly now: () => number;
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** How many requests a route has planned before this one. */
  readonly turn: (routeId: string) => number;
  readonly surroundings: Surroundings;
  readonly pins: Pins;
  readonly newRequestId: () => string;
  readonly gate: Gate;
  readonly health: BackendHealth;
  readonly engines: Engines;
  readonly fallbackSpend: FallbackSpend;
  readonly hedges: Hedges;
  /** Absent: none are kept. */
  readonly answers?: Answers;
  /** Absent: nobody knows. */
  readonly tasks?: Tasks;
  /** Absent: there are none. */
  readonly tracing?: Tracing | undefined;
  readonly gpuTime: GpuTime;
  readonly alerts: Alerts;
  /** Places for attempts that read on after their client left. */
  readonly drains: Places;
  /** Places for questions to hooks that nobody waits for. */
  readonly hookPlaces: HookPlaces;
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
  readonly estimateTokens: (text: string) => Promise<number>;
  readonly fitsSchema: Fits;
  /** A cloud does not lend this process an identity to ask a provider with. */
  readonly onNoIdentity: (error: unknown, provider: string) => void;
  /** A bug of the gateway, in what a request can go on without. */
  readonly onBug: (error: unknown, requestId: string) => void;
};

/** One TenantKey as it is kept, whoever wrote it: the administration API or a person with an editor. Never a secret. */
export type KeyObject = {
  /** `namespace/name`. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly createdAt: EpochMillis | undefined;
  readonly updatedAt: EpochMillis | undefined;
  readonly spec: TenantKeySpec;
};

/** What becomes of an object: fields of `spec` and annotations to set; undefined takes one away. */
export type KeyChange = {
  readonly spec: { readonly [Field in keyof TenantKeySpec]?: unknown };
  readonly annotations?: Readonly<Record<string, string | undefined>>;
};

/** Where TenantKeys live. An answer to a change comes when the change is in force, and a change that would not be sound is taken back. */
export type KeyStore = {
  list(): readonly KeyObject[];
  create(key: Pick<KeyObject, 'namespace' | 'name'> & KeyChange): Promise<Parsed<KeyObject>>;
  /** `change` sees the newest version, one at a time for each key over all processes: no update is lost. */
  update(id: string, change: (key: KeyObject) => Parsed<KeyChange>): Promise<Parsed<KeyObject>>;
  delete(id: string): Promise<Parsed<KeyObject>>;
};
