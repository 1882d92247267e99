// What NetworkPolicies let through, by the rules of Kubernetes ("Network Policies"): a pod that a policy selects for a direction takes only what some
// policy of that direction allows; both ends have to agree.
import { BlockList, isIPv6 } from 'node:net';
import type { Manifest } from './chart.ts';

export type PodOf = { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
/** An address stands for something outside of the cluster. */
export type End = PodOf | string;
export type Connection = { readonly from: End; readonly to: End; readonly port: number };

type Selector = { readonly matchLabels?: Readonly<Record<string, string>> };
type Peer = {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
};
type Rule = {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly port: number }[];
};
type Policy = {
  readonly metadata: { readonly namespace: string };
  readonly spec: {
    readonly podSelector: Selector;
    readonly policyTypes: readonly string[];
    readonly ingress?: readonly Rule[];
    readonly egress?: readonly Rule[];
  };
};

export function allows(manifests: readonly Manifest[], { from, to, port }: Connection): boolean {
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy') as unknown as readonly Policy[];
  const passes = (end: End, other: End, direction: 'Ingress' | 'Egress'): boolean => {
    if (typeof end === 'string') return true;
    const holding = policies.filter(
      ({ metadata, spec }) =>
        metadata.namespace === end.namespace && matches(spec.podSelector, end.labels) && spec.policyTypes.includes(direction),
    );
    if (holding.length === 0) return true;
    return holding.some(({ metadata, spec }) =>
      (direction === 'Ingress' ? spec.ingress : spec.egress)?.some(rule => {
        const peers = direction === 'Ingress' ? rule.from : rule.to;
        const isPort = rule.ports === undefined || rule.ports.some(allowed => allowed.port === port);
        return isPort && (peers === undefined || peers.some(peer => isPeer(peer, other, metadata.namespace)));
      }),
    );
  };
  return passes(from, to, 'Egress') && passes(to, from, 'Ingress');
}

function isPeer({ ipBlock, namespaceSelector, podSelector }: Peer, end: End, ownNamespace: string): boolean {
  if (typeof end === 'string')
    return ipBlock !== undefined && isIn(ipBlock.cidr, end) && !ipBlock.except?.some(block => isIn(block, end));
  if (ipBlock) return false;
  const isNamespace = namespaceSelector
    ? matches(namespaceSelector, { 'kubernetes.io/metadata.name': end.namespace })
    : end.namespace === ownNamespace;
  return isNamespace && (podSelector === undefined || matches(podSelector, end.labels));
}

const matches = ({ matchLabels = {} }: Selector, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(matchLabels).every(([name, value]) => labels[name] === value);

function isIn(cidr: string, address: string): boolean {
  const [network, bits] = cidr.split('/') as [string, string];
  if (isIPv6(network) !== isIPv6(address)) return false;
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(address, family);
}
