// Percentiles of latencies over a sliding window: a histogram whose buckets grow by a constant factor (Masson, Rim, Lee: "DDSketch", VLDB
// 2019), so that every answer is within 2 % of the exact one whatever the distribution. Constant memory, nothing allocated on the way.
import { type Millis, millis } from '../units.ts';
import type { LatencySketch } from './health.ts';
import { SlidingCounts } from './sliding-counts.ts';

const RELATIVE_ERROR = 0.02;
const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const PER_LOG = 1 / Math.log(GROWTH);
/** All that is longer counts as this; all that is shorter than a millisecond counts as one. */
const LONGEST_MS = 3_600_000;
const BUCKETS = Math.ceil(Math.log(LONGEST_MS) * PER_LOG) + 1;
/** With fewer there is no percentile worth acting on. */
const FEWEST = 5;
/** An answer stands for so long: the planner asks for every backend of every request. */
const STANDS_MS = 100;
/** Different windows that are asked for; of more the one that was asked for longest ago makes room. */
const MAX_WINDOWS = 4;

/** One window. */
class WindowSketch {
  readonly window: Millis;
  readonly #counts = new SlidingCounts(BUCKETS);
  #askedAt = Number.NEGATIVE_INFINITY;
  #asked = 0;
  #answer: Millis | undefined;

  constructor(window: Millis) {
    this.window = window;
  }

  get askedAt(): number {
    return this.#askedAt;
  }

  add(ms: number, now: number): void {
    const bucket = Math.ceil(Math.log(ms) * PER_LOG);
    this.#counts.add(bucket > 0 ? Math.min(bucket, BUCKETS - 1) : 0, this.window, now);
  }

  percentile(percentile: number, now: number): Millis | undefined {
    if (percentile === this.#asked && now - this.#askedAt < STANDS_MS && now >= this.#askedAt) return this.#answer;
    this.#asked = percentile;
    this.#askedAt = now;
    this.#answer = this.#read(percentile, now);
    return this.#answer;
  }

  #read(percentile: number, now: number): Millis | undefined {
    const all = this.#counts.all(this.window, now);
    if (all < FEWEST) return undefined;
    const bucket = this.#counts.laneOf(Math.max(1, Math.ceil((all * percentile) / 100)), this.window, now);
    // The middle of the bucket, as far from one end as from the other in relation to each.
    return millis(bucket === 0 ? 1 : (2 * GROWTH ** bucket) / (GROWTH + 1));
  }
}

/** Each window that is asked for has counts of its own, from then on: who asks for none pays for none. */
export class Sketch implements LatencySketch {
  readonly #windows: WindowSketch[] = [];

  add(ms: number, now: number): void {
    for (const window of this.#windows) window.add(ms, now);
  }

  /**
   * What took so long at least, as nobody waited for its end. It counts where most are faster: a slow backend whose attempts are given up
   * would else look as fast as its few quick ones. Where most are slower it tells nothing.
   */
  addAtLeast(ms: number, now: number): void {
    for (const window of this.#windows) if (ms > (window.percentile(50, now) ?? Number.POSITIVE_INFINITY)) window.add(ms, now);
  }

  percentile(percentile: number, window: Millis, now: number): Millis | undefined {
    return this.#sketchOf(window).percentile(percentile, now);
  }

  #sketchOf(window: Millis): WindowSketch {
    for (const sketch of this.#windows) if (sketch.window === window) return sketch;
    const sketch = new WindowSketch(window);
    if (this.#windows.length < MAX_WINDOWS) this.#windows.push(sketch);
    else this.#windows[this.#leastAsked()] = sketch;
    return sketch;
  }

  #leastAsked(): number {
    const asked = this.#windows.map(sketch => sketch.askedAt);
    return asked.indexOf(Math.min(...asked));
  }
}
