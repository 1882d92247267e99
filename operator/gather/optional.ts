// Objects of a kind that a cluster may lack: asked for now and then, and watched once the API server serves it.
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeClient } from '#platform/kube/client.ts';
import { isKubeError } from '#platform/kube/errors.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';
import type { Log } from '#platform/log.ts';
import type { Listener, Source } from '../runtime/source.ts';

export type OptionalOptions<T extends KubeObject> = {
  readonly client: KubeClient;
  /** One kind in several versions, the preferred one first. */
  readonly versions: readonly KubeResource[];
  /** One of the namespaces that are looked after; undefined: all are. */
  readonly namespace: string | undefined;
  readonly log: Log;
  /** Begins to watch it. */
  readonly open: (resource: KubeResource) => Source<T>;
};

const LOOK_EVERY_MS = 60_000;
const AFTER_FAILURE_MS = 2_000;

export class OptionalSource<T extends KubeObject> implements Source<T> {
  readonly #options: OptionalOptions<T>;
  readonly #stopping = new AbortController();
  readonly #listeners = new Set<Listener<T>>();
  readonly #synced = Promise.withResolvers<void>();
  #source: Source<T> | undefined;
  #hasSynced = false;
  #isTold = false;

  constructor(options: OptionalOptions<T>) {
    this.#options = options;
    void this.#find();
  }

  get(key: string): T | undefined {
    return this.#source?.get(key);
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#source?.objects ?? new Map();
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Also when it is known that there are none. */
  synced(): Promise<void> {
    return this.#synced.promise;
  }

  onChange(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
  }

  async #find(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const found = await this.#look();
      if (signal.aborted) return;
      if (typeof found === 'object') {
        this.#source = this.#options.open(found);
        this.#source.onChange(change => {
          for (const tell of this.#listeners) tell(change);
        });
        await this.#source.synced();
      }
      if (found !== 'unknown') this.#known();
      if (this.#source) return;
      await pause(found === 'unknown' ? AFTER_FAILURE_MS : LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #look(): Promise<KubeResource | 'none' | 'unknown'> {
    const { client, versions, namespace, log } = this.#options;
    try {
      for (const resource of versions) {
        if (!(await client.serves(resource))) continue;
        await client.page(resource, { namespace, limit: 1 });
        return resource;
      }
      return 'none';
    } catch (error) {
      if (!isKubeError(error, 'forbidden')) return 'unknown';
      // Roles of another release know nothing of it: what it would permit is refused, and all else goes on.
      if (!this.#isTold)
        log.warn({ kind: versions[0]?.kind, error: error.message }, 'a kind may not be read: goes on as if there were none');
      this.#isTold = true;
      return 'none';
    }
  }

  #known(): void {
    this.#hasSynced = true;
    this.#synced.resolve();
  }
}
