// The Secrets that objects name, each read and watched by its name: the operator may not list Secrets. Where one namespace has many, one
// watch of that namespace takes the place of theirs.
import type { KubeClient } from '#platform/kube/client.ts';
import { ManyNamed } from '#platform/kube/named.ts';
import { nameOf } from '#platform/kube/resource.ts';
import { type SecretObject, secrets, trimmedSecret } from '../resources.ts';

export type SecretWatchesOptions = {
  readonly client: KubeClient;
  readonly random: () => number;
  /** A Secret that is wanted is not as it was. @param isOther it was there before */
  readonly onChange: (key: string, isOther: boolean) => void;
  readonly onFailure: (key: string, error: Error) => void;
};

type Watched = {
  object: SecretObject | undefined;
  /** Who asked for it is still waiting: nobody else has to be told. */
  isAwaited: boolean;
  told: Promise<void>;
  leave: () => void;
};

/** How long a compilation waits for Secrets that are asked for the first time. */
const FIRST_LOOK_MS = 2_000;
/** The same at the start, when none is known: without them, all that is published would lose its credentials and keys. */
const START_MS = 30_000;
/** Watches of single Secrets that a namespace may have; one more, and it has one for all. */
const MAX_SINGLE = 100;

export class SecretWatches {
  readonly #options: SecretWatchesOptions;
  readonly #watched = new Map<string, Watched>();
  /** Of namespaces with many. */
  readonly #namespaces = new Map<string, ManyNamed<SecretObject>>();
  #isStarting = true;

  constructor(options: SecretWatchesOptions) {
    this.#options = options;
  }

  /** By `namespace/name`; undefined: there is none, or it is not wanted. */
  get(key: string): SecretObject | undefined {
    return this.#watched.get(key)?.object;
  }

  /** Those that were wanted and are there. */
  present(): SecretObject[] {
    return [...this.#watched.values()].flatMap(({ object }) => object ?? []);
  }

  /** Watches these and no others. Resolves when each was looked at once, or that takes too long. */
  async want(keys: ReadonlySet<string>): Promise<void> {
    for (const [key, { leave }] of this.#watched)
      if (!keys.has(key)) {
        leave();
        this.#watched.delete(key);
      }
    const counts = Map.groupBy(keys, key => nameOf(key).namespace ?? '');
    for (const [namespace, wanted] of counts) if (wanted.length > MAX_SINGLE) this.#gather(namespace);
    const fresh = [...keys].filter(key => !this.#watched.has(key)).map(key => this.#open(key));
    if (fresh.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, this.#isStarting ? START_MS : FIRST_LOOK_MS);
    });
    await Promise.race([Promise.all(fresh.map(({ told }) => told)), late]);
    clearTimeout(timer);
    this.#isStarting = false;
    for (const entry of fresh) entry.isAwaited = false;
  }

  close(): void {
    for (const { leave } of this.#watched.values()) leave();
    for (const watch of this.#namespaces.values()) watch.close();
    this.#watched.clear();
    this.#namespaces.clear();
  }

  /** From now on one watch for the namespace; those of single Secrets go over to it. It stays: what was many may be many again. */
  #gather(namespace: string): void {
    if (this.#namespaces.has(namespace)) return;
    const watch = this.#watch(namespace);
    this.#namespaces.set(namespace, watch);
    for (const [key, entry] of this.#watched) {
      const of = nameOf(key);
      if (of.namespace !== namespace) continue;
      entry.leave();
      entry.told = watch.add(of.name);
      entry.leave = () => watch.remove(of.name);
    }
  }

  #open(key: string): Watched {
    const { namespace = '', name } = nameOf(key);
    const shared = this.#namespaces.get(namespace);
    const watch = shared ?? this.#watch(namespace, name);
    const leave = () => (shared ? shared.remove(name) : watch.close());
    const entry: Watched = { object: undefined, isAwaited: true, told: Promise.resolve(), leave };
    this.#watched.set(key, entry);
    entry.told = watch.add(name);
    return entry;
  }

  /** @param name absent: of all of the namespace */
  #watch(namespace: string, name?: string): ManyNamed<SecretObject> {
    const { client, random, onFailure } = this.#options;
    return new ManyNamed<SecretObject>({
      client,
      random,
      resource: secrets,
      namespace,
      ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
      onChange: (changed, object) => this.#changed(`${namespace}/${changed}`, object),
      onFailure: error => onFailure(`${namespace}/${name ?? '*'}`, error),
    });
  }

  #changed(key: string, object: SecretObject | undefined): void {
    const entry = this.#watched.get(key);
    const version = object?.metadata.resourceVersion;
    // One that went over to another watch is told once more.
    if (!entry || (version !== undefined && version === entry.object?.metadata.resourceVersion)) return;
    const isOther = entry.object !== undefined;
    entry.object = object && trimmedSecret(object);
    if (!entry.isAwaited) this.#options.onChange(key, isOther);
  }
}
