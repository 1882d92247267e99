// Opens the reflectors that the operator sees the cluster by: one for each kind, or for each kind and watched namespace.
import type { Clock } from '#platform/clock.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';
import type { Log } from '#platform/log.ts';
import {
  endpointSlices,
  type GrantObject,
  namespaces,
  type OurObject,
  ourResources,
  type PodObject,
  pods,
  referenceGrants,
  type ServiceObject,
  type SliceObject,
  services,
  trimmedNamespace,
  trimmedOurs,
  trimmedPod,
  trimmedService,
  trimmedSlice,
} from '../resources.ts';
import type { ReflectorMetrics } from '../runtime/metrics.ts';
import { Reflector } from '../runtime/reflector.ts';
import { merged, type Source } from '../runtime/source.ts';
import type { Change, Trim } from '../runtime/store.ts';
import { OptionalSource } from './optional.ts';
import { SecretWatches } from './secret-watches.ts';
import type { World } from './world.ts';

export type WorldOptions = {
  readonly client: KubeClient;
  /** Absent: all. */
  readonly watchNamespaces: readonly string[] | undefined;
  /** Where the operator and the data plane are. */
  readonly ownNamespace: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ReflectorMetrics;
  /** Something is not as it was that configuration may be made of. @param isUrgent something ends that was allowed */
  readonly onChange: (isUrgent: boolean) => void;
  /** `namespace/name` of a Secret that objects name. */
  readonly onSecret: (key: string) => void;
};

export type OpenWorld = World & { synced(): Promise<void>; close(): Promise<void> };

export function openWorld(options: WorldOptions): OpenWorld {
  const { client, clock, random, log, metrics, watchNamespaces, ownNamespace } = options;
  const reflectors: { stop(): Promise<void> }[] = [];

  function source<T extends KubeObject>(
    resource: KubeResource,
    within: readonly (string | undefined)[],
    trim?: Trim<T>,
  ): Source<T> {
    const all = within.map(namespace => {
      const selection = { selection: { namespace } };
      const reflector = new Reflector<T>({ client, resource, ...selection, clock, random, log, metrics, ...(trim && { trim }) });
      reflectors.push(reflector);
      reflector.start();
      return reflector;
    });
    return all.length === 1 ? all[0]! : merged(all);
  }

  function watched<T extends KubeObject>(from: Source<T>, isChange: (now: T, before: T) => boolean = () => true): Source<T> {
    from.onChange(change => {
      if (change.kind !== 'updated' || isChange(change.object, change.previous)) options.onChange(isEnding(change));
    });
    return from;
  }

  const everywhere = watchNamespaces ?? [undefined];
  const withOwn = watchNamespaces ? [...new Set([...watchNamespaces, ownNamespace])] : [undefined];
  const ours = (kind: keyof typeof ourResources) =>
    watched(source<OurObject>(ourResources[kind], everywhere, trimmedOurs), isOtherObject);
  let podSource: Source<PodObject> | undefined;
  const secrets = new SecretWatches({
    client,
    random,
    onChange: (key, isOther) => {
      options.onSecret(key);
      options.onChange(isOther);
    },
    onFailure: (key, error) => log.warn({ secret: key, error: error.message }, 'a Secret cannot be read: tries again'),
  });
  const grants = new OptionalSource<GrantObject>({
    client,
    log,
    versions: referenceGrants,
    namespace: everywhere[0],
    open: resource => source<GrantObject>(resource, everywhere),
  });
  reflectors.push(grants);
  const world = {
    providers: ours('LLMProvider'),
    routes: ours('LLMRoute'),
    keys: ours('TenantKey'),
    services: watched(source<ServiceObject>(services, everywhere, trimmedService), isOtherService),
    slices: watched(source<SliceObject>(endpointSlices, withOwn, trimmedSlice)),
    // Namespaces belong to the whole cluster: who may not list them selects none by their labels.
    namespaces: watchNamespaces
      ? merged<KubeObject>([])
      : watched(source<KubeObject>(namespaces, [undefined], trimmedNamespace), isOtherObject),
    grants: watched(grants, isOtherObject),
    pods: () => {
      podSource ??= watched(source<PodObject>(pods, everywhere, trimmedPod), isOtherPod);
      return podSource;
    },
    secrets,
  };
  const atStart = [world.providers, world.routes, world.keys, world.services, world.slices, world.namespaces, world.grants];
  return {
    ...world,
    synced: async () => void (await Promise.all(atStart.map(each => each.synced()))),
    async close() {
      secrets.close();
      await Promise.all(reflectors.map(reflector => reflector.stop()));
    },
  };
}

/** A key that is deleted or suspended, a route that goes: these wait for no crowd. */
const isEnding = ({ kind, object }: Change<KubeObject>): boolean =>
  kind === 'deleted' || (object as OurObject).spec?.suspended === true;

/** What is decided by: not its status, which the operator itself writes, nor who wrote what. */
const isOtherObject = (now: KubeObject, before: KubeObject): boolean =>
  now.metadata.uid !== before.metadata.uid ||
  now.metadata.generation !== before.metadata.generation ||
  now.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
  JSON.stringify(now.metadata.labels) !== JSON.stringify(before.metadata.labels);

const isOtherService = (now: ServiceObject, before: ServiceObject) => JSON.stringify(now.spec) !== JSON.stringify(before.spec);

const isOtherPod = (now: PodObject, before: PodObject): boolean =>
  isOtherObject(now, before) || JSON.stringify(now.status) !== JSON.stringify(before.status);
