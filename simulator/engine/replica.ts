// One replica over time: its engines (several with data parallelism), what state it is in, and what its metrics would say. The clock is
// handed in: `advance` runs every step that is over by then, so a late timer delays nobody.
import {
  Batching,
  type BatchingCounters,
  type BatchingSettings,
  type NewSequence,
  type Sequence,
  type StepResult,
} from './batching.ts';
import { Histogram, type HistogramReading } from './histogram.ts';

export type ReplicaSettings = BatchingSettings & {
  /** Engines behind one address, each with a batch and a cache of its own. */
  readonly dataParallelSize: number;
  /** How many times faster than `cost` says. */
  readonly speed: number;
  /** Milliseconds from a start until it serves. */
  readonly startup: number;
};

export type ReplicaState =
  /** Starting: it answers 503. */
  | 'loading'
  | 'serving'
  /** Its weights are out of memory: requests wait, and it looks idle. */
  | 'sleeping'
  /** The engine's process stands still: requests are taken, `/health` is 200, and the metrics keep what they last said. */
  | 'wedged'
  /** The engine's process hangs but its queue does not: new requests show as waiting. */
  | 'stuck'
  /** The engine's process is gone and the API server lives on: `/health` is 503, chats are 500, the gauges keep their values. */
  | 'dead'
  /** It finishes what it has and takes nothing new. */
  | 'draining';

export type SleepLevel = 'awake' | 'weights_offloaded' | 'discard_all';

/** A sequence on its way through the replica. */
export type Job = {
  readonly sequence: Sequence;
  /** Why it will never end: its engine died or went to sleep, or the whole process did. */
  readonly failure: 'engine' | 'process' | undefined;
  /** Called when it has more tokens, has ended or has failed. */
  onChange: () => void;
};

type OwnJob = { -readonly [field in keyof Job]: Job[field] } & {
  readonly core: Core;
  readonly addedAt: number;
  lastTokenAt: number;
};

export type Submission = { readonly job: Job } | { readonly refused: 'busy' | 'loading' | 'dead' | 'draining' };

export type EngineReading = {
  readonly engine: number;
  readonly running: number;
  readonly waiting: number;
  /** Of the waiting: those that let others pass, for want of room for their adapter. */
  readonly deferred: number;
  readonly kvUsage: number;
  readonly runningAdapters: readonly string[];
  readonly waitingAdapters: readonly string[];
  readonly counters: BatchingCounters;
  readonly histograms: Readonly<Record<keyof Core['histograms'], HistogramReading>>;
};

export type ReplicaReading = {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly startedAt: number;
  readonly sleep: SleepLevel;
  readonly settings: ReplicaSettings;
  readonly engines: readonly EngineReading[];
};

/** How far behind it may be before the steps it missed are dropped: its process was stopped, not late. */
const MAX_BEHIND_MS = 1000;

// The bounds of vLLM 0.32's histograms, in seconds or tokens.
const requestBounds = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const firstTokenBounds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const tokenBounds = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const iterationBounds = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

class Core {
  readonly batching: Batching;
  readonly histograms = {
    iterationTokens: new Histogram(iterationBounds),
    firstToken: new Histogram(firstTokenBounds),
    interToken: new Histogram(tokenBounds),
    queueTime: new Histogram(requestBounds),
    endToEnd: new Histogram(requestBounds),
  };
  readonly jobs = new Map<Sequence, OwnJob>();
  /** When the step under way is over; undefined: there is none. */
  due: number | undefined;
  /** It stands still, while others behind the same address may work: what it said last. */
  halted: EngineReading | undefined;

  constructor(settings: BatchingSettings) {
    this.batching = new Batching(settings);
  }
}

export class Replica {
  readonly settings: ReplicaSettings;
  #cores: readonly Core[];
  #state: ReplicaState;
  #sleep: SleepLevel = 'awake';
  #startedAt: number;
  #servesFrom: number;
  /** What the metrics go on saying while the engine's process says nothing. */
  #frozen: readonly EngineReading[] | undefined;

  constructor(settings: ReplicaSettings, now: number) {
    this.settings = settings;
    this.#cores = this.#newCores();
    this.#startedAt = now;
    this.#servesFrom = now + settings.startup;
    this.#state = settings.startup > 0 ? 'loading' : 'serving';
  }

  get state(): ReplicaState {
    return this.#state;
  }

  submit(asked: NewSequence, now: number): Submission {
    this.advance(now);
    if (this.#state === 'loading' || this.#state === 'dead' || this.#state === 'draining') return { refused: this.#state };
    const core = this.#leastLoaded();
    const sequence = core.batching.add(asked);
    if (!sequence) return { refused: 'busy' };
    const job: OwnJob = { sequence, failure: undefined, onChange: () => {}, core, addedAt: now, lastTokenAt: now };
    core.jobs.set(sequence, job);
    this.#plan(core, now);
    return { job };
  }

  /** Its client has gone. */
  abort(job: Job): void {
    const { core } = job as OwnJob;
    if (core.jobs.delete(job.sequence)) core.batching.abort(job.sequence);
  }

  /** Runs what is over by `now`; returns when the next step is over or loading ends, undefined when there is nothing to wait for. */
  advance(now: number): number | undefined {
    if (this.#state === 'loading' && now < this.#servesFrom) return this.#servesFrom;
    if (this.#state === 'loading') this.#state = 'serving';
    for (const core of this.#cores) this.#runSteps(core, now);
    const due = this.#cores.flatMap(core => core.due ?? []);
    return due.length > 0 ? Math.min(...due) : undefined;
  }

  /** `loading` is entered by `restart`. */
  enter(state: Exclude<ReplicaState, 'loading'>, now: number, sleep: Exclude<SleepLevel, 'awake'> = 'weights_offloaded'): void {
    if (state === this.#state) return;
    const before = this.#frozen ?? this.#liveEngines();
    this.#state = state;
    this.#frozen = state === 'wedged' || state === 'dead' ? structuredClone(before) : undefined;
    this.#sleep = state === 'sleeping' ? sleep : 'awake';
    if (state === 'dead' || state === 'sleeping') this.#failAll('engine');
    for (const core of this.#cores) {
      if (state === 'sleeping') core.batching.forgetPrefixes();
      // The step under way is never over; it is planned anew when the engine works again.
      if (!this.#isWorking()) core.due = undefined;
      else this.#plan(core, now);
    }
  }

  /** Of several engines these stand still, as one `wedged` does; the others work. */
  halt(engines: readonly number[], now: number): void {
    const live = this.#liveEngines();
    for (const [at, core] of this.#cores.entries()) {
      core.halted = engines.includes(at) ? (core.halted ?? structuredClone(live[at]!)) : undefined;
      if (core.halted) core.due = undefined;
      else this.#plan(core, now);
    }
  }

  /** A new process: counters at 0, caches empty, everything that was under way lost. */
  restart(now: number, startup = this.settings.startup): void {
    this.#failAll('process');
    this.#cores = this.#newCores();
    this.#startedAt = now;
    this.#frozen = undefined;
    this.#sleep = 'awake';
    this.#servesFrom = now + startup;
    this.#state = startup > 0 ? 'loading' : 'serving';
  }

  reading(now: number): ReplicaReading {
    const { settings } = this;
    const engines = this.#frozen ?? this.#liveEngines();
    return { now, startedAt: this.#startedAt, sleep: this.#sleep, settings, engines };
  }

  #newCores(): Core[] {
    const { settings } = this;
    return Array.from({ length: settings.dataParallelSize }, (_, at) => new Core({ ...settings, seed: settings.seed + at }));
  }

  /** As vLLM's data-parallel front end weighs them: a waiting request counts four times. */
  #leastLoaded(): Core {
    const load = ({ batching }: Core) => 4 * batching.waiting.length + batching.running.length;
    return this.#cores.reduce((best, core) => (load(core) < load(best) ? core : best));
  }

  #isWorking(): boolean {
    return this.#state === 'serving' || this.#state === 'draining';
  }

  #plan(core: Core, now: number): void {
    if (core.due !== undefined || core.halted || !this.#isWorking()) return;
    const cost = core.batching.plan();
    core.due = cost === undefined ? undefined : now + cost / this.settings.speed;
  }

  #runSteps(core: Core, now: number): void {
    if (core.due !== undefined && now - core.due > MAX_BEHIND_MS) core.due = now;
    while (core.due !== undefined && core.due <= now) {
      const at = core.due;
      core.due = undefined;
      const result = core.batching.complete();
      observe(core, result, at);
      this.#plan(core, at);
      for (const sequence of result.advanced) tell(core, sequence);
    }
  }

  #failAll(failure: NonNullable<Job['failure']>): void {
    for (const { jobs, batching } of this.#cores)
      for (const job of jobs.values()) {
        jobs.delete(job.sequence);
        batching.abort(job.sequence);
        job.failure = failure;
        job.onChange();
      }
  }

  #liveEngines(): EngineReading[] {
    return this.#cores.map(({ batching, histograms, halted }, engine) => {
      if (halted) return halted;
      return {
        engine,
        running: batching.running.length,
        waiting: batching.waiting.length,
        deferred: batching.deferred,
        kvUsage: batching.kvUsage,
        runningAdapters: adaptersOf(batching.running),
        waitingAdapters: adaptersOf(batching.waiting),
        counters: batching.counters,
        histograms,
      };
    });
  }
}

const adaptersOf = (sequences: readonly Sequence[]): string[] => [...new Set(sequences.flatMap(({ adapter }) => adapter ?? []))];

function observe({ histograms, jobs }: Core, { tokens, started, advanced, first }: StepResult, at: number): void {
  const sinceAdded = (sequence: Sequence) => (at - (jobs.get(sequence)?.addedAt ?? at)) / 1000;
  for (const sequence of started) histograms.queueTime.observe(sinceAdded(sequence));
  for (const sequence of first) histograms.firstToken.observe(sinceAdded(sequence));
  for (const sequence of advanced) {
    const job = jobs.get(sequence);
    if (!job) continue;
    if (!first.includes(sequence)) histograms.interToken.observe((at - job.lastTokenAt) / 1000);
    job.lastTokenAt = at;
    if (sequence.state === 'done') histograms.endToEnd.observe(sinceAdded(sequence));
  }
  // A step that only prefills a chunk has no output, and without one vLLM's front end counts no iteration (vllm#51261).
  if (advanced.length > 0) histograms.iterationTokens.observe(tokens);
}

function tell({ jobs }: Core, sequence: Sequence): void {
  const job = jobs.get(sequence);
  if (sequence.state === 'done') jobs.delete(sequence);
  job?.onChange();
}
