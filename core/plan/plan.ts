// The plan of a request: which backends may be tried, in which order, and why others may not. Pure: any plan can be made again
// from the snapshot, the request's facts, what was known of the backends and the random number that went in.
import { takeSteps } from '../cascade/steps.ts';
import type { TargetHealth } from '../health/health.ts';
import type { ModelEntry, ProviderEntry, RouteEntry, Snapshot } from '../snapshot/snapshot.ts';
import { keepSession } from './affinity.ts';
import { weighAnew } from './auto-weight.ts';
import { type Backend, type Backends, backendsOf, type Downgrades, type Excluded } from './backends.ts';
import type { Candidate } from './candidate.ts';
import type { PlanContext } from './context.ts';
import { deniedRatio, denyDear } from './cost-guard.ts';
import { NEEDED } from './needs.ts';
import { strategies } from './strategies/index.ts';
import type { Standing, Strategy } from './strategies/strategy.ts';

export type { Downgrades, Excluded, ExcludedCause } from './backends.ts';

export type Plan = {
  /** Absent for a direct call. */
  readonly route?: RouteEntry;
  /**
   * In the order to try; the first of them takes the request. Those that are out for the moment are at the end, and in `excluded` as well:
   * nothing is sent to them while they are out, but they may be back when the others have failed, or soon enough to wait for.
   */
  readonly candidates: readonly Candidate[];
  readonly excluded: readonly Excluded[];
  /** Where there was something to choose: how the candidates stood. Their health is of now, not of then. */
  readonly standings?: readonly Standing[] | undefined;
};

/** It may take this very request later on. */
export const isOutForNow = ({ cause }: Excluded): boolean => cause === 'circuit-open' || cause === 'no-engine';

/** What the strategy saw of a candidate. */
export type Score = {
  readonly backend: string;
  readonly priority: number;
  /** After `autoWeight`. */
  readonly weight: number;
  /** Behind all other priorities for the moment: every engine of its provider is full. */
  readonly saturated: boolean;
  /** What the strategy goes by, with its unit; absent where it goes by weights or turns alone. */
  readonly figure?: string;
  /** undefined: not known. */
  readonly value?: number | undefined;
};

/** @param scores is filled with those of all candidates, for who asks why; nothing is scored for nobody */
export function planRoute(
  snapshot: Snapshot,
  route: RouteEntry,
  modelRequested: string,
  context: PlanContext,
  downgrades: Downgrades = 'none',
  scores?: Score[],
): Plan {
  const backends = backendsOf(snapshot, route, modelRequested, downgrades);
  return new Planning(route, backends, context, scores).plan();
}

/** A request for `<provider>/<model>` that no route takes: it goes there, or nowhere. */
export function planDirect(provider: ProviderEntry, model: ModelEntry, { health, now }: PlanContext): Plan {
  const candidate = directCandidate(provider, model);
  const excluded = outForNow(candidate.backend, health.of(candidate, now), now);
  return { candidates: [candidate], excluded: excluded ? [excluded] : [] };
}

const direct = new WeakMap<ModelEntry, Candidate>();

/** The same one each time, so that whoever measures candidates can tell them by their identity. */
function directCandidate(provider: ProviderEntry, model: ModelEntry): Candidate {
  let candidate = direct.get(model);
  if (candidate?.provider !== provider) {
    candidate = { backend: provider.name, provider, model, priority: 0, weight: 1 };
    direct.set(model, candidate);
  }
  return candidate;
}

/** One plan as it comes to be. */
class Planning {
  readonly #route: RouteEntry;
  readonly #backends: Backends;
  readonly #context: PlanContext;
  readonly #strategy: Strategy;
  readonly #scores: Score[] | undefined;
  readonly #candidates: Candidate[] = [];
  /** That of the route itself, until there is more to say. */
  #excluded: readonly Excluded[];
  /** Behind all others; most plans have none. */
  #full: Candidate[] | undefined;
  /** Out for the moment. */
  #resting: Candidate[] | undefined;
  #standings: readonly Standing[] | undefined;
  /** Bits of `NEEDED`. */
  readonly #needed: number;
  /** Tokens that the model's window must hold, at least. */
  readonly #size: number;

  constructor(route: RouteEntry, backends: Backends, context: PlanContext, scores: Score[] | undefined) {
    this.#route = route;
    this.#backends = backends;
    this.#context = context;
    this.#strategy = strategies[route.strategy];
    this.#scores = scores;
    this.#excluded = backends.excluded;
    this.#needed = neededOf(backends, context);
    this.#size = sizeOf(backends, context);
  }

  plan(): Plan {
    const { groups, downgradesFrom } = this.#backends;
    const route = this.#route;
    for (let index = 0; index < groups.length; index++) {
      if (index === downgradesFrom) this.#endWithFull();
      if (this.#mayGoOn(index)) this.#take(groups[index]!);
      else this.#leaveOut(groups[index]!);
    }
    this.#endWithFull();
    // A step is no fallback for the one before it, however dear.
    const steps = route.cascade && takeSteps(this.#candidates, route.cascade);
    if (this.#resting) this.#candidates.push(...this.#resting);
    if (deniedRatio(route) !== undefined && this.#candidates.length > 0)
      denyDear(this.#candidates, groups[0]!, route, this.#context.needs, this.#addExcluded());
    return {
      route,
      candidates: steps ? [...steps, ...this.#candidates] : this.#candidates,
      excluded: this.#excluded,
      standings: this.#standings,
    };
  }

  #endWithFull(): void {
    if (this.#full) this.#candidates.push(...this.#full);
    this.#full = undefined;
  }

  /** The first group is never a fallback. The others are, of a circuit that is open, where all before them are out for that. */
  #mayGoOn(index: number): boolean {
    if (index === 0 || this.#candidates.length > 0 || this.#full) return true;
    if (this.#route.fallback.on.includes('CircuitOpen')) return true;
    return !this.#excluded.some(({ cause }) => cause === 'circuit-open');
  }

  #leaveOut(group: readonly Backend[]): void {
    const reason = 'the backends before it are out for an open circuit, and fallback.on has no CircuitOpen';
    for (const { candidate } of group)
      this.#addExcluded().push({ backend: candidate.backend, reason, cause: 'fallback-not-allowed' });
  }

  /** Those of a group that can take the request: to the plan in the strategy's order, full engines behind the others. */
  #take(group: readonly Backend[]): void {
    const ready: Standing[] = [];
    let full: Standing[] | undefined;
    for (const backend of group) {
      const { candidate, hash } = backend;
      const health = this.#context.health.of(candidate, this.#context.now);
      // What lies with the request comes before what lies with the moment: waiting would not help.
      const never = this.#obstacle(backend);
      const excluded = never ?? outForNow(candidate.backend, health, this.#context.now);
      if (excluded) this.#addExcluded().push(excluded);
      if (excluded && !never) this.#resting = [...(this.#resting ?? []), candidate];
      if (excluded) continue;
      const standing = { candidate, health, hash, weight: candidate.weight, score: 0 };
      if (health.engine?.saturated) full = [...(full ?? []), standing];
      else ready.push(standing);
    }
    const isFirst = this.#candidates.length === 0;
    this.#order(ready);
    if (isFirst) keepSession(ready, this.#context, this.#route);
    for (const { candidate } of ready) this.#candidates.push(candidate);
    if (full) this.#takeFull(full);
  }

  /** Where `fallback.on` has no Saturated, a full engine is still tried before the next priority. */
  #takeFull(full: Standing[]): void {
    this.#order(full);
    const spills = this.#route.fallback.on.includes('Saturated');
    if (spills) this.#full ??= [];
    for (const { candidate } of full) (spills ? this.#full! : this.#candidates).push(candidate);
  }

  #order(standings: Standing[]): void {
    weighAnew(standings, this.#route);
    if (standings.length > 1) {
      this.#strategy.order(standings, this.#context, this.#route);
      this.#standings = this.#standings ? [...this.#standings, ...standings] : standings;
    }
    if (this.#scores) for (const standing of standings) this.#scores.push(this.#scoreOf(standing));
  }

  #scoreOf(standing: Standing): Score {
    const { candidate, weight, health } = standing;
    const { figure } = this.#strategy;
    return {
      backend: candidate.backend,
      priority: candidate.priority,
      weight,
      saturated: health.engine?.saturated === true,
      ...(figure && { figure: figure.name, value: figure.of(standing, this.#context, this.#route) }),
    };
  }

  /** Why it can never take this request. */
  #obstacle({ candidate, lacks, window }: Backend): Excluded | undefined {
    const missing = lacks & this.#needed;
    if (missing !== 0) return lacking(candidate, missing);
    return this.#size > window ? tooSmall(candidate, window, this.#size) : undefined;
  }

  /** A list of this plan's own. */
  #addExcluded(): Excluded[] {
    if (this.#excluded === this.#backends.excluded) this.#excluded = [...this.#excluded];
    return this.#excluded as Excluded[];
  }
}

function neededOf({ lackable }: Backends, { needs }: PlanContext): number {
  let bits = 0;
  for (const capability of lackable) if (needs.needs(capability)) bits |= 1 << NEEDED.indexOf(capability);
  return bits;
}

/** 0 where it fits everywhere by the cheapest look. */
function sizeOf({ window }: Backends, { needs }: PlanContext): number {
  if (window === Number.POSITIVE_INFINITY) return 0;
  const output = needs.maxOutputTokens() ?? 0;
  return needs.inputTokens() + output <= window ? 0 : needs.leastInputTokens() + output;
}

function outForNow(backend: string, { openUntil, mayTry, engine }: TargetHealth, now: number): Excluded | undefined {
  if (now < openUntil) return { backend, reason: 'its circuit breaker is open', cause: 'circuit-open', until: openUntil };
  if (openUntil !== 0 && !mayTry)
    return { backend, reason: 'its circuit breaker is open, and a probe is under way', cause: 'circuit-open', until: now };
  if (engine?.usable === 0) return { backend, reason: 'no engine of it can take requests', cause: 'no-engine' };
  return undefined;
}

function lacking({ backend, model }: Candidate, missing: number): Excluded {
  const names = NEEDED.filter((_, bit) => missing & (1 << bit)).join(' and ');
  return { backend, reason: `the request needs ${names}, which ${model.name} does not have`, cause: 'lacks-capability' };
}

function tooSmall({ backend, model }: Candidate, window: number, size: number): Excluded {
  const reason = `the request has at least ${size} tokens with its answer, and ${model.name} takes ${window}`;
  return { backend, reason, cause: 'context-window' };
}
