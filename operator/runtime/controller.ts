// A controller: what changes in its sources becomes keys, and each key is reconciled, by a few at a time, until it needs nothing more.
import type { Clock } from '#platform/clock.ts';
import { isKubeError } from '#platform/kube/errors.ts';
import type { KubeObject } from '#platform/kube/resource.ts';
import type { Log } from '#platform/log.ts';
import type { ControllerMetrics, RuntimeMetrics } from './metrics.ts';
import { itemBackoff, type Priority, WorkQueue } from './queue.ts';
import type { Source } from './source.ts';
import type { Change } from './store.ts';

export type Outcome =
  | { readonly kind: 'done' }
  /** All is well, and something is due by then. */
  | { readonly kind: 'again'; readonly afterMs: number }
  /** It failed, and may not the next time. */
  | { readonly kind: 'retry'; readonly reason: string }
  /** It failed, and will until something changes. */
  | { readonly kind: 'stuck'; readonly reason: string };

/**
 * Brings the world in line with what the sources say of `key` now; it is told no more than that, so that it cannot depend on an event.
 * A `KubeError` that it throws is a `retry`; anything else that it throws is a bug, counted as a panic, and retried.
 * @param signal aborted when its time is over, or the controller ends
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<Outcome>;

export type ControllerOptions = {
  readonly name: string;
  readonly sources: readonly KeySource[];
  readonly reconcile: Reconcile;
  readonly workers: number;
  /** Of one reconciliation. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: RuntimeMetrics;
};

/** A source, and which keys its changes touch. */
export type KeySource = {
  synced(): Promise<void>;
  /** Tells of all there is, then of every change. @returns to be called to hear no more */
  subscribe(tell: (keys: Iterable<string>, priority: Priority, afterMs: number) => void): () => void;
};

/**
 * @param keysOf the keys that a change touches; an `updated` one has its object before, too
 * @param afterMs lets changes gather: all that come within this time of the first make one reconciliation
 */
export function keysFrom<T extends KubeObject>(
  source: Source<T>,
  keysOf: (change: Change<T>) => Iterable<string> = change => [change.key],
  afterMs = 0,
): KeySource {
  return {
    synced: () => source.synced(),
    subscribe(tell) {
      for (const [key, object] of source.objects) tell(keysOf({ kind: 'added', key, object, isInitial: true }), 'low', afterMs);
      return source.onChange(change => tell(keysOf(change), change.isInitial ? 'low' : 'normal', afterMs));
    },
  };
}

const TIMEOUT_MS = 60_000;

/** Resolves when `signal` is aborted and all that was under way has ended. Begins with all objects there are, once all sources have synced. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  await Promise.race([Promise.all(options.sources.map(source => source.synced())), aborted(signal)]);
  if (signal.aborted) return;
  const run = new ControllerRun(options, signal);
  const leaves = options.sources.map(source => source.subscribe((keys, priority, afterMs) => run.add(keys, priority, afterMs)));
  await aborted(signal);
  for (const leave of leaves) leave();
  await run.drained();
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

class ControllerRun {
  readonly #options: ControllerOptions;
  readonly #signal: AbortSignal;
  readonly #queue: WorkQueue;
  readonly #metrics: ControllerMetrics;
  /** Start of what is being worked on, by key. */
  readonly #running = new Map<string, number>();
  readonly #drained = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #isWoken = false;
  #isEnding = false;

  constructor(options: ControllerOptions, signal: AbortSignal) {
    const { name, workers, random, metrics } = options;
    this.#options = options;
    this.#signal = signal;
    this.#queue = new WorkQueue({ backoff: itemBackoff, random });
    this.#metrics = metrics.controller(name, workers, () => ({
      depth: this.#queue.depth,
      runningMs: [...this.#running.values()].map(since => this.#now() - since),
    }));
  }

  add(keys: Iterable<string>, priority: Priority, afterMs: number): void {
    const now = this.#now();
    for (const key of keys) {
      if (afterMs > 0) this.#queue.addAt(key, now + afterMs);
      else this.#queue.add(key, now, priority);
      this.#metrics.added();
    }
    this.#wake();
  }

  /** Resolves when nothing is under way any more; nothing new is begun. */
  async drained(): Promise<void> {
    this.#isEnding = true;
    this.#queue.shutDown();
    clearTimeout(this.#timer);
    if (this.#queue.isDrained) return;
    await this.#drained.promise;
  }

  /** Once per turn of the event loop, however much was added in it. */
  #wake(): void {
    if (this.#isWoken || this.#isEnding) return;
    this.#isWoken = true;
    setImmediate(() => {
      this.#isWoken = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    if (this.#isEnding) return;
    while (this.#running.size < this.#options.workers) {
      const taken = this.#queue.take(this.#now());
      if (!taken) break;
      this.#metrics.taken(taken.waitedMs);
      void this.#work(taken.key);
    }
    clearTimeout(this.#timer);
    const { nextAt } = this.#queue;
    if (nextAt !== undefined) this.#timer = setTimeout(() => this.#dispatch(), timerMs(nextAt - this.#now())).unref();
  }

  async #work(key: string): Promise<void> {
    const began = this.#now();
    this.#running.set(key, began);
    const outcome = await this.#outcomeOf(key);
    this.#settle(key, outcome, this.#now() - began);
    this.#running.delete(key);
    this.#queue.done(key);
    if (this.#isEnding && this.#queue.isDrained) this.#drained.resolve();
    this.#wake();
  }

  async #outcomeOf(key: string): Promise<Failed | Outcome> {
    const { reconcile, timeoutMs = TIMEOUT_MS } = this.#options;
    const timeout = new AbortController();
    const timer = setTimeout(() => {
      this.#metrics.timedOut();
      timeout.abort(new Error(`took longer than ${timeoutMs} ms`));
    }, timeoutMs);
    try {
      return await reconcile(key, AbortSignal.any([this.#signal, timeout.signal]));
    } catch (error) {
      return this.#failure(key, error);
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(key: string, error: unknown): Failed {
    // A term that ended in the middle of a reconciliation is no failure of it.
    if (this.#signal.aborted) return { kind: 'retry', reason: 'the controller ended', leastMs: 0 };
    if (isKubeError(error)) return { kind: 'retry', reason: error.message, leastMs: error.retryAfterMs ?? 0 };
    this.#metrics.panicked();
    this.#options.log.error({ controller: this.#options.name, key, error }, 'a reconciler threw');
    return { kind: 'retry', reason: (error as Error)?.message ?? String(error), leastMs: 0 };
  }

  #settle(key: string, outcome: Failed | Outcome, tookMs: number): void {
    switch (outcome.kind) {
      case 'done':
        this.#queue.forget(key);
        this.#metrics.reconciled('success', tookMs);
        return;
      case 'again':
        this.#queue.forget(key);
        this.#queue.addAt(key, this.#now() + outcome.afterMs);
        this.#metrics.reconciled('requeue_after', tookMs);
        return;
      case 'retry':
        this.#queue.addAfterFailure(key, this.#now(), 'leastMs' in outcome ? outcome.leastMs : 0);
        this.#metrics.retried();
        break;
      case 'stuck':
        this.#queue.forget(key);
        this.#metrics.stuck();
        break;
      default:
        throw new TypeError(`unknown outcome: ${(outcome satisfies never as Outcome).kind}`);
    }
    this.#metrics.reconciled('error', tookMs);
    this.#options.log.info(
      { controller: this.#options.name, key, outcome: outcome.kind, reason: outcome.reason },
      'not reconciled',
    );
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

/** A retry with a wait that the API server asked for. */
type Failed = { readonly kind: 'retry'; readonly reason: string; readonly leastMs: number };

/** Node's timers go no further than 24 days, and one that is late by a fraction finds nothing due. */
const timerMs = (ms: number): number => Math.min(Math.max(0, Math.ceil(ms)), 2 ** 31 - 1);
