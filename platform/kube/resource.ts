// Objects and kinds of the Kubernetes API, as far as any client of it has to know them, and where they are.

export type ObjectMeta = {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** Opaque; it may be compared for equality only. */
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly unknown[];
};

export type OwnerReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
};

export type KubeObject = { readonly apiVersion?: string; readonly kind?: string; readonly metadata: ObjectMeta };

/** A kind and where its objects are. */
export type KubeResource = {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
};

/** `namespace` is absent for what belongs to the whole cluster. */
export type ObjectName = { readonly namespace?: string | undefined; readonly name: string };

/** `namespace/name`, or `name`. */
export const keyOf = ({ namespace, name }: ObjectName): string => (namespace === undefined ? name : `${namespace}/${name}`);

export function nameOf(key: string): ObjectName {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export const apiVersionOf = ({ group, version }: KubeResource): string => (group === '' ? version : `${group}/${version}`);

/** All objects of a kind: of one namespace, or of all where none is given. */
export function collectionPath(resource: KubeResource, namespace?: string): string {
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${groupPath(resource)}${within}/${resource.plural}`;
}

export const groupPath = ({ group, version }: Pick<KubeResource, 'group' | 'version'>): string =>
  group === '' ? `/api/${version}` : `/apis/${group}/${version}`;

export function objectPath(resource: KubeResource, { namespace, name }: ObjectName, subresource?: string): string {
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** `metav1.MicroTime` of epoch milliseconds. */
export const microTime = (at: number): string => new Date(at).toISOString().replace('Z', '000Z');
