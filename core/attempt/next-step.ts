// What happens after an attempt failed: try the same backend again, another one, wait for one to recover, or give up. A pure function
// of the failure, the progress so far and the route's policy; the table in core/failure.ts has the classes.
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
  /** Attempts so far, those that were kept back here among them. */
  readonly made: number;
  /** The attempt that failed was sent: what was kept back here would be so again. */
  readonly sent: boolean;
  /** Attempts that failed after the provider may have done the work. */
  readonly possiblyBilled: number;
  /** Until the request's deadline. */
  readonly timeLeft: Millis;
  /** Spent so far on waiting for backends to recover. */
  readonly waited: Millis;
  /** Until the candidate may be tried; 0: now; Infinity: it cannot take this request. */
  readonly availableIn: (index: number) => Millis;
  /** The provider's retry budget has room. */
  readonly mayRetry: boolean;
  /** The backend that failed is suspect (it has broken off an answer): any other comes before it. */
  readonly elsewhereFirst: boolean;
};

export type Step =
  /** `to` is the candidate to try, after a wait of that long. */
  | { readonly kind: 'retry'; readonly to: number; readonly after: Millis }
  | { readonly kind: 'fallback'; readonly to: number; readonly after: Millis; readonly reason: string }
  /** @property retryAfter when the first backend may be tried again, where all of them are left out for now */
  | { readonly kind: 'fail'; readonly retryAfter: Millis | undefined };

/** What retries, fallbacks and the models of a request's own `fallbacks` come to, multiplied, stays below this. */
const MAX_ATTEMPTS = 32;
/** A request waits for backends to recover this long in all, and for no more than this part of the time it has left. */
const MAX_WAIT = millis(1000);
const WAIT_PART = 0.1;

/** @param random in [0, 1), for the jitter of the backoff */
export function nextStep(failure: Failure, progress: Progress, policy: AttemptPolicy, random: number): Step {
  if (progress.timeLeft <= 0 || progress.made >= MAX_ATTEMPTS) return giveUp(progress);
  const elsewhereFirst = progress.elsewhereFirst || policyOf(failure).elsewhereFirst === true;
  const retry = () => retryStep(failure, progress, policy, random);
  const fallback = () => fallbackStep(failure, progress, policy);
  const step = elsewhereFirst ? (fallback() ?? retry()) : (retry() ?? fallback());
  return step ?? recoveryStep(failure, progress, policy) ?? giveUp(progress);
}

function giveUp({ candidates, availableIn }: Progress): Step {
  const waits = candidates.map((_, index) => availableIn(index)).filter(Number.isFinite);
  const earliest = waits.length > 0 ? Math.min(...waits) : 0;
  return { kind: 'fail', retryAfter: earliest > 0 ? millis(earliest) : undefined };
}

function retryStep(failure: Failure, progress: Progress, { retries }: AttemptPolicy, random: number): Step | undefined {
  const { retry } = policyOf(failure);
  const { current, sent, mayRetry } = progress;
  if (!retry || !sent || !mayRetry || !retries.on.includes(retry)) return undefined;
  const made = progress.tried[current] ?? 0;
  if (made > retries.attempts) return undefined;
  // A request that may have been billed already is sent at most once more.
  if (failure.possiblyBilled && progress.possiblyBilled > 1) return undefined;
  const after = waitFor(failure, made, retries.backoff, random);
  if (after === undefined || after >= progress.timeLeft || progress.availableIn(current) > after) return undefined;
  return { kind: 'retry', to: current, after };
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

function fallbackStep(failure: Failure, progress: Progress, policy: AttemptPolicy): Step | undefined {
  for (const to of elsewhere(failure, progress, policy))
    if (progress.availableIn(to) === 0) return { kind: 'fallback', to, after: millis(0), reason: reasonOf(failure) };
  return undefined;
}

/** Every backend that is left gets nothing at this moment: the first to recover is waited for, where that is soon. */
function recoveryStep(failure: Failure, progress: Progress, policy: AttemptPolicy): Step | undefined {
  const { current, availableIn, waited, timeLeft } = progress;
  const isOpen = failure.class === 'circuit_open';
  const left = [...elsewhere(failure, progress, policy), ...(isOpen ? [current] : [])];
  const [to, after] = left
    .map(index => [index, availableIn(index)] as const)
    .reduce((best, one) => (one[1] < best[1] ? one : best), [-1, millis(Number.POSITIVE_INFINITY)] as const);
  if (to < 0 || waited + after > MAX_WAIT || after > timeLeft * WAIT_PART) return undefined;
  return { kind: 'fallback', to, after, reason: 'CircuitOpen' };
}

const reasonOf = (failure: Failure): string => policyOf(failure).fallback ?? 'Exhausted';

/** The other backends that the failure may go to, in order: those named for its class, where the route names some; else the plan's. */
function elsewhere(failure: Failure, { candidates, tried, current }: Progress, { fallback }: AttemptPolicy): readonly number[] {
  const policy = policyOf(failure);
  const trigger = policy.fallback;
  if (!trigger) return [];
  // A failure of the provider that is not retried any more is `Exhausted`, whatever its own trigger; the caller's mistakes are not.
  const exhausted = policy.origin === 'upstream' && fallback.on.includes('Exhausted');
  if (!exhausted && !fallback.on.includes(trigger)) return [];
  const named =
    failure.class === 'content_filtered'
      ? fallback.contentFiltered
      : failure.class === 'context_length_exceeded'
        ? fallback.contextLengthExceeded
        : undefined;
  const order = named ? named.map(name => candidates.findIndex(c => c.backend === name)) : [...candidates.keys()];
  return order.filter(index => index >= 0 && index !== current && (tried[index] ?? 0) === 0);
}
