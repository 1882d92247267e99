// The configuration source in a cluster: what the operator published, watched by name, swapped as one reference. Without the API server
// it goes on with what it has; one that starts then takes the mounted volume, or what an earlier process of the pod kept.
import { setTimeout as pause } from 'node:timers/promises';
import type { Rejection } from '#core/snapshot/codec.ts';
import { CREDENTIALS_OBJECT, POINTER_OBJECT } from '#core/snapshot/layout.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import { type NamedWatch, watchNamed } from '#platform/kube/named.ts';
import type { ServedConfig } from '../ports.ts';
import { type Credentials, type Loaded, load, NotLoaded, noCredentials, readCredentials, type Store } from './cluster-load.ts';
import {
  apiStore,
  type ConfigMap,
  configMaps,
  credentialsIn,
  KeptStore,
  mountedStore,
  pointerIn,
  type Secret,
  secrets,
} from './cluster-stores.ts';
import { emptyConfig, type LiveConfig, liveConfig } from './live.ts';

export type ClusterConfigOptions = {
  readonly client: KubeClient;
  readonly namespace: string;
  /** A volume with the published objects; undefined: there is none. */
  readonly mount: string | undefined;
  readonly dataFolder: string;
  readonly digest: (text: string) => string;
  readonly now: () => number;
  readonly random: () => number;
  readonly onLoad: (report: ClusterLoadReport) => void;
  /** Not told twice in a row. */
  readonly onFailure: (error: Error) => void;
};

export type ClusterLoadReport = {
  readonly generation: number;
  /** Where from: the API server, the mounted volume, or what was kept. */
  readonly from: 'api' | 'mount' | 'kept';
  readonly objects: number;
  readonly rejected: readonly Rejection[];
};

export type ClusterConfig = ServedConfig & {
  /** Reads the credentials again now: somebody refused one. Resolves when what is there is in use. */
  rereadCredentials(): Promise<void>;
  close(): void;
};

/** How long a start waits for an API server that does not answer, and for one that refuses, before it takes what is at hand. */
const START_MS = 4_000;
const REFUSED_MS = 250;
const TORN_RETRY_MS = [20, 50, 100, 250, 500, 1_000, 2_000] as const;
/** How often the volume is looked at while the API server is away. */
const MOUNT_POLL_MS = 5_000;

/** Resolves with the first configuration, or when none is to be had for now: then it serves nothing until there is one. */
export async function clusterConfig(options: ClusterConfigOptions): Promise<ClusterConfig> {
  const loader = new ClusterLoader(options);
  loader.watch();
  await Promise.race([loader.loadedFromApi, loader.failedAtFirst.then(() => pause(REFUSED_MS)), pause(START_MS)]);
  if (loader.live.generation === 0) await loader.fallBack();
  return {
    current: () => loader.live,
    loadedAt: () => loader.loadedAt,
    lastError: () => loader.lastError,
    report: () => ({ credentials: loader.credentials.version, rejected: loader.rejected }),
    degraded: () => (loader.isInTouch() ? [] : ['cluster']),
    rereadCredentials: () => loader.rereadCredentials(),
    close: () => loader.close(),
  };
}

class ClusterLoader {
  readonly #options: ClusterConfigOptions;
  readonly #api: Store;
  readonly #mounted: Store | undefined;
  readonly #kept: KeptStore;
  readonly #firstLoad = Promise.withResolvers<void>();
  readonly #firstFailure = Promise.withResolvers<void>();
  #watches: readonly NamedWatch[] = [];
  #poll: NodeJS.Timeout | undefined;
  #loaded: Loaded | undefined;
  /** The newest pointer that was told; older ones need not be loaded any more. */
  #wanted: string | undefined;
  #isLoading = false;
  #isClosed = false;
  #credentialsText: string | undefined;
  #reading: Promise<void> | undefined;
  #told: string | undefined;
  credentials: Credentials = noCredentials;
  live: LiveConfig = emptyConfig;
  rejected: readonly Rejection[] = [];
  loadedAt = 0;
  lastError: string | undefined;

  constructor(options: ClusterConfigOptions) {
    this.#options = options;
    this.#api = apiStore(options.client, options.namespace);
    this.#mounted = options.mount === undefined ? undefined : mountedStore(options.mount);
    this.#kept = new KeptStore(options.dataFolder);
  }

  get loadedFromApi(): Promise<void> {
    return this.#firstLoad.promise;
  }

  get failedAtFirst(): Promise<void> {
    return this.#firstFailure.promise;
  }

  isInTouch(): boolean {
    return this.#watches.every(watch => watch.isInTouch());
  }

  watch(): void {
    const { client, namespace, random } = this.#options;
    const each = { client, namespace, random, onFailure: (error: Error) => this.#outOfTouch(error) };
    this.#watches = [
      watchNamed<ConfigMap>({
        ...each,
        resource: configMaps,
        name: POINTER_OBJECT,
        onChange: object => this.#pointerIs(pointerIn(object)),
      }),
      watchNamed<Secret>({
        ...each,
        resource: secrets,
        name: CREDENTIALS_OBJECT,
        onChange: object => this.#credentialsAre(credentialsIn(object), true),
      }),
    ];
    this.#poll = setInterval(() => {
      if (!this.isInTouch()) void this.#loadFrom('mount', this.#mounted);
    }, MOUNT_POLL_MS).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    for (const watch of this.#watches) watch.close();
  }

  /** The volume may be older than what was kept, and the other way round. */
  async fallBack(): Promise<void> {
    await this.#loadFrom('kept', this.#kept);
    await this.#loadFrom('mount', this.#mounted);
  }

  rereadCredentials(): Promise<void> {
    this.#reading ??= this.#api
      .credentials()
      .then(text => this.#credentialsAre(text))
      .catch(error => this.#tell(error as Error))
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  #pointerIs(text: string | undefined): void {
    // A pointer that was deleted says nothing: what was published last stays in force.
    if (text === undefined) return;
    this.#wanted = text;
    if (!this.#isLoading) void this.#loadWanted();
  }

  async #loadWanted(): Promise<void> {
    this.#isLoading = true;
    for (let tries = 0; this.#wanted !== undefined && !this.#isClosed; ) {
      const text = this.#wanted;
      try {
        await this.#take('api', this.#api, text);
        if (this.#wanted === text) this.#wanted = undefined;
        this.#firstLoad.resolve();
        tries = 0;
      } catch (error) {
        this.#tell(error as Error);
        const isHopeless = error instanceof NotLoaded && !error.isTorn;
        if (isHopeless && this.#wanted === text) this.#wanted = undefined;
        await pause(TORN_RETRY_MS[Math.min(tries++, TORN_RETRY_MS.length - 1)]);
      }
    }
    this.#isLoading = false;
  }

  async #loadFrom(from: 'mount' | 'kept', store: Store | undefined): Promise<void> {
    try {
      const text = await store?.pointer();
      if (store && text !== undefined) await this.#take(from, store, text);
    } catch (error) {
      this.#tell(error as Error);
    }
  }

  async #take(from: ClusterLoadReport['from'], store: Store, text: string): Promise<void> {
    const loaded = await load(store, text, this.#loaded?.shards ?? new Map(), this.#options.digest);
    const { generation, credentials } = loaded.pointer;
    const unread = this.credentials.version < credentials ? await store.credentials() : undefined;
    // Two places tell of it; the older of them is nothing new. Of the API server any generation is: it may have been restored from a backup.
    if (from !== 'api' && generation <= this.live.generation) return;
    this.#use(unread);
    if (this.credentials.version < credentials) throw new NotLoaded('the credentials are older than the configuration', true);
    this.#loaded = loaded;
    this.rejected = loaded.rejected;
    this.live = liveConfig(loaded.snapshot, this.credentials.values, generation, this.#options.digest);
    this.loadedAt = this.#options.now();
    this.lastError = undefined;
    this.#told = undefined;
    const { providers, routes, keys } = loaded.snapshot;
    const objects = Object.keys(providers).length + routes.length + keys.length;
    this.#options.onLoad({ generation, from, objects, rejected: loaded.rejected });
    if (from !== 'kept') this.#keep(text, loaded);
  }

  #credentialsAre(text: string | undefined, isNewest = false): void {
    try {
      if (!this.#use(text, isNewest)) return;
      const { values } = this.credentials;
      this.live = { ...this.live, credential: ref => values.get(ref) };
      if (this.#loaded) this.#keep(undefined, this.#loaded);
    } catch (error) {
      this.#tell(error as Error);
    }
  }

  /** Never back to older ones: a volume may be minutes behind, and an answer slower than the watch. @param isNewest as the watch tells it */
  #use(text: string | undefined, isNewest = false): boolean {
    if (text === undefined || text === this.#credentialsText) return false;
    const read = readCredentials(text);
    if (read.version < this.credentials.version && !isNewest) return false;
    this.credentials = read;
    this.#credentialsText = text;
    return true;
  }

  #pointerText: string | undefined;
  #keep(pointerText: string | undefined, loaded: Loaded): void {
    this.#pointerText = pointerText ?? this.#pointerText;
    if (this.#pointerText === undefined) return;
    // A full disk is no reason not to serve what was loaded.
    this.#kept.keep(this.#pointerText, loaded, this.#credentialsText).catch(error => this.#tell(error as Error));
  }

  #outOfTouch(error: Error): void {
    this.#firstFailure.resolve();
    this.#tell(error);
  }

  #tell(error: Error): void {
    this.lastError = error.message;
    if (error.message !== this.#told) this.#options.onFailure(error);
    this.#told = error.message;
  }
}
