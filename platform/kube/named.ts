// Keeps an eye on objects by their names: what each is now, and every change, for as long as the process lives. For a reader that may see
// its named objects and no others: it takes `get`, and `watch` (of one object with this field selector), and no `list`.
import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from './backoff.ts';
import type { KubeClient, WatchQuery } from './client.ts';
import { isKubeError } from './errors.ts';
import type { KubeObject, KubeResource } from './resource.ts';

export type NamedWatch = {
  /** Resolves when the object, or that there is none, was told for the first time. */
  readonly told: Promise<void>;
  /** Whether the last request about it succeeded. */
  readonly isInTouch: () => boolean;
  close(): void;
};

type Place = {
  readonly client: KubeClient;
  readonly resource: KubeResource;
  readonly namespace: string;
  /** A request failed; it is tried again. */
  readonly onFailure?: (error: Error) => void;
  /** In [0, 1). */
  readonly random: () => number;
};

export type NamedWatchOptions<T extends KubeObject> = Place & {
  readonly name: string;
  /** undefined: there is no such object. Told of what is new only. */
  readonly onChange: (object: T | undefined) => void;
};

export function watchNamed<T extends KubeObject>({ name, onChange, ...place }: NamedWatchOptions<T>): NamedWatch {
  const watch = new ManyNamed<T>({ ...place, fieldSelector: `metadata.name=${name}`, onChange: (_, object) => onChange(object) });
  const told = watch.add(name);
  return { told, isInTouch: () => watch.isInTouch, close: () => watch.close() };
}

export type ManyNamedOptions<T extends KubeObject> = Place & {
  /** Absent: the watch is of the whole namespace, and what nobody asked for is passed over. */
  readonly fieldSelector?: string;
  readonly onChange: (name: string, object: T | undefined) => void;
};

/** The server ends a watch; a tenth more or less by chance, so that not all pods come back at once. */
const WATCH_SECONDS = 290;
/** A server that sends no bookmark for this long is not heard any more. */
const SILENCE_MS = 120_000;
const BACKOFF = { baseMs: 100, maxMs: 4_000 };
/** A watch that ends sooner without an event counts as a failure. */
const SHORT_WATCH_MS = 1_000;
/** Objects that are read at the same time. */
const MAX_READS = 16;

type From = Pick<WatchQuery, 'resourceVersion' | 'sendInitialEvents' | 'resourceVersionMatch'>;
/** Servers before 1.32 know no `sendInitialEvents`, and begin with what there is. Newer ones do that over etcd 3.5 alone. */
const FROM_NOW: From = { resourceVersion: '', sendInitialEvents: 'false', resourceVersionMatch: 'NotOlderThan' };
const FROM_NOW_BEFORE_1_32: From = { resourceVersion: '0' };

type Entry = {
  /** uid and resourceVersion of what was told; undefined: nothing yet. */
  known: string | undefined;
  readonly told: PromiseWithResolvers<void>;
};

/** Several objects of a namespace by one watch. */
export class ManyNamed<T extends KubeObject> {
  readonly #options: ManyNamedOptions<T>;
  readonly #stopping = new AbortController();
  readonly #entries = new Map<string, Entry>();
  /** What there is now has to be asked: a watch says what changes. */
  readonly #open = new Set<string>();
  #version: string | undefined;
  #fromNow = FROM_NOW;
  #failures = 0;
  /** Of the watch that listens; ends it, to begin anew. */
  #ending: AbortController | undefined;
  #isReading = false;
  isInTouch = false;

  constructor(options: ManyNamedOptions<T>) {
    this.#options = options;
    void this.#run();
  }

  /** Resolves when the object, or that there is none, was told. */
  add(name: string): Promise<void> {
    const entry = this.#entries.get(name) ?? { known: undefined, told: Promise.withResolvers<void>() };
    if (!this.#entries.has(name)) this.#open.add(name);
    this.#entries.set(name, entry);
    if (this.#ending) void this.#read();
    return entry.told.promise;
  }

  remove(name: string): void {
    this.#entries.delete(name);
    this.#open.delete(name);
  }

  close(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const began = performance.now();
      try {
        await this.#watch();
        if (performance.now() - began < SHORT_WATCH_MS) throw new Error('the watch ended as soon as it had begun');
      } catch (error) {
        if (!signal.aborted) await pause(this.#waitAfter(error), undefined, { signal }).catch(() => {});
      }
    }
  }

  async #watch(): Promise<void> {
    const { client, resource, namespace, fieldSelector, random } = this.#options;
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(new Error(`nothing came for ${SILENCE_MS} ms`)), SILENCE_MS).unref();
    const from = this.#version === undefined ? this.#fromNow : { resourceVersion: this.#version };
    const timeoutSeconds = Math.round(WATCH_SECONDS * (0.9 + 0.2 * random()));
    const query = { namespace, ...(fieldSelector !== undefined && { fieldSelector }), ...from, timeoutSeconds };
    try {
      const events = await client.watch<T>(resource, query, AbortSignal.any([this.#stopping.signal, ending.signal]));
      this.#ending = ending;
      void this.#read();
      for await (const event of events) {
        timer.refresh();
        this.#version = event.kind === 'bookmark' ? event.resourceVersion : event.object.metadata.resourceVersion;
        if (event.kind !== 'bookmark')
          this.#tell(event.object.metadata.name, event.kind === 'deleted' ? undefined : event.object);
      }
    } finally {
      this.#ending = undefined;
      clearTimeout(timer);
    }
  }

  /** Once the watch listens: what changes after that, it tells. A failure ends the watch, so that both begin anew a little later. */
  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      // Names may be added until the very end.
      while (this.#open.size > 0)
        await Promise.all(Array.from({ length: Math.min(MAX_READS, this.#open.size) }, () => this.#readOpen()));
      this.isInTouch = true;
      this.#failures = 0;
    } catch (error) {
      this.#ending?.abort(error);
    } finally {
      this.#isReading = false;
    }
  }

  async #readOpen(): Promise<void> {
    const { client, resource, namespace } = this.#options;
    for (let name = first(this.#open); name !== undefined; name = first(this.#open)) {
      this.#open.delete(name);
      const known = this.#entries.get(name)?.known;
      try {
        const object = await client.find<T>(resource, { namespace, name }, this.#stopping.signal);
        // An event that came meanwhile is newer than what was asked before it.
        if (this.#entries.get(name)?.known === known) this.#tell(name, object);
      } catch (error) {
        if (this.#entries.has(name)) this.#open.add(name);
        throw error;
      }
    }
  }

  #tell(name: string, object: T | undefined): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    const { uid = '', resourceVersion = '' } = object?.metadata ?? {};
    const isNews = entry.known !== uid + resourceVersion;
    entry.known = uid + resourceVersion;
    this.#open.delete(name);
    if (isNews) this.#options.onChange(name, object);
    entry.told.resolve();
  }

  #waitAfter(error: unknown): number {
    this.#failures++;
    const isGone = isKubeError(error, 'gone');
    if (isKubeError(error, 'invalid') && this.#version === undefined) this.#fromNow = FROM_NOW_BEFORE_1_32;
    if (isGone) this.#forget();
    else {
      this.isInTouch = false;
      this.#options.onFailure?.(error as Error);
    }
    if (isGone && this.#failures === 1) return 0;
    const asked = isKubeError(error) ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(asked, backoffMs(this.#failures, BACKOFF, this.#options.random()));
  }

  /** What happened meanwhile nobody tells: each is asked again. */
  #forget(): void {
    this.#version = undefined;
    for (const name of this.#entries.keys()) this.#open.add(name);
  }
}

const first = (names: ReadonlySet<string>): string | undefined => names.values().next().value;
