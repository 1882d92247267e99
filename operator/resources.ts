// The kinds of objects that the operator reads and writes, and what it keeps of each in memory.
import { GRANT_GROUP, GRANT_KIND, GRANT_VERSIONS } from '#core/compile/index.ts';
import type { EndpointSlice, Pod, Service } from '#core/engines/discovery.ts';
import { API_GROUP, API_VERSION_NAME, type Kind, kinds } from '#core/resources/index.ts';
import type { StatusCondition } from '#core/status/conditions.ts';
import type { KubeObject, KubeResource } from '#platform/kube/resource.ts';

const ours = (kind: Kind): KubeResource => ({
  group: API_GROUP,
  version: API_VERSION_NAME,
  kind,
  plural: kinds[kind].plural,
  namespaced: true,
});

export const ourResources: Readonly<Record<Kind, KubeResource>> = {
  LLMProvider: ours('LLMProvider'),
  LLMRoute: ours('LLMRoute'),
  TenantKey: ours('TenantKey'),
};

const core = (kind: string, plural: string, namespaced = true): KubeResource => ({
  group: '',
  version: 'v1',
  kind,
  plural,
  namespaced,
});

export const configMaps = core('ConfigMap', 'configmaps');
export const secrets = core('Secret', 'secrets');
export const services = core('Service', 'services');
export const pods = core('Pod', 'pods');
export const namespaces = core('Namespace', 'namespaces', false);
export const endpointSlices: KubeResource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};

/** Of the Gateway API, where that is installed; the preferred version first. */
export const referenceGrants: readonly KubeResource[] = GRANT_VERSIONS.map(version => ({
  group: GRANT_GROUP,
  version,
  kind: GRANT_KIND,
  plural: 'referencegrants',
  namespaced: true,
}));

/** Who holds it leads. */
export const LEASE_NAME = 'tollgate-operator';

/** One of our objects. The spec is whatever stands there: compile reads it. */
export type OurObject = KubeObject & {
  readonly spec?: { readonly [field: string]: unknown };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly StatusCondition[];
    readonly [field: string]: unknown;
  };
};
export type ConfigMapObject = KubeObject & {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
};
export type SecretObject = KubeObject & { readonly data?: Readonly<Record<string, string>>; readonly type?: string };
export type ServiceObject = KubeObject & Service;
export type SliceObject = KubeObject & EndpointSlice;
export type PodObject = KubeObject & Pod;
/** The spec is whatever stands there: compile reads it. */
export type GrantObject = KubeObject & { readonly spec?: unknown };

// Of objects that the cluster has thousands of, only what is decided by.

export const trimmedOurs = ({ metadata, ...object }: OurObject): OurObject => ({
  ...object,
  metadata: trimmedMetadata(metadata),
});

/** Base64, of which a credential is at most half: what is longer is cut, and remains too long to be one. */
const MAX_SECRET_VALUE = 32 * 1024;

/** A Secret may hold a mebibyte of what nobody here reads. */
export const trimmedSecret = ({ metadata, data = {} }: SecretObject): SecretObject => ({
  metadata: trimmedMetadata(metadata),
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, shortened(value)])),
});

/** A part of a long text would keep the whole in memory. */
const shortened = (value: string): string =>
  value.length <= MAX_SECRET_VALUE ? value : Buffer.from(value.slice(0, MAX_SECRET_VALUE)).toString();

/** Tools leave a lot in annotations, up to 256 KiB on each object. */
function trimmedMetadata({ managedFields: _, annotations = {}, ...kept }: KubeObject['metadata']): KubeObject['metadata'] {
  const own = Object.entries(annotations).filter(([name]) => name.startsWith(`${API_GROUP}/`));
  return { ...kept, ...(own.length > 0 && { annotations: Object.fromEntries(own) }) };
}

export const trimmedService = ({ metadata, spec }: ServiceObject): ServiceObject => ({
  metadata: identity(metadata),
  spec: { ports: (spec?.ports ?? []).map(({ name, port }) => ({ port, ...(name !== undefined && { name }) })) },
});

export const SERVICE_LABEL = 'kubernetes.io/service-name';

export const trimmedSlice = ({ metadata, addressType, endpoints, ports }: SliceObject): SliceObject => ({
  metadata: { ...identity(metadata), labels: { [SERVICE_LABEL]: metadata.labels?.[SERVICE_LABEL] ?? '' } },
  ...(addressType !== undefined && { addressType }),
  ports: (ports ?? []).map(({ name, port }) => ({ name: name ?? '', port: port ?? null })),
  endpoints: (endpoints ?? []).map(({ addresses, conditions, targetRef }) => ({
    addresses,
    ...(conditions && { conditions }),
    ...(targetRef && { targetRef: { kind: targetRef.kind ?? '', name: targetRef.name ?? '', uid: targetRef.uid ?? '' } }),
  })),
});

export const trimmedPod = ({ metadata, status }: PodObject): PodObject => ({
  metadata: {
    ...identity(metadata),
    labels: metadata.labels ?? {},
    ...(metadata.deletionTimestamp !== undefined && { deletionTimestamp: metadata.deletionTimestamp }),
  },
  status: {
    ...(status?.podIP !== undefined && { podIP: status.podIP }),
    conditions: (status?.conditions ?? []).filter(({ type }) => type === 'Ready').map(({ type, status }) => ({ type, status })),
  },
});

export const trimmedNamespace = ({ metadata }: KubeObject): KubeObject => ({
  metadata: { ...identity(metadata), labels: metadata.labels ?? {} },
});

const identity = ({ name, namespace, uid, resourceVersion }: KubeObject['metadata']) => ({
  name,
  ...(namespace !== undefined && { namespace }),
  ...(uid !== undefined && { uid }),
  ...(resourceVersion !== undefined && { resourceVersion }),
});
