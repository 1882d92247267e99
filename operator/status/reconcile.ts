// Writes the status of an object where it is another than what the API server has: conditions at once, what only follows the
// surroundings now and then.
import type { Kind } from '#core/resources/index.ts';
import { conditionsOf, type StatusCondition } from '#core/status/conditions.ts';
import { type Delivery, deliveryOf } from '#core/status/delivery.ts';
import { newsOf } from '#core/status/news.ts';
import type { Clock } from '#platform/clock.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import { differences } from '#platform/kube/diff.ts';
import { isKubeError } from '#platform/kube/errors.ts';
import { type Configuration, isOf, type Standing } from '../configuration.ts';
import type { DataPlanePods } from '../publish/pods.ts';
import { type OurObject, ourResources } from '../resources.ts';
import type { Outcome, Reconcile } from '../runtime/controller.ts';
import type { Happening } from '../runtime/events.ts';
import type { Source } from '../runtime/source.ts';
import { type Indexed, statusFields } from './status-of.ts';

export const FIELD_MANAGER = 'tollgate-status';

export type StatusOptions = {
  /** Whose writes are of one term of leadership. */
  readonly client: KubeClient;
  readonly sources: Readonly<Record<Kind, Source<OurObject>>>;
  readonly configuration: Configuration;
  readonly pods: DataPlanePods;
  /** The highest generation that may have been published. */
  readonly newest: () => number;
  /** The state of the world that statuses tell of. */
  readonly around: () => Indexed | undefined;
  /** Those that are not known to be served as they are. */
  readonly pending: Set<string>;
  readonly clock: Clock;
  readonly tell: (happening: Happening) => void;
};

/** What only follows the surroundings is written at most so often. */
const SURROUNDINGS_EVERY_MS = 10_000;
const SETTLING_MS = 100;
const UNSEEN_MS = 50;
const SEEN_MS = 5_000;
const DONE: Outcome = { kind: 'done' };

export function statusReconciler(options: StatusOptions): Reconcile {
  /** Monotonic, by key: when what follows the surroundings was last written. */
  const writtenAt = new Map<string, number>();
  /** By key. As long as that version is what is known here, the write has not come back. */
  const writtenOver = new Map<string, Over>();
  return async (key, signal) => {
    const [kind, id] = key.split(' ') as [Kind, string];
    const object = options.sources[kind].get(id);
    const standing = options.configuration.standings.get(key);
    const around = options.around();
    if (!object) {
      options.pending.delete(key);
      writtenAt.delete(key);
      writtenOver.delete(key);
      return DONE;
    }
    // What is compiled is of another version: that of this one is on its way, and comes by here again.
    if (!standing || !around || !isOf(standing, object.metadata)) return DONE;
    const over = writtenOver.get(key);
    if (over?.version === object.metadata.resourceVersion && options.clock.monotonic() < over!.until)
      return { kind: 'again', afterMs: UNSEEN_MS };
    writtenOver.delete(key);
    if (!options.pods.hasSettled) return { kind: 'again', afterMs: SETTLING_MS };
    const delivery = deliveryFor(key, standing, options);
    if (delivery.kind === 'delivered' || !standing.verdict.live) options.pending.delete(key);
    else options.pending.add(key);
    // A pod that has just become ready may lack it: nothing is said of all before that one has had its time.
    if (delivery.kind === 'delivered' && options.pods.hasUnheard && !isProgrammed(object))
      return { kind: 'again', afterMs: SETTLING_MS };
    return write({ kind, key, object, standing, delivery, around, signal }, options, { writtenAt, writtenOver });
  };
}

const isProgrammed = ({ metadata, status }: OurObject): boolean =>
  status?.conditions?.some(
    ({ type, status, observedGeneration }) =>
      type === 'Programmed' && status === 'True' && observedGeneration === metadata.generation,
  ) ?? false;

type Subject = {
  readonly kind: Kind;
  readonly key: string;
  readonly object: OurObject;
  readonly standing: Standing;
  readonly delivery: Delivery;
  readonly around: Indexed;
  readonly signal: AbortSignal;
};

function deliveryFor(
  key: string,
  { isTooLarge, publishedIn, since }: Standing,
  { pods, newest, clock }: StatusOptions,
): Delivery {
  if (isTooLarge) return { kind: 'too-large' };
  return deliveryOf(key, { generation: publishedIn, newest: newest(), since }, pods.reports(), clock.monotonic());
}

type Written = { readonly writtenAt: Map<string, number>; readonly writtenOver: Map<string, Over> };
/** What was written over; `until`: after that it is not waited for any more. Monotonic. */
type Over = { readonly version: string | undefined; readonly until: number };

async function write(subject: Subject, options: StatusOptions, { writtenAt, writtenOver }: Written): Promise<Outcome> {
  const { kind, key, object, standing, delivery, around, signal } = subject;
  const { readiness, fields, surroundings } = statusFields(kind, object, around);
  const generation = standing.generation;
  const before = object.status?.conditions ?? [];
  const conditions = conditionsOf({
    generation,
    verdict: standing.verdict,
    delivery,
    readiness,
    before,
    now: options.clock.now(),
  });
  if (conditions.kind === 'wait') return { kind: 'again', afterMs: conditions.ms };
  const status = { observedGeneration: generation, conditions: conditions.conditions, ...fields, ...surroundings };
  const differing = differences({ status }, object, { owned: ['status'] });
  if (differing.length === 0) return DONE;
  const now = options.clock.monotonic();
  const waitMs = (writtenAt.get(key) ?? Number.NEGATIVE_INFINITY) + SURROUNDINGS_EVERY_MS - now;
  if (waitMs > 0 && !isUrgent(conditions.conditions, object)) return { kind: 'again', afterMs: waitMs };
  writtenAt.set(key, now);
  if (!(await apply(subject, status, options, signal))) return DONE;
  writtenOver.set(key, { version: object.metadata.resourceVersion, until: now + SEEN_MS });
  for (const news of newsOf(before, conditions.conditions)) options.tell({ resource: ourResources[kind], object, ...news });
  return DONE;
}

/** Whether it tells of the object itself, and not only of what is around it. */
function isUrgent(conditions: readonly StatusCondition[], { status }: OurObject): boolean {
  const known = (type: string) => status?.conditions?.find(condition => condition.type === type);
  return conditions.some(
    ({ type, status, reason, observedGeneration }) =>
      observedGeneration !== known(type)?.observedGeneration ||
      (type !== 'Ready' && (status !== known(type)?.status || reason !== known(type)?.reason)),
  );
}

async function apply(
  { kind, object }: Subject,
  status: object,
  { client }: StatusOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, namespace, uid } = object.metadata;
  // With its uid: an object of the same name that was made a moment ago is not told of its predecessor.
  const metadata = { name, ...(namespace !== undefined && { namespace }), ...(uid !== undefined && { uid }) };
  try {
    await client.apply(ourResources[kind], { metadata, status } as OurObject, {
      fieldManager: FIELD_MANAGER,
      force: true,
      subresource: 'status',
      signal,
    });
  } catch (error) {
    if (isKubeError(error, 'not-found', 'conflict')) return false;
    throw error;
  }
  return true;
}
