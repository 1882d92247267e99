// What a reflector knows: the objects of one kind by key, as of one resourceVersion, and what a list or an event changes in that.
import { type KubeObject, keyOf } from '#platform/kube/resource.ts';

export type Change<T extends KubeObject> = {
  readonly key: string;
  /** Part of the very first list: it may have been there for years. */
  readonly isInitial: boolean;
} & (
  | { readonly kind: 'added'; readonly object: T }
  | { readonly kind: 'updated'; readonly object: T; readonly previous: T }
  /** `object` is the last that was seen of it, which need not be the last there was. */
  | { readonly kind: 'deleted'; readonly object: T }
);

/** Makes of an object from the server what is kept of it. */
export type Trim<T extends KubeObject> = (object: T) => T;

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Without what only the server and kubectl need: two fifths of the memory of 10,000 keys. */
export function withoutBookkeeping<T extends KubeObject>(object: T): T {
  const { managedFields: _, annotations, ...metadata } = object.metadata;
  if (!annotations) return { ...object, metadata };
  const { [LAST_APPLIED]: __, ...kept } = annotations;
  return { ...object, metadata: { ...metadata, annotations: kept } };
}

export class ObjectStore<T extends KubeObject> {
  readonly #trim: Trim<T>;
  #objects: Map<string, T> = new Map();

  constructor(trim: Trim<T>) {
    this.#trim = trim;
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /** Takes a whole list as the truth. What it lacks was deleted while nobody watched; what has the same version did not change. */
  replace(items: readonly T[], isInitial: boolean): Change<T>[] {
    const before = this.#objects;
    this.#objects = new Map();
    const changes: Change<T>[] = [];
    for (const item of items) {
      const key = keyOf(item.metadata);
      const previous = before.get(key);
      if (previous && isSame(previous, item)) this.#objects.set(key, previous);
      else changes.push(this.#put(key, item, previous, isInitial));
    }
    for (const [key, object] of before) if (!this.#objects.has(key)) changes.push({ kind: 'deleted', key, object, isInitial });
    return changes;
  }

  /** One event of a watch; undefined when it says nothing new. */
  take(kind: 'added' | 'modified' | 'deleted', object: T): Change<T> | undefined {
    const key = keyOf(object.metadata);
    const previous = this.#objects.get(key);
    if (kind === 'deleted') {
      if (!previous) return undefined;
      this.#objects.delete(key);
      return { kind: 'deleted', key, object: frozen(this.#trim(object)), isInitial: false };
    }
    if (previous && isSame(previous, object)) return undefined;
    return this.#put(key, object, previous, false);
  }

  #put(key: string, item: T, previous: T | undefined, isInitial: boolean): Change<T> {
    const object = frozen(this.#trim(item));
    this.#objects.set(key, object);
    return previous ? { kind: 'updated', key, object, previous, isInitial } : { kind: 'added', key, object, isInitial };
  }
}

const isSame = (one: KubeObject, other: KubeObject): boolean =>
  one.metadata.uid === other.metadata.uid && one.metadata.resourceVersion === other.metadata.resourceVersion;

/** In depth: an object of the cache is everybody's. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const child of Object.values(value)) frozen(child);
  return Object.freeze(value);
}
