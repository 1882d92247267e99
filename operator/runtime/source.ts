// What a controller reads and hears of one kind of object, wherever it comes from.
import type { KubeObject } from '#platform/kube/resource.ts';
import type { Change } from './store.ts';

export type Listener<T extends KubeObject> = (change: Change<T>) => void;

export type Source<T extends KubeObject> = {
  get(key: string): T | undefined;
  /** By `namespace/name`. They are frozen. */
  readonly objects: ReadonlyMap<string, T>;
  /** Whether all that was there at the start is known. */
  readonly hasSynced: boolean;
  /** Resolves when `hasSynced`. */
  synced(): Promise<void>;
  /** @returns to be called to hear no more */
  onChange(listener: Listener<T>): () => void;
};

/** Several sources as one, such as one for each namespace that is watched. No key is in two of them. */
export function merged<T extends KubeObject>(sources: readonly Source<T>[]): Source<T> {
  return {
    get: key =>
      sources
        .values()
        .map(source => source.get(key))
        .find(object => object !== undefined),
    get objects() {
      return new Map(sources.flatMap(source => [...source.objects]));
    },
    get hasSynced() {
      return sources.every(source => source.hasSynced);
    },
    synced: async () => void (await Promise.all(sources.map(source => source.synced()))),
    onChange(listener) {
      const leaves = sources.map(source => source.onChange(listener));
      return () => {
        for (const leave of leaves) leave();
      };
    },
  };
}
