// How far the newest version of an object has come on its way to the data plane, decided from what each pod says it serves.

/** What one data-plane pod says of itself (`/configz`). Only Ready pods that are not terminating count; the others are not given here. */
export type PodReport = {
  readonly pod: string;
  /** The generation of the configuration that it serves; undefined: it has not answered yet. */
  readonly generation: number | undefined;
  /** What it could not read of that, by `kind namespace/name`, with the reason. */
  readonly rejected: ReadonlyMap<string, string>;
};

export type Delivery =
  | { readonly kind: 'delivered' }
  /** @property waitingFor pods that have not acknowledged; @property forMs since it was published */
  | { readonly kind: 'travelling'; readonly waitingFor: readonly string[]; readonly forMs: number }
  | { readonly kind: 'no-data-plane' }
  | { readonly kind: 'rejected'; readonly message: string }
  /** There is no room for it in what can be published. */
  | { readonly kind: 'too-large' };

export type Published = {
  /** The generation of the configuration that first had this version of the object; undefined: it is not published yet. */
  readonly generation: number | undefined;
  /** Of the newest configuration. A pod that has a higher one has not read it: it was published before all was lost, and began anew. */
  readonly newest: number;
  /** Epoch milliseconds: since when it waits to be served. */
  readonly since: number;
};

/** @param object `kind namespace/name` */
export function deliveryOf(object: string, published: Published, pods: readonly PodReport[], now: number): Delivery {
  if (pods.length === 0) return { kind: 'no-data-plane' };
  const waitingFor = pods.filter(pod => !hasIt(pod, published));
  if (waitingFor.length > 0)
    return { kind: 'travelling', waitingFor: waitingFor.map(p => p.pod).sort(), forMs: now - published.since };
  const refusing = pods.filter(pod => pod.rejected.has(object)).sort((a, b) => (a.pod < b.pod ? -1 : 1))[0];
  return refusing ? { kind: 'rejected', message: `${refusing.pod}: ${refusing.rejected.get(object)}` } : { kind: 'delivered' };
}

const hasIt = (pod: PodReport, { generation, newest }: Published): boolean =>
  generation !== undefined && pod.generation !== undefined && pod.generation >= generation && pod.generation <= newest;
