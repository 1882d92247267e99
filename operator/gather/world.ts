// Everything that the configuration is made of, as the operator sees it: copies of our objects and of those that they need, kept by
// reflectors. Here it becomes the input of compile.
import { type CompileInput, type FoundEngines, GRANT_KIND, type RotatedOut } from '#core/compile/index.ts';
import { type EndpointSlice, enginesOfPods, enginesOfService } from '#core/engines/discovery.ts';
import { keyState } from '#core/keys/generated.ts';
import type { EpochMillis } from '#core/units.ts';
import { apiVersionOf, type KubeObject } from '#platform/kube/resource.ts';
import { generatedKey, keptKey } from '../keys/kept.ts';
import {
  type GrantObject,
  type OurObject,
  type PodObject,
  referenceGrants,
  SERVICE_LABEL,
  type ServiceObject,
  type SliceObject,
} from '../resources.ts';
import type { Source } from '../runtime/source.ts';
import { type EngineSource, engineSource, referencedSecrets } from './references.ts';
import type { SecretWatches } from './secret-watches.ts';

export type World = {
  readonly providers: Source<OurObject>;
  readonly routes: Source<OurObject>;
  readonly keys: Source<OurObject>;
  readonly services: Source<ServiceObject>;
  readonly slices: Source<SliceObject>;
  readonly namespaces: Source<KubeObject>;
  /** Of the Gateway API: none where it is not installed. */
  readonly grants: Source<GrantObject>;
  /** Begins to watch pods when first asked: few clusters need that. */
  readonly pods: () => Source<PodObject>;
  readonly secrets: SecretWatches;
};

export type Gathered = Pick<CompileInput, 'objects' | 'engines' | 'rotatedOut'> & {
  /** When something of it changes by itself; undefined: never. */
  readonly nextChangeAt: EpochMillis | undefined;
};

/** @param digest SHA-256, hex */
export async function gather(world: World, now: EpochMillis, digest: (text: string) => string): Promise<Gathered> {
  const [providers, routes, keys] = [world.providers, world.routes, world.keys].map(source => [...source.objects.values()]) as [
    OurObject[],
    OurObject[],
    OurObject[],
  ];
  await world.secrets.want(new Set(referencedSecrets(providers, keys, routes)));
  const engines = await foundEngines(world, providers);
  const rotatedOut = rotations(world, keys, now, digest);
  const typed = (kind: string, apiVersion = 'v1') => {
    return (object: KubeObject) => ({ value: { apiVersion, kind, ...object } });
  };
  return {
    objects: [
      ...world.secrets.present().map(typed('Secret')),
      ...[...world.namespaces.objects.values()].map(typed('Namespace')),
      ...[...world.grants.objects.values()].map(typed(GRANT_KIND, apiVersionOf(referenceGrants[0]!))),
      ...[...providers, ...routes, ...keys].map(value => ({ value })),
    ],
    engines,
    rotatedOut,
    nextChangeAt: nextChange(keys, rotatedOut, now),
  };
}

async function foundEngines(world: World, providers: readonly OurObject[]): Promise<ReadonlyMap<string, FoundEngines>> {
  const sources = providers.flatMap(provider => {
    const source = engineSource(provider);
    return source ? [[provider, source] as const] : [];
  });
  if (sources.some(([, { kind }]) => kind === 'pods')) await world.pods().synced();
  const slices = Map.groupBy(
    world.slices.objects.values(),
    ({ metadata }) => `${metadata.namespace}/${metadata.labels?.[SERVICE_LABEL]}`,
  );
  return new Map(
    sources.map(([{ metadata }, source]) => [
      `${metadata.namespace}/${metadata.name}`,
      enginesOf(world, metadata, source, slices),
    ]),
  );
}

function enginesOf(
  world: World,
  { namespace }: KubeObject['metadata'],
  source: EngineSource,
  slices: ReadonlyMap<string, readonly EndpointSlice[]>,
): FoundEngines {
  if (source.kind === 'service') {
    const service = world.services.get(source.service);
    if (!service) return { missing: `there is no Service ${source.service}` };
    if (!service.spec?.ports?.some(({ port }) => port === source.port))
      return { missing: `the Service ${source.service} has no port ${source.port}` };
    return enginesOfService(service, slices.get(source.service) ?? [], source.port);
  }
  const wanted = Object.entries(source.labels);
  const chosen = [...world.pods().objects.values()].filter(
    ({ metadata }) => metadata.namespace === namespace && wanted.every(([name, value]) => metadata.labels?.[name] === value),
  );
  return enginesOfPods(chosen, source.port);
}

function rotations(
  world: World,
  keys: readonly OurObject[],
  now: EpochMillis,
  digest: (text: string) => string,
): ReadonlyMap<string, readonly RotatedOut[]> {
  const found = keys.flatMap(key => {
    const wanted = generatedKey(key);
    if (!wanted) return [];
    const secret = world.secrets.get(`${key.metadata.namespace}/${wanted.generate.secretName}`);
    const { earlier } = keyState(wanted, secret && keptKey(secret, key), now, digest);
    return earlier.length > 0 ? [[`${key.metadata.namespace}/${key.metadata.name}`, earlier] as const] : [];
  });
  return new Map(found);
}

/** Keys expire, and earlier keys end: then the configuration is another. */
function nextChange(
  keys: readonly OurObject[],
  rotatedOut: ReadonlyMap<string, readonly RotatedOut[]>,
  now: EpochMillis,
): EpochMillis | undefined {
  const expiries = keys.flatMap(({ spec }) => (typeof spec?.expiresAt === 'string' ? Date.parse(spec.expiresAt) : []));
  const ends = [...rotatedOut.values()].flat().map(({ notAfter }) => notAfter as number);
  const coming = [...expiries, ...ends].filter(time => time > now);
  return coming.length > 0 ? (Math.min(...coming) as EpochMillis) : undefined;
}
