// Which addresses the engines of a provider have, by what the cluster says of its Service's endpoints or of its pods. Always the
// engines themselves, never a virtual address in front of them: metrics and requests must meet the same one.
import type { EngineAddresses } from '../compile/provider-types.ts';

/** `discovery.k8s.io/v1`, as far as it is read. */
export type EndpointSlice = {
  readonly addressType?: string;
  readonly endpoints?: readonly SliceEndpoint[];
  readonly ports?: readonly { readonly name?: string | null; readonly port?: number | null }[] | null;
};

export type SliceEndpoint = {
  readonly addresses: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean | null;
    readonly serving?: boolean | null;
    readonly terminating?: boolean | null;
  };
  readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
};

export type Service = {
  readonly spec?: { readonly ports?: readonly { readonly name?: string; readonly port: number }[] };
};

export type Pod = {
  readonly metadata: { readonly deletionTimestamp?: string };
  readonly status?: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
};

/** @param port of the Service */
export function enginesOfService(service: Service, slices: readonly EndpointSlice[], port: number): EngineAddresses {
  const wanted = service.spec?.ports?.find(each => each.port === port);
  // A slice names its ports as the Service does; one that names none has all of them.
  const name = wanted?.name ?? '';
  const found = slices.flatMap(slice => {
    const target = slice.ports?.find(each => (each.name ?? '') === name)?.port;
    if (!wanted || !target || slice.addressType === 'FQDN') return [];
    return (slice.endpoints ?? []).flatMap(({ addresses: [address], conditions = {}, targetRef }) => {
      const { ready, serving = ready, terminating } = conditions;
      const isServing = terminating ? (serving ?? false) : (ready ?? true);
      if (!isServing || !address) return [];
      return [{ base: base(address, target), draining: terminating === true, isIPv6: isIPv6(address), pod: targetRef?.uid }];
    });
  });
  // A pod with addresses of both families is in a slice of each, and is one engine.
  const withIPv4 = new Set(found.flatMap(({ isIPv6, pod }) => (isIPv6 || !pod ? [] : pod)));
  return sorted(found.filter(({ isIPv6, pod }) => !isIPv6 || !pod || !withIPv4.has(pod)));
}

export function enginesOfPods(pods: readonly Pod[], port: number): EngineAddresses {
  return sorted(
    pods.flatMap(({ metadata, status }) => {
      const isReady = status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
      const draining = metadata.deletionTimestamp !== undefined;
      return status?.podIP && (isReady || draining) ? [{ base: base(status.podIP, port), draining }] : [];
    }),
  );
}

const isIPv6 = (address: string): boolean => address.includes(':');
const base = (address: string, port: number): string => `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;

/** In one order whatever the order of the slices, so that equal engines are equal configuration. */
function sorted(found: readonly { readonly base: string; readonly draining: boolean }[]): EngineAddresses {
  const draining = new Set(found.flatMap(engine => (engine.draining ? engine.base : [])));
  return { endpoints: [...new Set(found.map(engine => engine.base))].sort(), draining: [...draining].sort() };
}
