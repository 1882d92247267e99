// Continuous batching as vLLM's scheduler does it, in discrete steps and without a clock: a step is planned, costs so many
// milliseconds, and then its tokens are there. Everything follows from what was added and in which step.
import { type BlockHash, KvBlocks } from './kv-blocks.ts';

/** Named as vLLM's options, where it has one. */
export type BatchingSettings = {
  /** Sequences in one batch. */
  readonly maxNumSeqs: number;
  /** Tokens in one step: a longer prompt is prefilled in chunks. */
  readonly maxNumBatchedTokens: number;
  /** Sequences that may wait; 0: any number. */
  readonly maxNumQueuedReqs: number;
  /** Tokens in a block. */
  readonly blockSize: number;
  readonly numGpuBlocks: number;
  /** Tokens of a sequence, prompt and answer. */
  readonly maxModelLen: number;
  /** Adapters in one batch. */
  readonly maxLoras: number;
  readonly cost: StepCost;
  /** Of the jitter. */
  readonly seed: number;
};

/** Milliseconds. A decode step reads all weights once, whatever the batch; each sequence and each prompt token adds to it. */
export type StepCost = {
  readonly step: number;
  readonly perSequence: number;
  readonly perPrefillToken: number;
  /** 0 to 1: how far a step may be off, either way. */
  readonly jitter: number;
};

export type NewSequence = {
  readonly promptTokens: number;
  /** At least one. */
  readonly outputTokens: number;
  readonly finish: FinishReason;
  /** Of the full blocks of prompt and answer together, in order. */
  readonly hashes: readonly BlockHash[];
  readonly adapter?: string | undefined;
};

export type FinishReason = 'stop' | 'length' | 'abort';

export type Sequence = NewSequence & {
  readonly id: number;
  readonly state: 'waiting' | 'running' | 'done' | 'aborted';
  /** Tokens of the answer that are there. */
  readonly generated: number;
  /** Of the prompt, found in the cache when it was first scheduled. */
  readonly cachedTokens: number;
};

type Own = {
  -readonly [field in keyof Sequence]: Sequence[field];
} & {
  /** Tokens whose keys and values are in its blocks. */
  computed: number;
  blocks: number[];
  sealed: number;
  wasScheduled: boolean;
  firstTokenSeen: boolean;
};

/** What one step did. */
export type StepResult = {
  /** That it computed, of prompts and answers. */
  readonly tokens: number;
  /** First scheduled in it, so their time in the queue is over. */
  readonly started: readonly Sequence[];
  /** That have one more token. */
  readonly advanced: readonly Sequence[];
  /** Of the `advanced`: with their first token. */
  readonly first: readonly Sequence[];
  readonly done: readonly Sequence[];
};

/** Totals since the start. */
export type BatchingCounters = {
  readonly promptTokens: number;
  readonly generationTokens: number;
  readonly preemptions: number;
  /** Tokens that were looked up in the prefix cache, and found. */
  readonly prefixQueries: number;
  readonly prefixHits: number;
  readonly refusals: number;
  readonly finished: Readonly<Record<FinishReason, number>>;
};

type Work = { readonly sequence: Own; readonly tokens: number };

export class Batching {
  readonly settings: BatchingSettings;
  readonly #kv: KvBlocks;
  readonly #running: Own[] = [];
  readonly #waiting: Own[] = [];
  readonly #counters = {
    promptTokens: 0,
    generationTokens: 0,
    preemptions: 0,
    prefixQueries: 0,
    prefixHits: 0,
    refusals: 0,
    finished: { stop: 0, length: 0, abort: 0 },
  };
  #planned: { readonly work: readonly Work[]; readonly started: readonly Own[] } | undefined;
  #nextId = 0;
  #random: number;

  constructor(settings: BatchingSettings) {
    // vLLM does not start either: a sequence that fits nowhere would be preempted for ever.
    if (settings.numGpuBlocks * settings.blockSize < settings.maxModelLen)
      throw new Error(
        `a sequence of maxModelLen (${settings.maxModelLen}) does not fit into ${settings.numGpuBlocks} blocks of ${settings.blockSize}`,
      );
    this.settings = settings;
    this.#kv = new KvBlocks(settings.numGpuBlocks);
    this.#random = settings.seed;
  }

  get running(): readonly Sequence[] {
    return this.#running;
  }

  get waiting(): readonly Sequence[] {
    return this.#waiting;
  }

  /** Of the waiting: those that let others pass, for want of room for their adapter. */
  get deferred(): number {
    return this.#waiting.filter(({ adapter }) => !this.#hasRoomFor(adapter)).length;
  }

  /** Share of the blocks in use, 0 to 1. */
  get kvUsage(): number {
    return this.#kv.usage;
  }

  get counters(): BatchingCounters {
    return this.#counters;
  }

  /** Undefined: the queue is full. */
  add(asked: NewSequence): Sequence | undefined {
    const { maxNumQueuedReqs, maxModelLen } = this.settings;
    if (maxNumQueuedReqs > 0 && this.#waiting.length >= maxNumQueuedReqs) {
      this.#counters.refusals += 1;
      return undefined;
    }
    if (asked.promptTokens < 1 || asked.outputTokens < 1 || asked.promptTokens + asked.outputTokens > maxModelLen)
      throw new RangeError(`a sequence has at least one token each way and at most ${maxModelLen} in all`);
    const sequence: Own = {
      ...asked,
      id: this.#nextId++,
      state: 'waiting',
      generated: 0,
      cachedTokens: 0,
      computed: 0,
      blocks: [],
      sealed: 0,
      wasScheduled: false,
      firstTokenSeen: false,
    };
    this.#waiting.push(sequence);
    return sequence;
  }

  /** Its client has gone. */
  abort(sequence: Sequence): void {
    const own = sequence as Own;
    if (own.state !== 'running' && own.state !== 'waiting') return;
    this.#leave(own);
    own.state = 'aborted';
    this.#counters.finished.abort += 1;
  }

  /** Decides what the next step computes, and for how long; undefined: there is nothing to do. Followed by `complete`. */
  plan(): number | undefined {
    const work: Work[] = [];
    let budget = this.settings.maxNumBatchedTokens;
    let preempted = false;
    for (const sequence of [...this.#running]) {
      if (sequence.state !== 'running' || budget === 0) continue;
      const tokens = Math.min(remaining(sequence), budget);
      while (sequence.state === 'running' && !this.#grow(sequence, tokens)) {
        preempted = true;
        budget += this.#preempt(work);
      }
      if (sequence.state !== 'running') break;
      work.push({ sequence, tokens });
      budget -= tokens;
    }
    const started = preempted ? [] : this.#startWaiting(work, budget);
    if (work.length === 0) return undefined;
    this.#planned = { work, started };
    return this.#cost(work);
  }

  /** The planned step is over. Sequences that were aborted meanwhile get nothing of it. */
  complete(): StepResult {
    const { work, started } = this.#planned ?? { work: [], started: [] };
    this.#planned = undefined;
    const advanced: Own[] = [];
    const first: Own[] = [];
    const done: Own[] = [];
    for (const { sequence, tokens } of work) {
      if (sequence.state !== 'running') continue;
      sequence.computed += tokens;
      this.#seal(sequence);
      if (remaining(sequence) > 0) continue;
      if (!sequence.firstTokenSeen) {
        sequence.firstTokenSeen = true;
        // vLLM counts a prompt when its prefill is over, however many chunks that took.
        this.#counters.promptTokens += sequence.promptTokens;
        first.push(sequence);
      }
      sequence.generated += 1;
      this.#counters.generationTokens += 1;
      advanced.push(sequence);
      if (sequence.generated < sequence.outputTokens) continue;
      this.#leave(sequence);
      sequence.state = 'done';
      this.#counters.finished[sequence.finish] += 1;
      done.push(sequence);
    }
    return { tokens: work.reduce((sum, { tokens }) => sum + tokens, 0), started, advanced, first, done };
  }

  /** Forgets the prefix cache, where nothing is running. */
  forgetPrefixes(): void {
    if (this.#running.length === 0) this.#kv.forget();
  }

  #startWaiting(work: Work[], available: number): Own[] {
    const started: Own[] = [];
    let budget = available;
    const passedOver: Own[] = [];
    while (this.#waiting.length > 0 && budget > 0 && this.#running.length < this.settings.maxNumSeqs) {
      const sequence = this.#waiting.shift()!;
      // Without room for its adapter a sequence lets others pass; without room in the cache it does not.
      if (!this.#hasRoomFor(sequence.adapter)) {
        passedOver.push(sequence);
        continue;
      }
      const tokens = this.#start(sequence, budget);
      if (tokens === 0) {
        this.#waiting.unshift(sequence);
        break;
      }
      if (!sequence.wasScheduled) {
        sequence.wasScheduled = true;
        started.push(sequence);
      }
      work.push({ sequence, tokens });
      budget -= tokens;
    }
    this.#waiting.unshift(...passedOver);
    return started;
  }

  /** How many of its tokens are in the next step; 0: its blocks do not fit. */
  #start(sequence: Own, budget: number): number {
    const { blockSize } = this.settings;
    // The last token is always computed: its logits are the first token of the answer.
    const known = sequence.promptTokens + sequence.generated;
    const held = this.#kv.held(sequence.hashes.slice(0, Math.floor((known - 1) / blockSize)));
    const tokens = Math.min(known - held.length * blockSize, budget);
    const blocks = this.#kv.allocate(held, Math.ceil(tokens / blockSize));
    if (!blocks) return 0;
    sequence.blocks = blocks;
    sequence.sealed = held.length;
    sequence.computed = held.length * blockSize;
    sequence.state = 'running';
    if (!sequence.wasScheduled) {
      sequence.cachedTokens = sequence.computed;
      this.#counters.prefixQueries += sequence.promptTokens;
      this.#counters.prefixHits += sequence.computed;
    }
    this.#running.push(sequence);
    return tokens;
  }

  #hasRoomFor(adapter: string | undefined): boolean {
    if (adapter === undefined) return true;
    const inUse = new Set(this.#running.flatMap(running => running.adapter ?? []));
    return inUse.has(adapter) || inUse.size < this.settings.maxLoras;
  }

  /** Whether it has blocks for so many more tokens. */
  #grow(sequence: Own, tokens: number): boolean {
    const needed = Math.ceil((sequence.computed + tokens) / this.settings.blockSize) - sequence.blocks.length;
    if (needed <= 0) return true;
    const blocks = this.#kv.allocate([], needed);
    if (blocks) sequence.blocks.push(...blocks);
    return blocks !== undefined;
  }

  /** The last of the batch gives its blocks back and waits, before all others; returns what it would have computed in this step. */
  #preempt(work: Work[]): number {
    const last = this.#running.at(-1)!;
    this.#leave(last);
    last.state = 'waiting';
    last.computed = 0;
    this.#waiting.unshift(last);
    this.#counters.preemptions += 1;
    const index = work.findIndex(({ sequence }) => sequence === last);
    return index < 0 ? 0 : work.splice(index, 1)[0]!.tokens;
  }

  #leave(sequence: Own): void {
    const queue = sequence.state === 'running' ? this.#running : this.#waiting;
    queue.splice(queue.indexOf(sequence), 1);
    this.#kv.release(sequence.blocks);
    sequence.blocks = [];
    sequence.sealed = 0;
  }

  #seal(sequence: Own): void {
    const full = Math.min(Math.floor(sequence.computed / this.settings.blockSize), sequence.hashes.length);
    for (; sequence.sealed < full; sequence.sealed++)
      this.#kv.seal(sequence.blocks[sequence.sealed]!, sequence.hashes[sequence.sealed]!);
  }

  #cost(work: readonly Work[]): number {
    const { step, perSequence, perPrefillToken, jitter } = this.settings.cost;
    const prefilled = work.reduce((sum, { tokens }) => sum + (tokens > 1 ? tokens : 0), 0);
    const off = jitter === 0 ? 0 : jitter * (2 * this.#nextRandom() - 1);
    return (step + perSequence * work.length + perPrefillToken * prefilled) * (1 + off);
  }

  /** Mulberry32: 0 up to 1, the same for the same seed. */
  #nextRandom(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}

/** Tokens it knows and has not computed: all of its prompt at first, one in each step later. */
const remaining = (sequence: Own): number => sequence.promptTokens + sequence.generated - sequence.computed;
