// The calls of the Kubernetes API that a controller makes, on objects of any kind. Each rejects with a `KubeError` and retries nothing.
import type { Connection } from './connection.ts';
import { isKubeError } from './errors.ts';
import {
  apiVersionOf,
  collectionPath,
  groupPath,
  type KubeObject,
  type KubeResource,
  type ObjectName,
  objectPath,
} from './resource.ts';
import { eventsIn, type WatchEvent } from './watch.ts';

export type Selection = {
  /** Absent: of all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
};

export type PageQuery = Selection & { readonly limit: number; readonly continueToken?: string | undefined };
export type Page<T> = {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continueToken: string | undefined;
};
export type WatchQuery = Selection & {
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  /** Together: from now on, wherever that is, and nothing of what there is. */
  readonly sendInitialEvents?: 'false';
  readonly resourceVersionMatch?: 'NotOlderThan';
};

/** Server-side apply: the object is what its manager says of it; what it leaves out it gives up. */
export type ApplyOptions = {
  /** One name per controller. */
  readonly fieldManager: string;
  /** Takes over fields that another manager owns; else that is a `conflict`. */
  readonly force?: boolean;
  readonly subresource?: string;
  readonly signal?: AbortSignal;
};

export type DeleteOptions = {
  /** Delete only this very object, in this very state. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
};

export type KubeClient = {
  /** Whether the server has this kind at all: it may be one that somebody has yet to install. */
  serves(resource: KubeResource, signal?: AbortSignal): Promise<boolean>;
  get<T extends KubeObject>(resource: KubeResource, of: ObjectName, signal?: AbortSignal): Promise<T>;
  /** `get`, or undefined where there is no such object. */
  find<T extends KubeObject>(resource: KubeResource, of: ObjectName, signal?: AbortSignal): Promise<T | undefined>;
  page<T extends KubeObject>(resource: KubeResource, query: PageQuery, signal?: AbortSignal): Promise<Page<T>>;
  /** Bookmarks included. Ends when the server's time is over; `signal` ends it at once. */
  watch<T extends KubeObject>(
    resource: KubeResource,
    query: WatchQuery,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<WatchEvent<T>>>;
  create<T extends KubeObject>(resource: KubeResource, object: T, signal?: AbortSignal): Promise<T>;
  /** With the object's resourceVersion as precondition: another state there is a `conflict`. */
  replace<T extends KubeObject>(resource: KubeResource, object: T, signal?: AbortSignal): Promise<T>;
  apply<T extends KubeObject>(resource: KubeResource, object: T, options: ApplyOptions): Promise<T>;
  /** JSON merge patch (RFC 7396). */
  patch<T extends KubeObject>(resource: KubeResource, of: ObjectName, change: unknown, options: PatchOptions): Promise<T>;
  /** What is not there any more is deleted. */
  delete(resource: KubeResource, of: ObjectName, options?: DeleteOptions): Promise<void>;
  close(): Promise<void>;
};

export type PatchOptions = { readonly fieldManager: string; readonly subresource?: string };

export function kubeClient(connection: Connection): KubeClient {
  const client: KubeClient = {
    async serves({ group, version, plural }, signal) {
      const path = groupPath({ group, version });
      const list = await connection.call<Served>({ method: 'GET', path, signal }).catch(undefinedWhereMissing);
      return list?.resources?.some(({ name }) => name === plural) ?? false;
    },
    get: (resource, of, signal) => connection.call({ method: 'GET', path: objectPath(resource, of), signal }),
    find: (resource, of, signal) => client.get<never>(resource, of, signal).catch(undefinedWhereMissing),
    async page<T extends KubeObject>(
      resource: KubeResource,
      { limit, continueToken, ...selection }: PageQuery,
      signal?: AbortSignal,
    ) {
      const query = queryOf({ ...selection, limit, continue: continueToken });
      const path = collectionPath(resource, selection.namespace) + query;
      const list = await connection.call<List<T>>({ method: 'GET', path, signal });
      const { resourceVersion, continue: next } = list.metadata;
      return { items: list.items ?? [], resourceVersion, continueToken: next || undefined };
    },
    async watch<T extends KubeObject>(resource: KubeResource, { ...selection }: WatchQuery, signal: AbortSignal) {
      const query = queryOf({ ...selection, watch: true, allowWatchBookmarks: true });
      const path = collectionPath(resource, selection.namespace) + query;
      return eventsIn<T>(await connection.stream({ method: 'GET', path, signal }));
    },
    create: (resource, object, signal) =>
      connection.call({
        method: 'POST',
        path: collectionPath(resource, object.metadata.namespace),
        body: typed(resource, object),
        signal,
      }),
    replace: (resource, object, signal) =>
      connection.call({ method: 'PUT', path: objectPath(resource, object.metadata), body: typed(resource, object), signal }),
    apply: (resource, object, { fieldManager, force, subresource, signal }) =>
      connection.call({
        method: 'PATCH',
        path: objectPath(resource, object.metadata, subresource) + queryOf({ fieldManager, force }),
        contentType: 'application/apply-patch+yaml',
        body: typed(resource, object),
        signal,
      }),
    patch: (resource, of, change, { fieldManager, subresource }) =>
      connection.call({
        method: 'PATCH',
        path: objectPath(resource, of, subresource) + queryOf({ fieldManager }),
        contentType: 'application/merge-patch+json',
        body: change,
      }),
    delete: (resource, of, options) =>
      connection
        .call<void>({
          method: 'DELETE',
          path: objectPath(resource, of),
          ...(options && { body: { apiVersion: 'v1', kind: 'DeleteOptions', ...options } }),
        })
        .then(() => {}, undefinedWhereMissing),
    close: () => connection.close(),
  };
  return client;
}

type List<T> = {
  readonly items?: readonly T[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
};

/** `metav1.APIResourceList` */
type Served = { readonly resources?: readonly { readonly name: string }[] };

/** Objects of a list have no kind of their own, and every write needs it. */
const typed = <T extends KubeObject>(resource: KubeResource, object: T): T => ({
  ...object,
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
});

function undefinedWhereMissing(error: unknown): undefined {
  if (!isKubeError(error, 'not-found')) throw error;
}

function queryOf({ namespace: _, ...query }: Record<string, string | number | boolean | undefined>): string {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== false);
  return `?${new URLSearchParams(set.map(([name, value]) => [name, String(value)]))}`;
}
