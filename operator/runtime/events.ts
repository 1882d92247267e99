// Writes Kubernetes Events: what people find with `kubectl describe`. They are told as well as may be and keep nobody waiting: what
// happens again is counted into the event that is there, what comes in a flood is left out and counted, what fails is not tried again.
import type { Clock } from '#platform/clock.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import { isKubeError } from '#platform/kube/errors.ts';
import { apiVersionOf, type KubeObject, type KubeResource, keyOf, microTime } from '#platform/kube/resource.ts';
import type { Log } from '#platform/log.ts';

/** What happened to an object. */
export type Happening = {
  readonly resource: KubeResource;
  readonly object: KubeObject;
  readonly isWarning: boolean;
  readonly reason: string;
  /** What was tried or done. */
  readonly action: string;
  readonly note: string;
};

export type EventRecorderOptions = {
  readonly client: KubeClient;
  /** The name of the controller, as `tollgate.dev/operator`. */
  readonly controller: string;
  /** Of this process. */
  readonly instance: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly onOutcome?: (outcome: EventOutcome) => void;
};

export type EventOutcome = 'written' | 'left_out' | 'failed';

export const events: KubeResource = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

type Event = KubeObject & { readonly [field: string]: unknown };

/** An event that was written, and what has happened again since. */
type Told = { readonly name: string; count: number; writtenAt: number };

const BURST = 100;
const PER_SECOND = 2;
/** As client-go: what happens again within this time is the same series. */
const SERIES_MS = 6 * 60_000;
/** A series is written at most so often. */
const SERIES_EVERY_MS = 60_000;
const MAX_TOLD = 1_000;
/** Limits of events.k8s.io/v1, in bytes. */
const MAX_NOTE = 1_024;
const MAX_WORD = 128;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #told = new Map<string, Told>();
  #tokens = BURST;
  #filledAt: number;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#filledAt = options.clock.monotonic();
  }

  /** Returns at once. */
  record(happening: Happening): void {
    const now = this.#options.clock.monotonic();
    const id = identityOf(happening);
    const told = this.#told.get(id);
    const isSeries = told !== undefined && now - told.writtenAt < SERIES_MS;
    if (isSeries) told.count++;
    if (isSeries && now - told.writtenAt < SERIES_EVERY_MS) return;
    if (!this.#mayWrite(now)) return this.#options.onOutcome?.('left_out');
    const written = isSeries ? this.#writeAgain(happening, told, now) : this.#write(happening, id, now);
    written.then(
      () => this.#options.onOutcome?.('written'),
      error => this.#failed(id, error),
    );
  }

  #mayWrite(now: number): boolean {
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1000) * PER_SECOND);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #write(happening: Happening, id: string, now: number): Promise<unknown> {
    const { clock, random, client } = this.#options;
    const { namespace = 'default', name } = happening.object.metadata;
    const unique = `${Math.floor(clock.now()).toString(16)}${Math.floor(random() * 2 ** 32).toString(16)}`;
    const told = { name: `${name.slice(0, 200)}.${unique}`, count: 1, writtenAt: now };
    this.#told.delete(id);
    this.#told.set(id, told);
    if (this.#told.size > MAX_TOLD) this.#told.delete(this.#told.keys().next().value!);
    return client.create<Event>(events, { metadata: { namespace, name: told.name }, ...this.#fieldsOf(happening) });
  }

  #writeAgain({ object }: Happening, told: Told, now: number): Promise<unknown> {
    const { clock, client, controller } = this.#options;
    told.writtenAt = now;
    const of = { namespace: object.metadata.namespace ?? 'default', name: told.name };
    const series = { count: told.count, lastObservedTime: microTime(clock.now()) };
    return client.patch(events, of, { series }, { fieldManager: controller.replaceAll('/', '-') });
  }

  #fieldsOf({ resource, object, isWarning, reason, action, note }: Happening) {
    const { controller, instance, clock } = this.#options;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    return {
      eventTime: microTime(clock.now()),
      reportingController: controller,
      reportingInstance: cut(instance, MAX_WORD),
      type: isWarning ? 'Warning' : 'Normal',
      reason: cut(reason, MAX_WORD),
      action: cut(action, MAX_WORD),
      note: cut(note, MAX_NOTE),
      regarding: { apiVersion: apiVersionOf(resource), kind: resource.kind, namespace, name, uid, resourceVersion },
    };
  }

  #failed(id: string, error: Error): void {
    this.#told.delete(id);
    this.#options.onOutcome?.('failed');
    // In a namespace that is going nothing can be told, and after its term nobody tells.
    this.#options.log[isKubeError(error, 'invalid') ? 'warn' : 'debug'](
      { error: error.message },
      'an event could not be written',
    );
  }
}

const identityOf = ({ object, reason, note, action }: Happening): string =>
  JSON.stringify([keyOf(object.metadata), object.metadata.uid, reason, action, note]);

/** By bytes, and no half of a character. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= maxBytes ? text : new TextDecoder().decode(bytes.subarray(0, maxBytes), { stream: true });
}
