// A request's way through its plan: where it is, what was tried, how long it may go on.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Progress } from '#core/attempt/next-step.ts';
import type { Failure } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { Plan } from '#core/plan/plan.ts';
import { type Millis, millis } from '#core/units.ts';
import type { AttemptResult } from './attempt.ts';
import { type Estimate, InputKnowledge } from './bounds.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';
import { Hold, type HoldPorts } from './hold.ts';

export type TripPorts = HoldPorts & { readonly estimateTokens: Estimate };

export class Trip {
  readonly exchange: Exchange;
  readonly call: Call;
  readonly input: InputKnowledge;
  readonly hold: Hold;
  /** Monotonic milliseconds; Infinity without a limit over all attempts. */
  readonly deadline: number;
  #plan: Plan;
  tried: number[];
  current = 0;
  /** Attempts sent to an upstream. */
  attempts = 0;
  fallbacks = 0;
  possiblyBilled = 0;
  /** Milliseconds spent waiting for upstreams, finished attempts only. */
  upstreamMs = 0;
  readonly #attempted: Candidate[] = [];
  /** Of the last attempt. */
  failure: Failure | undefined;
  /** Fields that the current target could not take. */
  dropped: readonly string[] = [];
  /** From the arrival of the request, where the answer was streamed. */
  firstTokenMs: number | undefined;

  constructor(exchange: Exchange, call: Call, ports: TripPorts) {
    this.exchange = exchange;
    this.call = call;
    this.#plan = call.plan;
    this.tried = call.plan.candidates.map(() => 0);
    const limit = call.envelope.controls.timeout ?? call.plan.route?.timeouts.request ?? Number.POSITIVE_INFINITY;
    this.deadline = exchange.startedAt + limit;
    this.input = new InputKnowledge(exchange, call.body, ports.estimateTokens);
    const asked = { modelRequested: call.envelope.model, requestId: exchange.id, limitsAlone: false };
    this.hold = new Hold((bound, leaseUntil) => call.key.demands.of({ ...asked, bound, leaseUntil }), call.key, ports);
  }

  get plan(): Plan {
    return this.#plan;
  }

  get candidates(): readonly Candidate[] {
    return this.#plan.candidates;
  }

  /** Goes on by another plan, from its beginning. */
  replan(plan: Plan): void {
    this.#plan = plan;
    this.tried = plan.candidates.map(() => 0);
    this.current = 0;
  }

  get candidate(): Candidate {
    return this.candidates[this.current]!;
  }

  timeLeft(now: number): Millis {
    return millis(this.deadline - now);
  }

  progress(now: number): Progress {
    return {
      candidates: this.candidates,
      current: this.current,
      tried: this.tried,
      possiblyBilled: this.possiblyBilled,
      timeLeft: this.timeLeft(now),
    };
  }

  /** Whether an attempt now is the request's first at its provider, its model, both. */
  isFirst(): CostRecord['isFirst'] {
    const { provider, model } = this.candidate;
    const seen = this.#attempted;
    return {
      ofProvider: !seen.some(c => c.provider.id === provider.id),
      ofModel: !seen.some(c => c.model.name === model.name),
      ofBoth: !seen.some(c => c.provider.id === provider.id && c.model.name === model.name),
    };
  }

  /** An attempt is sent. */
  began(): void {
    this.attempts++;
    this.#attempted.push(this.candidate);
  }

  ended({ duration, failure }: AttemptResult): void {
    this.upstreamMs += duration;
    if (failure?.possiblyBilled) this.possiblyBilled++;
  }

  fallBackTo(index: number): void {
    this.current = index;
    this.fallbacks++;
  }
}
