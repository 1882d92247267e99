// When a target gets nothing for a while: open after failures, half-open to try whether it works again, closed by a success. Pure: the
// caller brings the time and the settings, which may change from call to call.
import { type Failure, policyOf } from '../failure.ts';
import type { ProviderEntry } from '../snapshot/snapshot.ts';
import { SlidingCounts } from './sliding-counts.ts';

export type BreakerSettings = ProviderEntry['circuitBreaker'];
export type BreakerState = 'closed' | 'half-open' | 'open';

/** Whom a failure speaks against. `account`: all models of the provider, and for long. */
export type Blame = 'nobody' | 'target' | 'account';

export function blameOf(failure: Failure): Blame {
  const { hurtsHealth, origin } = policyOf(failure);
  if (!hurtsHealth || origin === 'caller') return 'nobody';
  return failure.class === 'upstream_quota_exhausted' ? 'account' : 'target';
}

/** The place of an attempt that tries whether a target works again. Not held beyond `until`, whatever becomes of the attempt. */
export type Probe = { readonly until: number; hasBegun: boolean };

/** An attempt as a breaker judges it. Times are monotonic milliseconds. */
export type Tried = { readonly startedAt: number; readonly probe: Probe | undefined };

/** What another process learnt: that it opened at `at` until `until`, after so long a cooldown; or that it closed. */
export type Learnt =
  | { readonly kind: 'opened'; readonly at: number; readonly until: number; readonly cooldown: number }
  | { readonly kind: 'closed'; readonly at: number };

/** Told after each change. `half-open`: the first probe was let in. */
export type OnTurn = (to: BreakerState, now: number) => void;

/** Lanes of the counts. */
const GOOD = 0;
const FAILED = 1;

export class Breaker {
  readonly #onTurn: OnTurn;
  /** 0: closed. */
  #openUntil = 0;
  #openedAt = Number.NEGATIVE_INFINITY;
  #closedAt = Number.NEGATIVE_INFINITY;
  /** The last cooldown, for as long as no whole answer has come since; 0: none. */
  #cooldown = 0;
  #consecutive = 0;
  readonly #ends = new SlidingCounts(2);
  #probes: Probe[] = [];
  #hasProbed = false;
  #elsewhere = { places: 0, until: 0 };

  constructor(onTurn: OnTurn = () => {}) {
    this.#onTurn = onTurn;
  }

  /** 0: closed. In the past: half-open. */
  get openUntil(): number {
    return this.#openUntil;
  }

  state(now: number): BreakerState {
    if (this.#openUntil === 0) return 'closed';
    return now < this.#openUntil ? 'open' : 'half-open';
  }

  /** What others may learn of it. */
  get learnt(): Learnt {
    if (this.#openUntil === 0) return { kind: 'closed', at: this.#closedAt };
    return { kind: 'opened', at: this.#openedAt, until: this.#openUntil, cooldown: this.#cooldown };
  }

  mayTry(settings: BreakerSettings, now: number): boolean {
    if (this.#openUntil === 0) return true;
    return now >= this.#openUntil && this.#placesTaken(now) < settings.halfOpenProbes;
  }

  isProbing(now: number): boolean {
    return this.#probes.some(probe => probe.until > now);
  }

  /** @param lease how long a probe keeps its place at most, in ms */
  enter(settings: BreakerSettings, lease: number, now: number): boolean {
    if (!this.mayTry(settings, now)) return false;
    if (this.#openUntil !== 0) {
      this.#probes.push({ until: now + lease, hasBegun: false });
      if (!this.#hasProbed) this.#onTurn('half-open', now);
      this.#hasProbed = true;
    }
    return true;
  }

  /** Who entered does not go on. */
  left(): void {
    this.#free(this.#probes.find(probe => !probe.hasBegun));
  }

  /** Who entered is sent. */
  began(): Probe | undefined {
    const probe = this.#probes.find(entered => !entered.hasBegun);
    if (probe) probe.hasBegun = true;
    return probe;
  }

  /** A stream that has begun shows that the target works again; the whole answer is still to come, and may yet fail. */
  firstToken({ startedAt, probe }: Tried, now: number): void {
    this.#free(probe);
    if (this.#openUntil !== 0 && startedAt > this.#openedAt) this.#close(now);
  }

  succeeded({ startedAt, probe }: Tried, settings: BreakerSettings, now: number): void {
    this.#free(probe);
    // It began before the breaker opened, and says nothing of what was learnt since.
    if (startedAt <= this.#openedAt) return;
    if (this.#openUntil !== 0) this.#close(now);
    this.#cooldown = 0;
    this.#consecutive = 0;
    this.#ends.add(GOOD, settings.window, now);
  }

  /** It ended without a word about the target's health. */
  endedOtherwise({ probe }: Tried): void {
    this.#free(probe);
  }

  /** A failure that the target is to blame for. */
  failed(failure: Failure, tried: Tried, settings: BreakerSettings, now: number): void {
    this.#free(tried.probe);
    const wait = failure.retryAfter ?? 0;
    // A provider that says when there is room again is not broken: no count, no longer cooldown than it asks for.
    if (failure.class === 'upstream_rate_limited' && wait > 0) return this.#open(now + wait, settings.cooldown, now);
    // What began before the breaker opened belongs to the trouble that opened it.
    if (tried.startedAt <= this.#openedAt) return this.#openUntil === 0 ? undefined : this.#openUntilLater(now + wait, now);
    this.#consecutive++;
    this.#ends.add(FAILED, settings.window, now);
    const cooldown = this.#cooldownAfter(tried, settings, now);
    if (cooldown > 0) this.#open(now + Math.max(cooldown, wait), cooldown, now);
  }

  /** At once and for long, whatever the counts say. */
  trip(failure: Failure, tried: Tried, settings: BreakerSettings, now: number): void {
    this.#free(tried.probe);
    this.#open(now + Math.max(settings.maxCooldown, failure.retryAfter ?? 0), settings.maxCooldown, now);
  }

  /** What it opened for may be mended: it may be tried at once. */
  reconsider(now: number): void {
    if (now < this.#openUntil) this.#openUntil = now;
  }

  /** Deadlines by the later; an opening by a later close, and the other way round. */
  learn(learnt: Learnt, now: number): void {
    if (learnt.kind === 'closed') {
      const closedAt = Math.max(this.#closedAt, learnt.at);
      if (this.#openUntil !== 0 && learnt.at > this.#openedAt) {
        this.#close(now);
        this.#cooldown = 0;
      }
      this.#closedAt = closedAt;
    } else if (learnt.at > this.#closedAt) {
      this.#cooldown = Math.max(this.#cooldown, learnt.cooldown);
      this.#openedAt = Math.max(this.#openedAt, learnt.at);
      this.#openUntilLater(learnt.until, now);
    }
  }

  /** Other processes hold so many places of probes, until then or until the next news. */
  heldElsewhere(places: number, until: number): void {
    this.#elsewhere = { places, until };
  }

  /** Share of failures in the window; undefined: too few ends to tell. */
  errorRate(settings: BreakerSettings, now: number): number | undefined {
    const all = this.#ends.all(settings.window, now);
    return all < settings.minRequests ? undefined : this.#ends.sum(FAILED, settings.window, now) / all;
  }

  /** After a failure that counts: how long it opens for; 0: it does not. */
  #cooldownAfter({ probe }: Tried, settings: BreakerSettings, now: number): number {
    const state = this.state(now);
    if (state === 'open') return this.#cooldown;
    // Also a probe whose stream had begun, and closed the breaker, where no whole answer has come since.
    const isRelapse = state === 'half-open' || (probe !== undefined && this.#cooldown > 0);
    if (isRelapse) return Math.min(settings.maxCooldown, Math.max(settings.cooldown, this.#cooldown * 2));
    const isTooMuch = this.#consecutive >= settings.consecutiveFailures;
    return isTooMuch || (this.errorRate(settings, now) ?? -1) >= settings.errorRate ? settings.cooldown : 0;
  }

  #open(until: number, cooldown: number, now: number): void {
    this.#cooldown = Math.max(this.#cooldown, cooldown);
    this.#openedAt = now;
    this.#openUntilLater(until, now);
  }

  /** An earlier deadline changes nothing. */
  #openUntilLater(until: number, now: number): void {
    if (until <= this.#openUntil) return;
    const wasOpen = this.state(now) === 'open';
    this.#openUntil = until;
    if (wasOpen || now >= until) return;
    this.#probes = [];
    this.#hasProbed = false;
    this.#onTurn('open', now);
  }

  #close(now: number): void {
    this.#openUntil = 0;
    this.#closedAt = now;
    this.#consecutive = 0;
    this.#ends.clear();
    this.#probes = [];
    this.#onTurn('closed', now);
  }

  #placesTaken(now: number): number {
    if (this.#probes.some(probe => probe.until <= now)) this.#probes = this.#probes.filter(probe => probe.until > now);
    return this.#probes.length + (now < this.#elsewhere.until ? this.#elsewhere.places : 0);
  }

  #free(probe: Probe | undefined): void {
    if (probe) this.#probes = this.#probes.filter(other => other !== probe);
  }
}
