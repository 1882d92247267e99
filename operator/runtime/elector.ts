// Who leads: a Lease that its holder renews, as client-go does it. No clock of another machine is ever compared with ours: a lease is
// over when it has not changed for its duration *since we saw it change*; and its holder stops well before, counted from before it
// asked for the renewal. Here are the decisions; lease.ts makes the requests.

/** One moment on both clocks. A pause of the machine shows on the wall clock only, a step of the wall clock on the other only. */
export type Instant = { readonly wall: number; readonly monotonic: number };

export type LeaseRecord = {
  /** '' when it was released. */
  readonly holder: string;
  readonly durationMs: number;
  /** Changes with every write. */
  readonly version: string;
  readonly transitions: number;
};

export type ElectionTiming = {
  /** How long others wait for a holder that says nothing. */
  readonly leaseMs: number;
  /** How long a holder goes on without a renewal. The rest up to `leaseMs` is for what is under way, and for clocks of other speeds. */
  readonly renewWithinMs: number;
  readonly renewEveryMs: number;
  /** How often those who wait look. */
  readonly lookEveryMs: number;
};

/** controller-runtime's 15, 10 and 2 s; those who wait look every second, so that a killed leader is replaced within 17 s. */
export const usualElection: ElectionTiming = { leaseMs: 15_000, renewWithinMs: 10_000, renewEveryMs: 2_000, lookEveryMs: 1_000 };

export type ElectionStep =
  | { readonly kind: 'create' }
  /** `from`: what has to be there still. */
  | { readonly kind: 'take' | 'renew'; readonly from: LeaseRecord }
  | { readonly kind: 'wait'; readonly ms: number };

export class Election {
  readonly #identity: string;
  readonly #timing: ElectionTiming;
  #seen: { readonly record: LeaseRecord; readonly at: Instant } | undefined;
  /** Until when we lead, on both clocks. */
  #until: Instant | undefined;

  constructor(identity: string, timing: ElectionTiming) {
    this.#identity = identity;
    this.#timing = timing;
  }

  get holder(): string | undefined {
    return this.#seen?.record.holder || undefined;
  }

  /** What the server has, undefined: no lease at all; at the time at which it answered. */
  observe(record: LeaseRecord | undefined, at: Instant): void {
    if (record?.holder !== this.#identity) this.#until = undefined;
    if (!record) this.#seen = undefined;
    else if (record.version !== this.#seen?.record.version) this.#seen = { record, at };
  }

  /** The server took our write of `record`. @param asked when it was sent, which is before anyone could see it */
  won(record: LeaseRecord, asked: Instant): void {
    this.#seen = { record, at: asked };
    this.#until = later(asked, this.#timing.renewWithinMs);
  }

  /** Whether we lead: to be asked before every write. */
  holds(now: Instant): boolean {
    return this.#until !== undefined && now.wall < this.#until.wall && now.monotonic < this.#until.monotonic;
  }

  resign(): void {
    this.#until = undefined;
  }

  /** To be asked right after `observe` or `won`. */
  next(now: Instant): ElectionStep {
    if (!this.#seen) return { kind: 'create' };
    const { record, at } = this.#seen;
    if (record.holder === this.#identity) return { kind: this.#until ? 'renew' : 'take', from: record };
    if (record.holder === '') return { kind: 'take', from: record };
    const leftMs = at.monotonic + record.durationMs - now.monotonic;
    if (leftMs <= 0) return { kind: 'take', from: record };
    return { kind: 'wait', ms: Math.min(leftMs, this.#timing.lookEveryMs) };
  }
}

const later = ({ wall, monotonic }: Instant, ms: number): Instant => ({ wall: wall + ms, monotonic: monotonic + ms });
