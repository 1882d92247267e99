// `tollgate rbac`: the roles of the operator and of the data plane, written from what their code says that it asks for.
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { API_GROUP, KINDS, kinds } from '#core/resources/index.ts';
import { dataPlanePermissions } from '#dataplane/permissions.ts';
import type { Permission } from '#platform/kube/permission.ts';
import { operatorPermissions } from '../operator/permissions.ts';

type Io = { readonly out: (text: string) => void; readonly err: (text: string) => void };

export type RbacOptions = {
  /** Where the operator and the data plane are. */
  readonly namespace: string;
  /** Namespaces that are looked after, with Roles in each; absent: all, with a ClusterRole. */
  readonly watchNamespaces?: readonly string[] | undefined;
};

export const DEFAULT_NAMESPACE = 'tollgate-system';
const OPERATOR = 'tollgate-operator';
const DATA_PLANE = 'tollgate-dataplane';

const help = `Usage: tollgate rbac [--namespace NAME] [--watch NAME,NAME]

Prints service accounts, roles and bindings for the operator and the data plane.

  --namespace NAME    where they run (${DEFAULT_NAMESPACE})
  --watch NAMES       look after these namespaces only: Roles in each of them, and nothing for the whole cluster
  --help              this text
`;

export async function rbac(args: string[], io: Io): Promise<number> {
  try {
    const options = { namespace: { type: 'string' }, watch: { type: 'string' }, help: { type: 'boolean' } } as const;
    const { values } = parseArgs({ args, options });
    if (values.help) io.out(help);
    else io.out(rbacYaml({ namespace: values.namespace ?? DEFAULT_NAMESPACE, watchNamespaces: values.watch?.split(',') }));
    return 0;
  } catch (error) {
    io.err(`tollgate: ${(error as Error).message}\n`);
    return 2;
  }
}

export const rbacYaml = (options: RbacOptions): string =>
  `# Generated from what the code asks for by \`npm run gen\`; do not edit.\n${rbacManifests(options)
    .map(manifest => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n')}`;

export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
};

export function rbacManifests({ namespace, watchNamespaces }: RbacOptions): readonly Manifest[] {
  const of = (within: Permission['within']) => operatorPermissions.filter(permission => permission.within === within);
  const subject = (name: string) => ({ kind: 'ServiceAccount', name, namespace });
  const everywhere = watchNamespaces
    ? watchNamespaces.flatMap(watched => role(OPERATOR, watched, of('watched'), subject(OPERATOR), `${OPERATOR}-watched`))
    : clusterRole(OPERATOR, [...of('watched'), ...of('cluster')], subject(OPERATOR));
  return [
    account(OPERATOR, namespace),
    account(DATA_PLANE, namespace),
    ...everywhere,
    ...role(OPERATOR, namespace, of('own'), subject(OPERATOR)),
    ...role(DATA_PLANE, namespace, dataPlanePermissions, subject(DATA_PLANE)),
    ...(watchNamespaces ? [] : forPeople),
  ];
}

const RBAC = 'rbac.authorization.k8s.io';
const LABELS = { 'app.kubernetes.io/name': 'tollgate' };

const account = (name: string, namespace: string) => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace, labels: LABELS },
});

type Subject = { readonly kind: string; readonly name: string; readonly namespace: string };

const role = (name: string, namespace: string, permissions: readonly Permission[], subject: Subject, named = name) => [
  bound('Role', { name: named, namespace }, permissions),
  binding('RoleBinding', 'Role', { name: named, namespace }, subject),
];

const clusterRole = (name: string, permissions: readonly Permission[], subject: Subject) => [
  bound('ClusterRole', { name }, permissions),
  binding('ClusterRoleBinding', 'ClusterRole', { name }, subject),
];

type Place = { readonly name: string; readonly namespace?: string };

const bound = (kind: string, place: Place, permissions: readonly Permission[]) => ({
  apiVersion: `${RBAC}/v1`,
  kind,
  metadata: { ...place, labels: LABELS },
  rules: permissions.map(({ resource: { group, plural }, subresource, verbs, names }) => ({
    apiGroups: [group],
    resources: [subresource ? `${plural}/${subresource}` : plural],
    ...(names && { resourceNames: names }),
    verbs,
  })),
});

const binding = (kind: string, roleKind: string, place: Place, subject: Subject) => ({
  apiVersion: `${RBAC}/v1`,
  kind,
  metadata: { ...place, labels: LABELS },
  roleRef: { apiGroup: RBAC, kind: roleKind, name: place.name },
  subjects: [subject],
});

/** People who may view or edit a namespace may view or edit our objects in it; Secrets are none of this. */
const forPeople = (
  [
    ['view', ['get', 'list', 'watch'], ['view', 'edit', 'admin']],
    ['edit', ['create', 'update', 'patch', 'delete', 'deletecollection'], ['edit', 'admin']],
  ] as const
).map(([name, verbs, into]) => ({
  apiVersion: `${RBAC}/v1`,
  kind: 'ClusterRole',
  metadata: {
    name: `tollgate-${name}`,
    labels: { ...LABELS, ...Object.fromEntries(into.map(role => [`${RBAC}/aggregate-to-${role}`, 'true'])) },
  },
  rules: [{ apiGroups: [API_GROUP], resources: KINDS.map(kind => kinds[kind].plural), verbs }],
}));
