// Keeps a copy of all objects of one kind, and tells of every change: a paged list, then watches from where it ended. It never gives
// up: every error is followed by another attempt, a little later each time.
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '#platform/clock.ts';
import { type Backoff, backoffMs } from '#platform/kube/backoff.ts';
import type { KubeClient, Selection } from '#platform/kube/client.ts';
import { isKubeError } from '#platform/kube/errors.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';
import type { WatchEvent } from '#platform/kube/watch.ts';
import type { Log } from '#platform/log.ts';
import type { ReflectorMetrics } from './metrics.ts';
import type { Listener, Source } from './source.ts';
import { type Change, ObjectStore, type Trim, withoutBookkeeping } from './store.ts';

export type ReflectorOptions<T extends KubeObject> = {
  readonly client: KubeClient;
  readonly resource: KubeResource;
  /** Default: all objects of all namespaces. */
  readonly selection?: Selection;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics?: ReflectorMetrics;
  /** What is kept of an object. Default: all but bookkeeping. */
  readonly trim?: Trim<T>;
  readonly timing?: Partial<ReflectorTiming>;
};

export type ReflectorTiming = {
  readonly pageSize: number;
  /** After which the server ends a watch; a tenth more or less by chance, so that not all watches end at once. */
  readonly watchSeconds: number;
  /** Without an event or bookmark for this long a watch is begun anew. The server sends a bookmark every minute or so. */
  readonly silenceMs: number;
  readonly backoff: Backoff;
};

const usual: ReflectorTiming = {
  pageSize: 500,
  watchSeconds: 290,
  silenceMs: 120_000,
  // An outage of hours is over four seconds after the API server is back, and costs it a request every three seconds until then.
  backoff: { baseMs: 100, maxMs: 4_000 },
};

/** A watch that ends sooner than this without an event counts as a failure, or a proxy that cuts it would be asked without pause. */
const SHORT_WATCH_MS = 1_000;

export class Reflector<T extends KubeObject> implements Source<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #timing: ReflectorTiming;
  readonly #store: ObjectStore<T>;
  readonly #listeners = new Set<Listener<T>>();
  readonly #stopping = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  /** From where to watch; undefined: the next step is a list. */
  #version: string | undefined;
  #failures = 0;
  #hasSynced = false;
  #heardAt: number;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timing = { ...usual, ...options.timing };
    this.#store = new ObjectStore(options.trim ?? withoutBookkeeping);
    this.#heardAt = options.clock.monotonic();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get(key: string): T | undefined {
    return this.#store.objects.get(key);
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#store.objects;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Since the last list, event or bookmark. */
  get silentSeconds(): number {
    return (this.#options.clock.monotonic() - this.#heardAt) / 1000;
  }

  onChange(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const leave = this.#options.metrics?.observe(this.#options.resource.plural, () => this.silentSeconds);
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch(this.#version!);
      } catch (error) {
        if (signal.aborted) break;
        const waitMs = this.#waitAfter(error);
        await pause(waitMs, undefined, { signal }).catch(() => {});
      }
    }
    leave?.();
  }

  async #list(): Promise<void> {
    const { client, resource, selection, metrics } = this.#options;
    const { signal } = this.#stopping;
    metrics?.listed(resource.plural);
    const items: T[] = [];
    let version: string;
    let continueToken: string | undefined;
    do {
      const page = await client.page<T>(resource, { ...selection, limit: this.#timing.pageSize, continueToken }, signal);
      for (const item of page.items) items.push(item);
      ({ resourceVersion: version, continueToken } = page);
    } while (continueToken !== undefined);
    this.#version = version;
    this.#heard();
    const changes = this.#store.replace(items, !this.#hasSynced);
    for (const change of changes) this.#tell(change);
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  async #watch(resourceVersion: string): Promise<void> {
    const { client, resource, selection, metrics, clock } = this.#options;
    const watchdog = new Watchdog(this.#timing.silenceMs);
    const signal = AbortSignal.any([this.#stopping.signal, watchdog.signal]);
    const began = clock.monotonic();
    let events = 0;
    metrics?.watched(resource.plural);
    try {
      const watch = await client.watch<T>(
        resource,
        { ...selection, resourceVersion, timeoutSeconds: this.#watchSeconds() },
        signal,
      );
      for await (const event of watch) {
        watchdog.rest();
        events += 1;
        this.#failures = 0;
        this.#take(event);
      }
    } finally {
      watchdog.end();
    }
    if (events === 0 && clock.monotonic() - began < SHORT_WATCH_MS) throw new Error('the watch ended as soon as it had begun');
    this.#failures = 0;
  }

  #take(event: WatchEvent<T>): void {
    this.#heard();
    if (event.kind === 'bookmark') {
      this.#version = event.resourceVersion;
      return;
    }
    const change = this.#store.take(event.kind, event.object);
    this.#version = event.object.metadata.resourceVersion!;
    if (change) this.#tell(change);
  }

  #heard(): void {
    this.#heardAt = this.#options.clock.monotonic();
  }

  #waitAfter(error: unknown): number {
    const { log, metrics, resource, random } = this.#options;
    const isGone = isKubeError(error, 'gone');
    if (isGone) this.#version = undefined;
    this.#failures += 1;
    const kind = isKubeError(error) ? error.kind : 'ended';
    metrics?.failed(resource.plural, kind);
    // The first of a row is the news; of the rest, one in ten.
    const level = this.#failures % 10 === 1 && !isGone ? 'warn' : 'debug';
    log[level]({ kind: resource.kind, error: (error as Error).message, failures: this.#failures }, 'watch: tries again');
    if (isGone && this.#failures === 1) return 0;
    const asked = isKubeError(error) ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(asked, backoffMs(this.#failures, this.#timing.backoff, random()));
  }

  /** What a listener throws is its own failure: the others hear of the change all the same. */
  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#options.log.error({ kind: this.#options.resource.kind, key: change.key, error }, 'a listener failed');
      }
    }
  }

  #watchSeconds(): number {
    return Math.round(this.#timing.watchSeconds * (0.9 + 0.2 * this.#options.random()));
  }
}

/** Aborts after a time without `rest`. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(silenceMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new Error(`nothing came for ${silenceMs} ms`)), silenceMs);
    this.#timer.unref();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  rest(): void {
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
