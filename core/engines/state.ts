// How an endpoint of engines stands, by what its probes have said so far. Pure: a state, a probe and the time make
// the next state.
import type { Connection } from '../snapshot/snapshot.ts';
import { type EngineReading, type Reading, tellsLoad } from './reading.ts';

/**
 * Loading: nobody listens, `/health` says no, or it does not have the models yet. Restarted: for one reading, after which what was known
 * of it counts no more. Stale: nothing has been heard of it for `staleAfter`. Unknown: it answers, and its metrics are none we know.
 */
export const engineStates = [
  'Loading',
  'Ready',
  'Saturated',
  'Sleeping',
  'Wedged',
  'Stale',
  'Restarted',
  'Draining',
  'Unknown',
] as const;
export type EngineStateName = (typeof engineStates)[number];

/** Of one provider. */
export type EngineSettings = Extract<Connection, { type: 'VLLM' }>['probes'] & {
  /** Names of the provider's models at the engine. Empty: it answers to any name. */
  readonly models: readonly string[];
};

/** What one look at an endpoint brought. */
export type Probe =
  | { readonly kind: 'read'; readonly reading: Reading }
  /** It answered with something that is no metrics. */
  | { readonly kind: 'unreadable' }
  /** No answer in time, or a broken one: busy, as far as one can tell. */
  | { readonly kind: 'missed' }
  /** Nobody listens there. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'health'; readonly isWell: boolean }
  /** undefined: it does not say. */
  | { readonly kind: 'models'; readonly models: readonly ServedModel[] | undefined };

export type ServedModel = { readonly name: string; readonly isAdapter: boolean };

/** When an engine last did something, or had nothing to do. */
type Progress = {
  readonly engine: string;
  readonly at: number;
  readonly count: number | undefined;
  readonly kv: number | undefined;
  readonly hasWork: boolean;
};

export type EndpointState = {
  readonly name: EngineStateName;
  /** Since when. Times are monotonic milliseconds. */
  readonly since: number;
  /** The last that could be read, however old. */
  readonly reading: Reading | undefined;
  /** When it last answered for its metrics; before the first time, when it was first looked for. */
  readonly heardAt: number;
  readonly misses: number;
  readonly isDown: boolean;
  readonly isWell: boolean;
  /** By name. undefined: not known, so that all are taken to be served. */
  readonly served: ReadonlyMap<string, ServedModel> | undefined;
  readonly progress: readonly Progress[];
  /** Engines that are wedged; where others are not, the endpoint is a last choice. */
  readonly wedged: readonly string[];
  /** As of the last reading. */
  readonly isSaturated: boolean;
  readonly isRestarted: boolean;
  readonly isDraining: boolean;
};

/** A slow answer is no sign of death: this many in a row are. */
const GRACE_MISSES = 3;
/** A saturated engine counts as such until it is this far below the thresholds, so that it does not flap. */
const RELIEF = 0.8;

/** Of an endpoint that has not been looked at yet. It may get requests: a gateway that has just started refuses none. */
export const newEndpoint = (now: number): EndpointState => ({
  name: 'Unknown',
  since: now,
  reading: undefined,
  heardAt: now,
  misses: 0,
  isDown: false,
  isWell: true,
  served: undefined,
  progress: [],
  wedged: [],
  isSaturated: false,
  isRestarted: false,
  isDraining: false,
});

export function probed(before: EndpointState, probe: Probe, now: number, settings: EngineSettings): EndpointState {
  return named(heard(before, probe, now, settings), before, now, settings);
}

/** @param isDraining it is about to end, as who runs it says */
export function marked(before: EndpointState, isDraining: boolean, now: number, settings: EngineSettings): EndpointState {
  return isDraining === before.isDraining ? before : named({ ...before, isDraining }, before, now, settings);
}

function named(heard: EndpointState, before: EndpointState, now: number, settings: EngineSettings): EndpointState {
  const name = nameOf(heard, now, settings);
  return { ...heard, name, since: name === before.name ? before.since : now };
}

function heard(before: EndpointState, probe: Probe, now: number, settings: EngineSettings): EndpointState {
  switch (probe.kind) {
    case 'read':
      return probe.reading.engines.length > 0 ? read(before, probe.reading, now, settings) : unreadable(before, now);
    case 'unreadable':
      return unreadable(before, now);
    case 'missed':
      return { ...before, misses: before.misses + 1, isRestarted: false };
    case 'refused':
      return { ...before, misses: before.misses + 1, isDown: true, isRestarted: false };
    case 'health':
      return { ...before, isWell: probe.isWell };
    case 'models':
      return { ...before, served: probe.models && new Map(probe.models.map(model => [model.name, model])) };
  }
}

const answered = (now: number) => ({ heardAt: now, misses: 0, isDown: false }) as const;

const unreadable = (before: EndpointState, now: number): EndpointState => ({
  ...before,
  ...answered(now),
  reading: undefined,
  progress: [],
  wedged: [],
  isSaturated: false,
  isRestarted: false,
});

function read(before: EndpointState, reading: Reading, now: number, settings: EngineSettings): EndpointState {
  const isRestarted = before.reading !== undefined && hasRestarted(before.reading, reading);
  const earlier = isRestarted ? [] : before.progress;
  const progress = reading.engines.map(engine => progressOf(engine, earlier, now));
  const pressure = pressureOf(reading, settings);
  return {
    ...before,
    ...answered(now),
    reading,
    progress,
    wedged: progress.filter((p, i) => isWedged(p, reading.engines[i]!, now, settings)).map(p => p.engine),
    isSaturated: before.isSaturated && !isRestarted ? pressure > RELIEF : pressure >= 1,
    isRestarted,
  };
}

/** 1: a threshold of saturation is reached. What is unknown does not count. */
function pressureOf({ waiting, kvMax }: Reading, { queueDepth, kvCacheUtilization }: EngineSettings): number {
  return Math.max((waiting ?? 0) / queueDepth, (kvMax ?? 0) / kvCacheUtilization);
}

function hasRestarted(before: Reading, after: Reading): boolean {
  if (before.startedAt !== undefined && after.startedAt !== undefined && before.startedAt !== after.startedAt) return true;
  return after.engines.some(({ engine, progress }) => {
    const count = before.engines.find(other => other.engine === engine)?.progress;
    return count !== undefined && progress !== undefined && progress < count;
  });
}

/**
 * A prefill of a long prompt in chunks moves no counter until it is done (vllm#51261), and fills the KV cache meanwhile: that is
 * progress. Without work, and when work begins, the clock begins anew.
 */
function progressOf(reading: EngineReading, earlier: readonly Progress[], now: number): Progress {
  const { engine, progress: count, kv, running = 0, waiting = 0 } = reading;
  const before = earlier.find(p => p.engine === engine);
  const hasWork = running > 0 || waiting > 0;
  const isStill = before?.hasWork === true && hasWork && before.count === count && !((kv ?? 0) > (before.kv ?? 0));
  return { engine, at: isStill ? before.at : now, count, kv, hasWork };
}

/**
 * Work, and for a long time nothing done. Without any counter of progress nobody could tell; but requests that wait while none runs
 * and no block is taken say enough (vllm#39863, a dead EngineCore).
 */
function isWedged({ at, count }: Progress, { running, waiting = 0, kv }: EngineReading, now: number, s: EngineSettings): boolean {
  if (now - at < s.wedgedAfter) return false;
  return count !== undefined || (waiting > 0 && running === 0 && kv === 0);
}

/** The first that holds. */
function nameOf(state: EndpointState, now: number, settings: EngineSettings): EngineStateName {
  const { reading, wedged } = state;
  if (state.isDraining) return 'Draining';
  if (state.isDown || !state.isWell || !servesAny(state, settings.models)) return 'Loading';
  const engines = reading?.engines ?? [];
  if (engines.length > 0 && engines.every(engine => engine.awake === false)) return 'Sleeping';
  if (engines.length > 0 && wedged.length === engines.length) return 'Wedged';
  if (state.misses >= GRACE_MISSES && now - state.heardAt >= settings.staleAfter) return 'Stale';
  if (!reading || !tellsLoad(reading)) return 'Unknown';
  if (state.isRestarted) return 'Restarted';
  return state.isSaturated ? 'Saturated' : 'Ready';
}

const servesAny = ({ served }: EndpointState, models: readonly string[]): boolean =>
  served === undefined || models.length === 0 || models.some(name => served.has(name));

/** Whether attempts that wait for an answer of it wait in vain, or for who knows how long. */
export const isLost = ({ name, isDown, isWell }: EndpointState): boolean =>
  name === 'Wedged' || name === 'Sleeping' || (name === 'Loading' && (isDown || !isWell));
