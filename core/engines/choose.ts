// Which endpoint of an engine provider takes an attempt. Ranks first: those that may get requests before those that are full, those that
// this request has not tried before those it has. Within a rank the least loaded of two at random, or the one that requests with the
// same beginning go to.
import type { EngineLoad } from '../health/health.ts';
import { hashText, mix, rendezvous } from '../plan/hash.ts';
import { loadOf, requestsAt } from './load.ts';
import type { EndpointState, EngineSettings, EngineStateName } from './state.ts';

export type Replica = {
  readonly endpoint: string;
  /** Of the endpoint's address: every process has the same. */
  readonly hash: number;
  readonly state: EndpointState;
  /** By this process, since the newest reading was asked for. */
  readonly sent: number;
  /** Attempts of this process that are under way there. */
  readonly inFlight: number;
  /** It has failed attempts, one after the other, whatever its metrics say: a last choice until then. Monotonic milliseconds. */
  readonly suspectUntil: number;
};

export type Ask = {
  /** As the engine calls it. */
  readonly model: string;
  readonly tried: readonly string[];
  /** Of tenant and prompt; undefined: any endpoint is as good as another. */
  readonly prefix: number | undefined;
  /** In [0, 1). */
  readonly random: number;
};

export type Surroundings = {
  readonly settings: EngineSettings;
  /** Processes that send there; each sees its own share alone. */
  readonly pods: number;
  /** Monotonic milliseconds. */
  readonly now: number;
};

/** `open` and `full` may get requests; `silent` only where nothing else is left, as it is the probes that may be at fault. */
const ROOM = { open: 0, full: 1, silent: 4, none: Number.POSITIVE_INFINITY } as const;
const TRIED = 2;

const roomOf: Readonly<Record<EngineStateName, number>> = {
  Ready: ROOM.open,
  Restarted: ROOM.open,
  Unknown: ROOM.open,
  Saturated: ROOM.full,
  Stale: ROOM.silent,
  Loading: ROOM.none,
  Sleeping: ROOM.none,
  Wedged: ROOM.none,
  Draining: ROOM.none,
};

/** Above its share by this factor, an endpoint is passed over by requests that prefer it (consistent hashing with bounded loads). */
const BOUND = 1.25;

/** @returns undefined: none of them may get requests */
export function choose<R extends Replica>(replicas: readonly R[], ask: Ask, around: Surroundings): R | undefined {
  let best = Number.POSITIVE_INFINITY;
  let among: R[] = [];
  for (const replica of replicas) {
    const rank = room(replica, ask.model, around.now) + (ask.tried.includes(replica.endpoint) ? TRIED : 0);
    if (rank > best || rank === Number.POSITIVE_INFINITY) continue;
    if (rank < best) among = [];
    best = rank;
    among.push(replica);
  }
  if (among.length < 2) return among[0];
  return ask.prefix === undefined
    ? lighterOfTwo(withAdapter(among, ask.model), ask.random, around)
    : preferred(among, ask.prefix, ask.model, around);
}

/** Whether it may get requests like any other. */
export const isOpen = (replica: Replica, model: string, now: number): boolean => room(replica, model, now) === ROOM.open;

/** How the endpoints stand together for one model. */
export function engineLoad(replicas: readonly Replica[], model: string, around: Surroundings): EngineLoad {
  let best = Number.POSITIVE_INFINITY;
  let usable = 0;
  let silent = 0;
  let load = Number.POSITIVE_INFINITY;
  for (const replica of replicas) {
    const rank = room(replica, model, around.now);
    if (rank === Number.POSITIVE_INFINITY) continue;
    if (rank === ROOM.silent) silent++;
    else usable++;
    if (rank < best) load = Number.POSITIVE_INFINITY;
    if (rank <= best) load = Math.min(load, loadHere(replica, around) ?? sentLoad(replica, around));
    best = Math.min(best, rank);
  }
  return { usable: usable || silent, saturated: best !== ROOM.open, load: Number.isFinite(load) ? load : 1 };
}

/** Of an endpoint with several engines, of which one is wedged, a part of the requests gets no answer. */
function room({ state, suspectUntil }: Replica, model: string, now: number): number {
  if (state.served !== undefined && !state.served.has(model)) return ROOM.none;
  const own = roomOf[state.name];
  return own === ROOM.open && (state.wedged.length > 0 || suspectUntil > now) ? ROOM.full : own;
}

const sentBy = (replica: Replica, { pods }: Surroundings): number => Math.max(replica.sent * pods, unseen(replica));

/**
 * Of our own attempts, those that its figures do not have. An engine that stands still since it had nothing to do says so for ever: each
 * reading would make it the least loaded of all.
 */
const unseen = ({ inFlight, state: { reading } }: Replica): number =>
  Math.max(0, inFlight - (reading?.running ?? 0) - (reading?.waiting ?? 0));

export const loadHere = (replica: Replica, around: Surroundings): number | undefined =>
  loadOf(replica.state, sentBy(replica, around), around.now, around.settings);

/**
 * One request of our own since the last reading says little of the other processes. Counted once for each of them, it would drive the
 * next one with that prefix off a replica that is idle.
 */
const surelySent = (replica: Replica, { pods }: Surroundings): number =>
  Math.max(replica.sent === 0 ? 0 : 1 + (replica.sent - 1) * pods, unseen(replica));

/** All that is known of an endpoint without metrics. */
const sentLoad = (replica: Replica, around: Surroundings): number => sentBy(replica, around) / around.settings.queueDepth;

// ---------------------------------------------------------------- the least loaded

/** Where everybody takes the best of all by figures that are some time old, all take the same. */
function lighterOfTwo<R extends Replica>(replicas: readonly R[], random: number, around: Surroundings): R {
  const count = replicas.length;
  const point = random * count;
  const first = Math.floor(point);
  const other = Math.floor((point - first) * (count - 1));
  const [one, two] = [replicas[first]!, replicas[other < first ? other : other + 1]];
  if (!two) return one;
  const [loadOne, loadTwo] = [loadHere(one, around), loadHere(two, around)];
  // Unknown is not idle: such an endpoint counts as busy as the other.
  if (loadOne === undefined || loadTwo === undefined) return sentLoad(two, around) < sentLoad(one, around) ? two : one;
  return loadTwo < loadOne ? two : one;
}

/** Those that would answer for an adapter soonest: with it at work, with room for one more, waiting for it, without (llm-d's scorer). */
function withAdapter<R extends Replica>(replicas: readonly R[], model: string): readonly R[] {
  if (!replicas.some(({ state }) => state.served?.get(model)?.isAdapter)) return replicas;
  const nearest = Math.min(...replicas.map(replica => adapterRank(replica, model)));
  return replicas.filter(replica => adapterRank(replica, model) === nearest);
}

function adapterRank({ state }: Replica, model: string): number {
  const adapters = state.reading?.adapters;
  if (adapters?.running.includes(model)) return 0;
  if (!adapters || adapters.running.length + adapters.waiting.length < adapters.max) return 1;
  return adapters.waiting.includes(model) ? 2 : 3;
}

// ---------------------------------------------------------------- the preferred

/**
 * By rendezvous hashing every process prefers the same endpoint for the same beginning, without a word between them. One that has more
 * than its share is passed over, but not below the queue that is no load at all.
 */
function preferred<R extends Replica>(replicas: readonly R[], prefix: number, model: string, around: Surroundings): R {
  let total = 0;
  for (const replica of replicas) total += requestsAt(replica.state, surelySent(replica, around));
  const bound = Math.max((BOUND * total) / replicas.length, around.settings.queueDepth);
  const key = mix(prefix, hashText(model));
  let best: R | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const replica of replicas) {
    if (requestsAt(replica.state, surelySent(replica, around)) > bound) continue;
    const value = rendezvous(key, replica.hash, 1);
    if (best && value >= least) continue;
    least = value;
    best = replica;
  }
  // The one with the fewest is always within the bound.
  return best!;
}
