// How many retries a provider may get: a share of what it is sent, so that a provider in trouble is not sent more for it. Google's SRE book,
// "Handling Overload", and Envoy's retry budget: without one, three retries make four times the load of an outage.
import { SlidingCounts } from './sliding-counts.ts';

const WINDOW_MS = 10_000;
/** Below that many in the window nothing is denied: a share of little traffic would be no retry at all. */
const FREE_RETRIES = 10;

const ATTEMPTS = 0;
const RETRIES = 1;

/** Of one provider. */
export class RetryBudget {
  readonly #counts = new SlidingCounts(2);

  /** Every attempt, retries included. */
  attempted(now: number): void {
    this.#counts.add(ATTEMPTS, WINDOW_MS, now);
  }

  /** One more retry, counted where it is allowed. */
  take(budgetPercent: number, now: number): boolean {
    const retries = this.#counts.sum(RETRIES, WINDOW_MS, now);
    const requests = this.#counts.sum(ATTEMPTS, WINDOW_MS, now) - retries;
    if (retries >= Math.max(FREE_RETRIES, (requests * budgetPercent) / 100)) return false;
    this.#counts.add(RETRIES, WINDOW_MS, now);
    return true;
  }
}
