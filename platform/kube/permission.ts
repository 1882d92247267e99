// What a process may do at the API server, as data: the code that makes the requests says so, and RBAC is written from it.
import type { KubeResource } from './resource.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export type Permission = {
  readonly resource: Pick<KubeResource, 'group' | 'plural'>;
  readonly subresource?: 'status';
  readonly verbs: readonly Verb[];
  /**
   * `own`: in the namespace of the process. `watched`: wherever objects are looked after. `cluster`: of kinds without a namespace, which
   * are not seen where only some namespaces are looked after.
   */
  readonly within: 'own' | 'watched' | 'cluster';
  /** Only objects of these names. `create` cannot be limited so. */
  readonly names?: readonly string[];
  /** What for. */
  readonly why: string;
};
