// Each request's share of the time of a replica that serves several at once: while n are in flight, each uses 1/n of it (processor
// sharing). What all requests of a busy period have used adds up to its length, to the microsecond: idle time is nobody's.
import type { Millis } from '../units.ts';

/** Where the virtual clock stood when the request came: it runs 1/n as fast as time while n are in flight. */
export type Share = { readonly from: number };

/** One replica. Every event costs O(1), however many are in flight. */
export class ReplicaClock {
  readonly #others: () => number;
  #inFlight = 0;
  /** In flight in other processes, as of the last event. */
  #elsewhere = 0;
  /** Virtual milliseconds; begins anew with each busy period, so that it stays precise. */
  #virtual = 0;
  #at = 0;
  /** What rounding has kept back so far, in microseconds. */
  #carry = 0;

  /** @param others requests that other processes have in flight on this replica, as far as it is known */
  constructor(others: () => number = () => 0) {
    this.#others = others;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @param now monotonic milliseconds */
  enter(now: Millis): Share {
    this.#advance(now);
    this.#inFlight++;
    return { from: this.#virtual };
  }

  /** Seconds of the replica that were this request's, in whole microseconds; once for each `enter`. */
  leave({ from }: Share, now: Millis): number {
    this.#advance(now);
    this.#inFlight--;
    const exact = (this.#virtual - from) * 1000 + this.#carry;
    const micros = Math.max(0, Math.round(exact));
    this.#carry = exact - micros;
    if (this.#inFlight === 0) this.#virtual = 0;
    return micros / 1e6;
  }

  #advance(now: Millis): void {
    if (this.#inFlight > 0) this.#virtual += Math.max(0, now - this.#at) / (this.#inFlight + this.#elsewhere);
    this.#at = Math.max(this.#at, now);
    this.#elsewhere = this.#others();
  }
}
