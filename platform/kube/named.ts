// Keeps an eye on one object by its name: what it is now, and every change, for as long as the process lives. For a reader that may see
// its named objects and no others: it takes `get`, and `watch` with this field selector, and no `list`.
import { setTimeout as pause } from 'node:timers/promises';
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

export type NamedWatchOptions<T extends KubeObject> = {
  readonly client: KubeClient;
  readonly resource: KubeResource;
  readonly namespace: string;
  readonly name: string;
  /** undefined: there is no such object. Told of what is new only. */
  readonly onChange: (object: T | undefined) => void;
  /** A request failed; it is tried again. */
  readonly onFailure?: (error: Error) => void;
  /** In [0, 1). */
  readonly random: () => number;
};

/** The server ends a watch; a tenth more or less by chance, so that not all pods come back at once. */
const WATCH_SECONDS = 290;
/** A server that sends no bookmark for this long is not heard any more. */
const SILENCE_MS = 120_000;
const BACKOFF = { firstMs: 100, maxMs: 4_000 };
/** A watch that ends sooner without an event counts as a failure. */
const SHORT_WATCH_MS = 1_000;

export function watchNamed<T extends KubeObject>(options: NamedWatchOptions<T>): NamedWatch {
  const stopping = new AbortController();
  const told = Promise.withResolvers<void>();
  const state = { isInTouch: false };
  void follow(options, stopping.signal, state, told.resolve);
  return { told: told.promise, isInTouch: () => state.isInTouch, close: () => stopping.abort() };
}

async function follow<T extends KubeObject>(
  options: NamedWatchOptions<T>,
  signal: AbortSignal,
  state: { isInTouch: boolean },
  told: () => void,
): Promise<void> {
  let version: string | undefined;
  let fromNow: From = FROM_NOW;
  let known: string | undefined;
  let failures = 0;
  const tell = (object: T | undefined) => {
    const { uid = '', resourceVersion = '' } = object?.metadata ?? {};
    if (known !== uid + resourceVersion) options.onChange(object);
    known = uid + resourceVersion;
    told();
  };
  while (!signal.aborted) {
    const began = performance.now();
    try {
      // The watch says what changes from now on; what there is now is asked once it listens.
      const isFresh = version === undefined;
      let hasEvent = false;
      const watch = await watchFrom<T>(options, version === undefined ? fromNow : { resourceVersion: version }, signal);
      const asked = isFresh ? askedFor(options, signal).then(object => hasEvent || tell(object)) : Promise.resolve();
      asked.then(
        () => {
          state.isInTouch = true;
          failures = 0;
        },
        error => watch.end(error as Error),
      );
      for await (const event of watch.events) {
        version = event.kind === 'bookmark' ? event.resourceVersion : event.object.metadata.resourceVersion;
        hasEvent ||= event.kind !== 'bookmark';
        if (event.kind !== 'bookmark') tell(event.kind === 'deleted' ? undefined : event.object);
      }
      await asked;
      if (performance.now() - began < SHORT_WATCH_MS) throw new Error('the watch ended as soon as it had begun');
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      const isGone = isKubeError(error, 'gone');
      if (isKubeError(error, 'invalid') && version === undefined) fromNow = FROM_NOW_BEFORE_1_32;
      if (isGone) version = undefined;
      else {
        state.isInTouch = false;
        options.onFailure?.(error as Error);
      }
      const asked = isKubeError(error) ? (error.retryAfterMs ?? 0) : 0;
      const wait = Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** Math.min(failures - 1, 20)) * (0.5 + options.random() / 2);
      await pause(isGone && failures === 1 ? 0 : Math.max(asked, wait), undefined, { signal }).catch(() => {});
    }
  }
}

type From = Pick<WatchQuery, 'resourceVersion' | 'sendInitialEvents' | 'resourceVersionMatch'>;
/** Servers before 1.32 know no `sendInitialEvents`, and begin with what there is. Newer ones do that over etcd 3.5 alone. */
const FROM_NOW: From = { resourceVersion: '', sendInitialEvents: 'false', resourceVersionMatch: 'NotOlderThan' };
const FROM_NOW_BEFORE_1_32: From = { resourceVersion: '0' };

const askedFor = <T extends KubeObject>({ client, resource, namespace, name }: NamedWatchOptions<T>, signal: AbortSignal) =>
  client.find<T>(resource, { namespace, name }, signal);

async function watchFrom<T extends KubeObject>(options: NamedWatchOptions<T>, from: From, signal: AbortSignal) {
  const silence = new AbortController();
  const end = (error: Error) => silence.abort(error);
  const timer = setTimeout(() => end(new Error(`nothing came for ${SILENCE_MS} ms`)), SILENCE_MS).unref();
  const { client, resource, namespace, name, random } = options;
  const selection = { namespace, fieldSelector: `metadata.name=${name}` };
  const timeoutSeconds = Math.round(WATCH_SECONDS * (0.9 + 0.2 * random()));
  const either = AbortSignal.any([signal, silence.signal]);
  const events = await client.watch<T>(resource, { ...selection, ...from, timeoutSeconds }, either);
  async function* watched() {
    try {
      for await (const event of events) {
        timer.refresh();
        yield event;
      }
    } finally {
      clearTimeout(timer);
    }
  }
  return { events: watched(), end };
}
