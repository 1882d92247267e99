// How many requests of a route may be doubled: a share of those of the last minute, so that a provider that is slow for everybody is not
// asked twice by everybody.

const SLOT_MS = 10_000;
const SLOTS = 6;

/** By route; routes come from the configuration, and the oldest give way to new ones. */
export class HedgeShares {
  readonly #shares = new Map<string, HedgeShare>();

  /** @param now monotonic milliseconds */
  requested(routeId: string, now: number): void {
    this.#of(routeId).requested(now);
  }

  /** Whether one more is within the share; if so it is counted. */
  take(routeId: string, maxPercent: number, now: number): boolean {
    return this.#of(routeId).take(maxPercent, now);
  }

  #of(routeId: string): HedgeShare {
    let share = this.#shares.get(routeId);
    if (share) return share;
    if (this.#shares.size >= MAX_ROUTES) this.#shares.delete(this.#shares.keys().next().value!);
    share = new HedgeShare();
    this.#shares.set(routeId, share);
    return share;
  }
}

const MAX_ROUTES = 10_000;

class HedgeShare {
  readonly #requests = new Array<number>(SLOTS).fill(0);
  readonly #hedges = new Array<number>(SLOTS).fill(0);
  /** Number of the newest slot. */
  #newest = 0;

  requested(now: number): void {
    this.#requests[this.#slotOf(now)]!++;
  }

  take(maxPercent: number, now: number): boolean {
    const slot = this.#slotOf(now);
    if ((sum(this.#hedges) + 1) * 100 > sum(this.#requests) * maxPercent) return false;
    this.#hedges[slot]!++;
    return true;
  }

  #slotOf(now: number): number {
    const slot = Math.floor(now / SLOT_MS);
    for (let passed = Math.min(SLOTS, slot - this.#newest); passed > 0; passed--) {
      const at = (slot - passed + 1) % SLOTS;
      this.#requests[at] = 0;
      this.#hedges[at] = 0;
    }
    // A clock that was set back counts in the newest slot.
    this.#newest = Math.max(this.#newest, slot);
    return this.#newest % SLOTS;
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
