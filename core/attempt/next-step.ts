// What happens after an attempt failed and nothing has reached the client: try the same backend again, another one, or give
// up. A pure function of the failure, the progress so far and the route's policy; the table in core/failure.ts has the classes.
import { type Failure, policyOf } from '../failure.ts';
import type { Candidate } from '../plan/candidate.ts';
import type { RouteEntry } from '../snapshot/snapshot.ts';
import { type Millis, millis } from '../units.ts';

export type AttemptPolicy = Pick<RouteEntry, 'retries' | 'fallback'>;

/** One request's way through its plan. Indexes point into `candidates`. */
export type Progress = {
  readonly candidates: readonly Candidate[];
  readonly current: number;
  /** Attempts made on each candidate. */
  readonly tried: readonly number[];
  /** Attempts that failed after the provider may have done the work. */
  readonly possiblyBilled: number;
  /** Until the request's deadline. */
  readonly timeLeft: Millis;
};

export type Step =
  | { readonly kind: 'retry'; readonly after: Millis }
  | { readonly kind: 'fallback'; readonly to: number; readonly reason: string }
  | { readonly kind: 'fail' };

/** @param random in [0, 1), for the jitter of the backoff */
export function nextStep(failure: Failure, progress: Progress, policy: AttemptPolicy, random: number): Step {
  if (progress.timeLeft <= 0) return { kind: 'fail' };
  const retry = retryStep(failure, progress, policy, random);
  const fallback = fallbackStep(failure, progress, policy);
  const elsewhereFirst = policyOf(failure).elsewhereFirst === true;
  return (elsewhereFirst ? (fallback ?? retry) : (retry ?? fallback)) ?? { kind: 'fail' };
}

function retryStep(failure: Failure, progress: Progress, { retries }: AttemptPolicy, random: number): Step | undefined {
  const { retry } = policyOf(failure);
  if (!retry || !retries.on.includes(retry)) return undefined;
  const made = progress.tried[progress.current] ?? 0;
  if (made > retries.attempts) return undefined;
  // A request that may have been billed already is sent at most once more (reliability.md 3.1, row 14).
  if (failure.possiblyBilled && progress.possiblyBilled > 1) return undefined;
  const after = waitFor(failure, made, retries.backoff, random);
  return after !== undefined && after < progress.timeLeft ? { kind: 'retry', after } : undefined;
}

/**
 * Full jitter: a random part of base x 2^(attempts made - 1), at most `max` (AWS Architecture Blog, "Exponential Backoff And Jitter").
 * What the provider asked for wins, up to `max`; when it asks for more, waiting here is not worth it.
 */
function waitFor(
  failure: Failure,
  made: number,
  { base, max }: { base: Millis; max: Millis },
  random: number,
): Millis | undefined {
  if (failure.retryAfter !== undefined) return failure.retryAfter <= max ? failure.retryAfter : undefined;
  return millis(Math.round(random * Math.min(max, base * 2 ** (made - 1))));
}

function fallbackStep(failure: Failure, progress: Progress, { fallback }: AttemptPolicy): Step | undefined {
  const policy = policyOf(failure);
  const trigger = policy.fallback;
  if (!trigger) return undefined;
  // A failure of the provider that is not retried any more is `Exhausted`, whatever its own trigger; the caller's mistakes are not.
  const exhausted = policy.origin === 'upstream' && fallback.on.includes('Exhausted');
  if (!exhausted && !fallback.on.includes(trigger)) return undefined;
  const to = nextCandidate(failure, progress, fallback);
  return to === undefined ? undefined : { kind: 'fallback', to, reason: trigger };
}

/** The backends named for the class, where the route names some; else the next of the plan that was not tried. */
function nextCandidate(failure: Failure, progress: Progress, fallback: AttemptPolicy['fallback']): number | undefined {
  const named =
    failure.class === 'content_filtered'
      ? fallback.contentFiltered
      : failure.class === 'context_length_exceeded'
        ? fallback.contextLengthExceeded
        : undefined;
  const order = named ? named.map(name => progress.candidates.findIndex(c => c.backend === name)) : progress.candidates.keys();
  for (const index of order) if (index >= 0 && (progress.tried[index] ?? 0) === 0) return index;
  return undefined;
}
