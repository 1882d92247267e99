// The Secrets that objects name, each read and watched by its name: the operator may not list Secrets.
import type { KubeClient } from '#platform/kube/client.ts';
import { watchNamed } from '#platform/kube/named.ts';
import { nameOf } from '#platform/kube/resource.ts';
import { type SecretObject, secrets } from '../resources.ts';

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
  readonly told: Promise<void>;
  readonly close: () => void;
};

/** How long a compilation waits for Secrets that are asked for the first time. */
const FIRST_LOOK_MS = 2_000;

export class SecretWatches {
  readonly #options: SecretWatchesOptions;
  readonly #watched = new Map<string, Watched>();

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
    for (const [key, { close }] of this.#watched)
      if (!keys.has(key)) {
        close();
        this.#watched.delete(key);
      }
    const fresh = [...keys].filter(key => !this.#watched.has(key)).map(key => this.#open(key));
    if (fresh.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, FIRST_LOOK_MS);
    });
    await Promise.race([Promise.all(fresh.map(({ told }) => told)), late]);
    clearTimeout(timer);
    for (const entry of fresh) entry.isAwaited = false;
  }

  close(): void {
    for (const { close } of this.#watched.values()) close();
    this.#watched.clear();
  }

  #open(key: string): Watched {
    const { client, random, onChange, onFailure } = this.#options;
    const { namespace = '', name } = nameOf(key);
    const watch = watchNamed<SecretObject>({
      client,
      random,
      resource: secrets,
      namespace,
      name,
      onChange: object => {
        const entry = this.#watched.get(key);
        if (!entry) return;
        const isOther = entry.object !== undefined;
        entry.object = object && trimmed(object);
        if (!entry.isAwaited) onChange(key, isOther);
      },
      onFailure: error => onFailure(key, error),
    });
    const entry: Watched = { object: undefined, isAwaited: true, told: watch.told, close: watch.close };
    this.#watched.set(key, entry);
    return entry;
  }
}

const trimmed = ({ metadata, data }: SecretObject): SecretObject => {
  const { managedFields: _, ...kept } = metadata;
  return { metadata: kept, ...(data && { data }) };
};
