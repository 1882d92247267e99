// A request's way through its plan: where it is, what was tried, how long it may go on.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Progress } from '#core/attempt/next-step.ts';
import type { Failure } from '#core/failure.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type Millis, millis } from '#core/units.ts';
import type { AttemptResult } from './attempt.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';

export class Trip {
  readonly exchange: Exchange;
  readonly call: Call;
  readonly candidates: readonly Candidate[];
  /** Monotonic milliseconds; Infinity without a limit over all attempts. */
  readonly deadline: number;
  readonly tried: number[];
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

  constructor(exchange: Exchange, call: Call) {
    this.exchange = exchange;
    this.call = call;
    this.candidates = call.plan.candidates;
    this.tried = this.candidates.map(() => 0);
    const limit = call.envelope.controls.timeout ?? call.plan.route?.timeouts.request ?? Number.POSITIVE_INFINITY;
    this.deadline = exchange.startedAt + limit;
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

  /** Whether this is the request's first attempt at its provider, its model, both; from then on there has been one. */
  isFirst(): CostRecord['isFirst'] {
    const { provider, model } = this.candidate;
    const seen = this.#attempted;
    const isFirst = {
      ofProvider: !seen.some(c => c.provider.id === provider.id),
      ofModel: !seen.some(c => c.model.name === model.name),
      ofBoth: !seen.some(c => c.provider.id === provider.id && c.model.name === model.name),
    };
    seen.push(this.candidate);
    return isFirst;
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
