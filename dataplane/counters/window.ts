// A sliding window of 60 s in buckets of one second, in memory: a ring and its running sum, so that asking costs the same however much
// came. Buckets that left the window are emptied by whoever comes next.
import type { EpochMillis } from '#core/units.ts';

export const WINDOW_SECONDS = 60;

export class SlidingWindow {
  readonly #buckets = new Float64Array(WINDOW_SECONDS);
  #sum = 0;
  /** The newest second that was looked at. */
  #second: number;

  constructor(second: number) {
    this.#second = second;
  }

  sum(second: number): number {
    if (second < this.#second - WINDOW_SECONDS) this.#beginAnew(second);
    const passed = Math.min(second - this.#second, WINDOW_SECONDS);
    for (let i = 1; i <= passed; i++) {
      const place = (this.#second + i) % WINDOW_SECONDS;
      this.#sum -= this.#buckets[place]!;
      this.#buckets[place] = 0;
    }
    if (passed > 0) this.#second = second;
    return this.#sum;
  }

  /** The clock was set back: whoever waited until it has caught up would wait for as long as that takes. */
  #beginAnew(second: number): void {
    this.#buckets.fill(0);
    this.#sum = 0;
    this.#second = second;
  }

  /** Into the bucket of a second that is still in the window. */
  add(second: number, count: number): void {
    this.sum(second);
    const bucket = second % WINDOW_SECONDS;
    this.#buckets[bucket] = this.#buckets[bucket]! + count;
    this.#sum += count;
  }

  /** Milliseconds until so many have left; what can never fit waits for a whole window. */
  roomAfter(needed: number, now: EpochMillis): number {
    let left = needed;
    for (let second = this.#second - WINDOW_SECONDS + 1; second <= this.#second; second++) {
      left -= this.#buckets[second % WINDOW_SECONDS]!;
      if (left <= 0) return (second + WINDOW_SECONDS) * 1000 - now;
    }
    return WINDOW_SECONDS * 1000;
  }

  isIdle(second: number): boolean {
    return second - this.#second >= WINDOW_SECONDS;
  }
}
