// What this process knows of the backends: each attempt is noted as it begins and ends, and asked for by the planner and the loop. All of it
// is in memory and answers at once.
import { type Failure, policyOf } from '#core/failure.ts';
import { Breaker, type BreakerSettings, type BreakerState, blameOf, type Probe } from '#core/health/breaker.ts';
import { type EngineLoad, type TargetHealth, type TargetId, targetOf } from '#core/health/health.ts';
import { MovingMean } from '#core/health/mean.ts';
import { RetryBudget } from '#core/health/retry-budget.ts';
import { Sketch } from '#core/health/sketch.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { ModelEntry, ObjectId, ProviderEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import type { Millis } from '#core/units.ts';
import type { AttemptOutcome, BackendHealth, Observation, TargetReport } from '../ports.ts';

export type ObservationsParts = {
  readonly snapshot: () => Snapshot;
  /** See `TargetHealth.usage`. */
  readonly usage?: (provider: ProviderEntry) => number | undefined;
  /** Of the provider's account, as it is sent. */
  readonly credential?: (provider: ProviderEntry) => string | undefined;
  readonly engine?: (candidate: Served, now: number) => EngineLoad | undefined;
  /** @param model absent: of the whole provider */
  readonly onTurn?: (turn: { readonly provider: ObjectId; readonly model?: string; readonly to: BreakerState }) => void;
  readonly onRetryDenied?: (provider: ObjectId) => void;
};

type Served = Pick<Candidate, 'provider' | 'model'>;
/** A target or, where all its models are tripped at once, a provider. */
export type BreakerId = TargetId | ObjectId;
/** Told after each change of a breaker of this process. */
export type OnBreaker = (id: BreakerId, breaker: Breaker, to: BreakerState) => void;

/** A breaker that is not closed. */
export type Tripped = {
  readonly id: BreakerId;
  readonly breaker: Breaker;
  readonly settings: BreakerSettings;
  /** When a request last asked for it; monotonic milliseconds. */
  readonly askedAt: number;
};

type Index = { readonly snapshot: Snapshot; readonly targets: ReadonlyMap<TargetId, Served> };

const servedBy = ({ providers }: Snapshot): Index['targets'] =>
  new Map(
    Object.values(providers).flatMap(provider =>
      provider.models.map(model => [targetOf({ provider, model }), { provider, model }]),
    ),
  );

export class Observations implements BackendHealth {
  /** Told of each change, to share it. */
  onBreaker: OnBreaker = () => {};
  readonly #parts: ObservationsParts;
  readonly #targets = new Map<TargetId, Target>();
  readonly #providers = new Map<ObjectId, Provider>();
  /** The same, without the text of an id to be made. */
  readonly #byModel = new WeakMap<ModelEntry, Target>();
  /** By population. */
  readonly #routes = new Map<string, Sketch>();
  #index: Index | undefined;

  constructor(parts: ObservationsParts) {
    this.#parts = parts;
  }

  // ------------------------------------------------------------ the planner's questions

  of(candidate: Served, now: number): TargetHealth {
    return this.#target(candidate).seenAt(now);
  }

  routeFirstToken(population: string): Sketch {
    let sketch = this.#routes.get(population);
    if (!sketch) {
      sketch = new Sketch();
      this.#routes.set(population, sketch);
    }
    return sketch;
  }

  report(now: number): readonly TargetReport[] {
    return [...this.#targets.values()].map(target => target.report(now));
  }

  // ------------------------------------------------------------ the loop's attempts

  tryEnter(candidate: Candidate, now: number): boolean {
    return this.#target(candidate).enter(now);
  }

  left(candidate: Candidate): void {
    this.#target(candidate).left();
  }

  began(candidate: Candidate, expectedTokens: number, now: number): Observation {
    return new Attempted(this.#target(candidate), expectedTokens, now);
  }

  retryAllowed(provider: ProviderEntry, budgetPercent: number, now: number): boolean {
    const allowed = this.#provider(provider).retries.take(budgetPercent, now);
    if (!allowed) this.#parts.onRetryDenied?.(provider.id);
    return allowed;
  }

  // ------------------------------------------------------------ in the background

  /** Of what the configuration names; undefined: it names no such thing. */
  breaker(id: BreakerId): Breaker | undefined {
    const { snapshot, targets } = this.#named();
    const served = targets.get(id);
    if (served) return this.#target(served).breaker;
    return Object.hasOwn(snapshot.providers, id) ? this.#provider(snapshot.providers[id]!).breaker : undefined;
  }

  /** Whether it is of a provider as a whole. */
  isAccount(id: BreakerId): boolean {
    return this.#providers.has(id);
  }

  tripped(): readonly Tripped[] {
    return [...this.#providers.values(), ...this.#targets.values()].filter(({ breaker }) => breaker.openUntil !== 0);
  }

  /** Forgets what the configuration does not name any more, and tries accounts whose credential has changed. To be called now and then. */
  sweep(now: number): void {
    const { snapshot, targets } = this.#named();
    for (const [id, target] of this.#targets) if (!targets.has(id) && target.inFlight === 0) this.#targets.delete(id);
    const inUse = new Set([...this.#targets.values()].map(target => target.provider.id));
    for (const [id, provider] of this.#providers) {
      if (!Object.hasOwn(snapshot.providers, id) && !inUse.has(id)) this.#providers.delete(id);
      else if (provider.breaker.openUntil > now && this.#credentialOf(provider) !== provider.trippedWith)
        provider.breaker.reconsider(now);
    }
    const routes = new Set(snapshot.routes.map(route => route.id));
    for (const population of this.#routes.keys()) if (!routes.has(population.split(' ')[0]!)) this.#routes.delete(population);
  }

  // ------------------------------------------------------------ what there is

  #target(served: Served): Target {
    const { provider, model } = served;
    const known = this.#byModel.get(model);
    if (known?.served.provider === provider) return known;
    const id = targetOf(served);
    let target = this.#targets.get(id);
    if (!target) {
      target = new Target(id, served, this.#provider(provider), this.#parts, to => this.#turned(id, to, provider.id, model.name));
      this.#targets.set(id, target);
    }
    // Another configuration, or another candidate of the same model: the newest one's settings hold.
    target.served = served;
    target.provider.entry = provider;
    this.#byModel.set(model, target);
    return target;
  }

  #provider(entry: ProviderEntry): Provider {
    let provider = this.#providers.get(entry.id);
    if (!provider) {
      provider = new Provider(entry, to => this.#turned(entry.id, to, entry.id));
      this.#providers.set(entry.id, provider);
    }
    return provider;
  }

  #named(): Index {
    const snapshot = this.#parts.snapshot();
    if (this.#index?.snapshot !== snapshot) this.#index = { snapshot, targets: servedBy(snapshot) };
    return this.#index;
  }

  #credentialOf({ entry }: Provider): string | undefined {
    return this.#parts.credential?.(entry);
  }

  #turned(id: BreakerId, to: BreakerState, provider: ObjectId, model?: string): void {
    this.#parts.onTurn?.({ provider, to, ...(model !== undefined && { model }) });
    const owner = model === undefined ? this.#providers.get(id) : this.#targets.get(id);
    if (!owner) return;
    if (owner instanceof Provider && to === 'open') owner.trippedWith = this.#credentialOf(owner);
    this.onBreaker(id, owner.breaker, to);
  }
}

/** What its models have in common: an account, and a budget of retries. */
class Provider implements Tripped {
  entry: ProviderEntry;
  readonly breaker: Breaker;
  readonly retries = new RetryBudget();
  /** The credential that was refused. */
  trippedWith: string | undefined;
  askedAt = Number.NEGATIVE_INFINITY;

  constructor(entry: ProviderEntry, onTurn: (to: BreakerState) => void) {
    this.entry = entry;
    this.breaker = new Breaker(onTurn);
  }

  get id(): ObjectId {
    return this.entry.id;
  }

  get settings(): BreakerSettings {
    return this.entry.circuitBreaker;
  }
}

class Target implements TargetHealth, Tripped {
  readonly id: TargetId;
  served: Served;
  readonly provider: Provider;
  readonly breaker: Breaker;
  readonly latencies = new Sketch();
  readonly speed = new MovingMean();
  inFlight = 0;
  outstandingTokens = 0;
  readonly #parts: ObservationsParts;
  #now = Number.NEGATIVE_INFINITY;

  constructor(id: TargetId, served: Served, provider: Provider, parts: ObservationsParts, onTurn: (to: BreakerState) => void) {
    this.id = id;
    this.served = served;
    this.provider = provider;
    this.#parts = parts;
    this.breaker = new Breaker(onTurn);
  }

  seenAt(now: number): this {
    this.#now = now;
    this.provider.askedAt = now;
    return this;
  }

  get askedAt(): number {
    return this.#now;
  }

  get settings(): BreakerSettings {
    return this.served.provider.circuitBreaker;
  }

  get openUntil(): number {
    return Math.max(this.breaker.openUntil, this.provider.breaker.openUntil);
  }

  get mayTry(): boolean {
    return this.breaker.mayTry(this.settings, this.#now) && this.provider.breaker.mayTry(this.settings, this.#now);
  }

  get tokensPerSecond(): number | undefined {
    return this.speed.value;
  }

  get errorRate(): number | undefined {
    return this.breaker.errorRate(this.settings, this.#now);
  }

  latency(percentile: number, window: Millis): Millis | undefined {
    return this.latencies.percentile(percentile, window, this.#now);
  }

  get usage(): number | undefined {
    return this.#parts.usage?.(this.served.provider);
  }

  get engine(): EngineLoad | undefined {
    return this.#parts.engine?.(this.served, this.#now);
  }

  enter(now: number): boolean {
    const { provider, model } = this.served;
    const lease = model.firstToken ?? provider.timeouts.firstToken;
    if (!this.breaker.enter(this.settings, lease, now)) return false;
    if (this.provider.breaker.enter(this.settings, lease, now)) return true;
    this.breaker.left();
    return false;
  }

  left(): void {
    this.breaker.left();
    this.provider.breaker.left();
  }

  report(now: number): TargetReport {
    const { provider, model } = this.served;
    const breaker = this.openUntil === 0 ? 'closed' : this.openUntil > now ? 'open' : 'half-open';
    return { provider, model, breaker, health: this.seenAt(now) };
  }
}

class Attempted implements Observation {
  readonly startedAt: number;
  readonly probe: Probe | undefined;
  readonly #target: Target;
  /** As its provider's breaker sees it. */
  readonly #ofProvider: { readonly startedAt: number; readonly probe: Probe | undefined } | undefined;
  readonly #tokens: number;
  #firstTokenMs: number | undefined;
  #hasEnded = false;

  constructor(target: Target, expectedTokens: number, now: number) {
    const { provider } = target;
    this.#target = target;
    this.startedAt = now;
    this.probe = target.breaker.began();
    this.#ofProvider = provider.breaker.openUntil === 0 ? undefined : { startedAt: now, probe: provider.breaker.began() };
    this.#tokens = expectedTokens;
    target.inFlight++;
    target.outstandingTokens += expectedTokens;
    provider.retries.attempted(now);
  }

  firstToken(ms: number, now: number): void {
    if (this.#firstTokenMs !== undefined || this.#hasEnded) return;
    const { breaker, latencies, provider } = this.#target;
    this.#firstTokenMs = ms;
    latencies.add(ms, now);
    breaker.firstToken(this, now);
    if (this.#ofProvider) provider.breaker.firstToken(this.#ofProvider, now);
  }

  ended(outcome: AttemptOutcome, now: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#target.inFlight--;
    this.#target.outstandingTokens -= this.#tokens;
    if (outcome.abandoned) this.#gaveUp();
    else if (outcome.failure) this.#failed(outcome.failure, now);
    else this.#succeeded(outcome, now);
    if (this.#firstTokenMs === undefined) this.#waited(outcome, now);
  }

  /** Who waited in vain waited at least that long. Failures that come at once tell nothing of how fast answers are. */
  #waited({ failure, abandoned, ms }: AttemptOutcome, now: number): void {
    const { latencies } = this.#target;
    if (abandoned) latencies.addAtLeast(ms, now);
    else if (!failure || policyOf(failure).fallback === 'Timeout') latencies.add(ms, now);
  }

  #succeeded({ ms, outputTokens }: AttemptOutcome, now: number): void {
    const { breaker, provider, settings, speed } = this.#target;
    breaker.succeeded(this, settings, now);
    if (this.#ofProvider) provider.breaker.succeeded(this.#ofProvider, settings, now);
    const writing = ms - (this.#firstTokenMs ?? 0);
    if (outputTokens !== undefined && outputTokens > 0 && writing > 0) speed.add((outputTokens / writing) * 1000);
  }

  #gaveUp(): void {
    this.#target.breaker.endedOtherwise(this);
    if (this.#ofProvider) this.#target.provider.breaker.endedOtherwise(this.#ofProvider);
  }

  #failed(reason: Failure, now: number): void {
    const { breaker, provider, settings } = this.#target;
    const blame = blameOf(reason);
    this.#gaveUp();
    if (blame === 'target') breaker.failed(reason, this, settings, now);
    else if (blame === 'account') provider.breaker.trip(reason, this, settings, now);
  }
}
