// What is known of the backends at this moment, as the planner reads it. Everything is measured elsewhere; here are its shapes.
import type { Candidate } from '../plan/candidate.ts';
import type { Millis } from '../units.ts';

/** One model at one provider: what breaks, is slow and is loaded together. */
export type TargetId = string;

export const targetOf = ({ provider, model }: Pick<Candidate, 'provider' | 'model'>): TargetId =>
  `${provider.id} ${model.upstreamName}`;

/**
 * All pods' knowledge where they share it, this process's where they do not. Times are milliseconds of a clock that never goes back.
 *
 * It is a view, not a copy: as of the `now` it was asked for with, and good until its target is asked for again.
 */
export type TargetHealth = {
  /** 0: its breaker is closed. Else it is left out until then; later it may be probed, as `mayTry` says. */
  readonly openUntil: number;
  /** Whether the breaker would let one more attempt pass now. */
  readonly mayTry: boolean;
  /** Attempts of this process that are under way. */
  readonly inFlight: number;
  /** Tokens that those are expected to take, both directions. */
  readonly outstandingTokens: number;
  /** Output tokens a second that one attempt gets; undefined: not known yet. */
  readonly tokensPerSecond: number | undefined;
  /** Share of attempts that failed on the target's account, over its breaker's window; undefined: too few to tell. */
  readonly errorRate: number | undefined;
  /** Time to the first token (to the whole answer where it is not streamed) of that percentile over that window; undefined: too few to tell. */
  latency(percentile: number, window: Millis): Millis | undefined;
  /** The larger share of its provider's `rpm` and `tpm` that is used, from 0; undefined without such limits. */
  readonly usage: number | undefined;
  /** Self-hosted engines alone; undefined: hosted, or nothing is scraped from it. */
  readonly engine: EngineLoad | undefined;
};

/** Times to first tokens, as they come in. */
export type LatencySketch = {
  /** @param ms how long it took */
  add(ms: number, now: number): void;
  /** @returns undefined: too few within the window to tell */
  percentile(percentile: number, window: Millis, now: number): Millis | undefined;
};

/** The endpoints of one engine provider together. */
export type EngineLoad = {
  /** Endpoints that may get requests. 0: it is left out. */
  readonly usable: number;
  /** All usable ones are. With hysteresis. */
  readonly saturated: boolean;
  /** `load` (core/engines/load.ts) of the least loaded usable endpoint: 1 is the threshold of saturation. */
  readonly load: number;
};

/** @param now monotonic milliseconds */
export type Health = { of(candidate: Candidate, now: number): TargetHealth };

const unknownTarget: TargetHealth = {
  openUntil: 0,
  mayTry: true,
  inFlight: 0,
  outstandingTokens: 0,
  tokensPerSecond: undefined,
  errorRate: undefined,
  latency: () => undefined,
  usage: undefined,
  engine: undefined,
};

/** Nothing is known: for `tollgate explain` without a running gateway, and before the first request. */
export const unknownHealth: Health = { of: () => unknownTarget };
