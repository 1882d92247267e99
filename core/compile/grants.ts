// ReferenceGrants of the Gateway API: the owner of a namespace lets routes of another one use its providers.
import { API_GROUP } from '../resources/index.ts';
import type { readReferenceGrant } from '../resources/read.ts';

export const GRANT_GROUP = 'gateway.networking.k8s.io';
export const GRANT_KIND = 'ReferenceGrant';
/** Newest first. */
export const GRANT_VERSIONS = ['v1', 'v1beta1'] as const;

type ReferenceGrant = Extract<ReturnType<typeof readReferenceGrant>, { readonly ok: true }>['value'];

/** What of it is about us. */
export type Grant = {
  readonly namespace: string;
  /** Namespaces whose routes may use providers. */
  readonly from: ReadonlySet<string>;
  /** Names of providers. */
  readonly to: ReadonlySet<string> | '*';
};

/** undefined: it is about others. */
export function grantOf({ metadata: { namespace }, spec }: ReferenceGrant): Grant | undefined {
  const isOurs = (kind: string) => (entry: { readonly group: string; readonly kind: string }) =>
    entry.group === API_GROUP && entry.kind === kind;
  const from = new Set(spec.from.filter(isOurs('LLMRoute')).map(entry => entry.namespace));
  const to = spec.to.filter(isOurs('LLMProvider')).map(({ name }) => name);
  if (from.size === 0 || to.length === 0) return undefined;
  return { namespace, from, to: to.some(name => !name) ? '*' : new Set(to.flatMap(name => name ?? [])) };
}

export const isGranted = (
  grants: readonly Grant[],
  provider: { readonly namespace: string; readonly name: string },
  routeNamespace: string,
): boolean =>
  grants.some(
    ({ namespace, from, to }) =>
      namespace === provider.namespace && from.has(routeNamespace) && (to === '*' || to.has(provider.name)),
  );
