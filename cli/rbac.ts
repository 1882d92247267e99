// The rules of the roles in the chart, written from what the code of operator and data plane says that it asks for.
import { API_GROUP, KINDS, kinds } from '#core/resources/index.ts';
import { dataPlanePermissions } from '#dataplane/permissions.ts';
import type { Permission } from '#platform/kube/permission.ts';
import { operatorPermissions } from '../operator/permissions.ts';

type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
};

/** Of each role, by where they hold (platform/kube/permission.ts). */
export const roleRules = {
  operator: {
    own: rulesOf(operatorPermissions, 'own'),
    watched: rulesOf(operatorPermissions, 'watched'),
    cluster: rulesOf(operatorPermissions, 'cluster'),
  },
  dataplane: { own: rulesOf(dataPlanePermissions, 'own') },
  /** People who may view or edit a namespace may view or edit our objects in it. */
  people: {
    view: { into: ['view', 'edit', 'admin'], rules: [ours('get', 'list', 'watch')] },
    edit: { into: ['edit', 'admin'], rules: [ours('create', 'update', 'patch', 'delete', 'deletecollection')] },
  },
};

function rulesOf(permissions: readonly Permission[], where: Permission['within']): readonly Rule[] {
  return permissions
    .filter(({ within }) => within === where)
    .map(({ resource: { group, plural }, subresource, verbs, names }) => ({
      apiGroups: [group],
      resources: [subresource ? `${plural}/${subresource}` : plural],
      ...(names && { resourceNames: names }),
      verbs,
    }));
}

function ours(...verbs: readonly string[]): Rule {
  return { apiGroups: [API_GROUP], resources: KINDS.map(kind => kinds[kind].plural), verbs };
}
