// A sum over the last 60 s, in buckets of one second. A use counts until its whole second is 60 s old, so no span of 60 s ever
// holds more than was allowed; it is forgotten up to a second late.
import { type Millis, millis } from '../units.ts';
import { WINDOW_SECONDS } from './lease.ts';

export class SlidingWindow {
  /** By second, ascending; at most one more than the window has seconds. */
  readonly #buckets = new Map<number, number>();
  #sum = 0;

  sum(now: number): number {
    const oldest = secondOf(now) - WINDOW_SECONDS;
    for (const [second, amount] of this.#buckets) {
      if (second > oldest) break;
      this.#buckets.delete(second);
      this.#sum -= amount;
    }
    return this.#sum;
  }

  add(now: number, amount: number): void {
    this.sum(now);
    const second = secondOf(now);
    this.#buckets.set(second, (this.#buckets.get(second) ?? 0) + amount);
    this.#sum += amount;
  }

  /** Less, or more, for what was added at an earlier moment, where that is still counted. */
  correct(now: number, addedAt: number, difference: number): void {
    this.sum(now);
    const second = secondOf(addedAt);
    const amount = this.#buckets.get(second);
    if (amount === undefined) return;
    const corrected = Math.max(0, amount + difference);
    this.#buckets.set(second, corrected);
    this.#sum += corrected - amount;
  }

  /** When the sum will be at most this. */
  fallsTo(now: number, target: number): Millis {
    let left = this.sum(now);
    if (left <= target) return millis(0);
    for (const [second, amount] of this.#buckets) {
      left -= amount;
      if (left <= target) return millis((second + WINDOW_SECONDS) * 1000 - now);
    }
    return millis(0);
  }
}

const secondOf = (now: number): number => Math.floor(now / 1000);
