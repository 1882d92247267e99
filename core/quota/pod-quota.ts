// A pod's part of a provider's quota: what it may let through now without asking anybody. It holds blocks leased from the pool of all
// pods, reports what it used, and says how much it wants by the demand it sees. Where there is no pool (or it is away) it has an
// equal share of the limits, counted by itself. Pure: the caller brings the time and carries reports and replies.
import { type Millis, millis } from '../units.ts';
import {
  type Amounts,
  type Dim,
  dims,
  LEASE_MS,
  type Limits,
  nothing,
  type Reply,
  type Report,
  WINDOW_SECONDS,
} from './lease.ts';
import { SlidingWindow } from './window.ts';

/** How much demand outlives the moment it was seen in, from report to report. */
const DEMAND_DECAY = 0.7;
/** Blocks are for two reports' time at the demand last seen. */
const REPORTS_AHEAD = 2;
const SLOTS_AHEAD = 1.25;
/** How long an answer that nothing is left stands for those who come after it. */
const EXHAUSTED_MS = 100;
/** Where nothing tells when there is room. */
const RETRY_MS = 1_000;

const NO_SECOND = 0;
const windowDims = ['requests', 'tokens'] as const;

/** What was let through between two reports, and where the pool counts it. */
type Batch = {
  readonly used: { requests: number; tokens: number };
  passed: number;
  refund: number;
  /** Pool time, once it has told. */
  second: number | undefined;
};

/** One request that was let through. */
export type Taken = { readonly tokens: number; readonly at: number; readonly batch: Batch };

export type Demanded = { readonly count: number; readonly tokens: number };

export class PodQuota {
  limits: Limits;
  readonly #pod: string;
  /** undefined: there is no pool. */
  readonly #pods: (() => number) | undefined;
  #busy = 0;
  readonly #windows = { requests: new SlidingWindow(), tokens: new SlidingWindow() };
  /** Leased and idle. */
  #free: Amounts = { ...nothing };
  #leasedUntil: number;
  #yields = false;
  /** What all pods had used when the pool was last asked, and when that was. */
  #allUsed: Reply['used'] = { requests: 0, tokens: 0 };
  #askedAt = Number.NEGATIVE_INFINITY;
  #exhaustedAt = Number.NEGATIVE_INFINITY;
  #roomIn = 0;

  #born = 0;
  #seq = 0;
  #batch = emptyBatch();
  #sent: Batch | undefined;
  /** Batches with refunds that are not told yet. */
  readonly #refunds = new Set<Batch>();
  #refundsTold: Record<string, number> = {};
  #demand: Amounts = { ...nothing };
  #peak = 0;

  /** @param pods how many pods share the limits while the pool is away; absent: there is no pool, all is this process's */
  constructor(pod: string, limits: Limits, now: number, pods?: () => number) {
    this.#pod = pod;
    this.limits = limits;
    this.#pods = pods;
    this.#leasedUntil = pods ? now + LEASE_MS : Number.NEGATIVE_INFINITY;
  }

  // ------------------------------------------------------------ requests

  take(bound: number, now: number): Taken | undefined {
    const leased = this.#isLeased(now);
    const tokens = this.#atMostAll(bound, leased);
    const needed: Amounts = { slots: 1, requests: 1, tokens };
    for (const dim of this.#limited()) {
      const left = leased ? this.#free[dim] : this.#shareOf(dim) - this.#ownUse(dim, now);
      if (left < needed[dim]) return undefined;
    }
    if (leased) for (const dim of this.#limited()) this.#free[dim] -= needed[dim];
    this.#busy++;
    this.#peak = Math.max(this.#peak, this.#busy);
    this.#count(1, tokens, now);
    return { tokens, at: now, batch: this.#batch };
  }

  /** The request is over: its slot is free, and what it did not use of its tokens; what it used beyond them counts from now on. */
  leave({ tokens, at, batch }: Taken, used: number, now: number): void {
    const leased = this.#isLeased(now);
    this.#busy--;
    if (leased && !this.#yields && this.limits.slots !== undefined) this.#free.slots++;
    if (used > tokens) this.#overdraw(used - tokens, now);
    else if (used < tokens) this.#refund(tokens - used, at, batch, now);
  }

  /** Nobody has anything that this pod could still be given. */
  isExhausted(now: number): boolean {
    return !this.#isLeased(now) || now - this.#exhaustedAt < EXHAUSTED_MS;
  }

  /** The larger share of the limits on requests and tokens that is used, by all pods as far as it is known; undefined: there are none. */
  usedShare(now: number): number | undefined {
    const leased = this.#isLeased(now);
    let share: number | undefined;
    for (const dim of windowDims) {
      const limit = this.limits[dim];
      if (limit === undefined) continue;
      const used = leased ? this.#usedByAll(dim, now) / limit : this.#ownUse(dim, now) / this.#shareOf(dim);
      share = Math.max(share ?? 0, used);
    }
    return share;
  }

  /** When it is worth asking again. */
  roomIn(tokens: number, now: number): Millis {
    if (this.#isLeased(now)) return millis(this.#roomIn || RETRY_MS);
    const { requests, tokens: window } = this.#windows;
    const waits = [
      this.limits.requests === undefined ? 0 : requests.fallsTo(now, this.#shareOf('requests') - 1),
      this.limits.tokens === undefined ? 0 : window.fallsTo(now, Math.max(0, this.#shareOf('tokens') - tokens)),
    ];
    return millis(Math.max(...waits) || RETRY_MS);
  }

  // ------------------------------------------------------------ the pool

  /** Nothing to tell the pool, and nothing to keep. */
  isIdle(now: number): boolean {
    const { requests, tokens } = this.#windows;
    const uses = this.#busy + requests.sum(now) + tokens.sum(now) + this.#batch.passed;
    return uses === 0 && !this.#sent && dims.every(dim => this.#free[dim] === 0);
  }

  /** A report whose reply was lost is made again: the same uses under the same number, and what is held by now. */
  report(waiting: Demanded, now: number): Report {
    this.#isLeased(now);
    if (!this.#sent) this.#closeBatch(now);
    const need = this.#needOf(waiting);
    const want = this.#wantOf(need);
    return {
      pod: this.#pod,
      seq: this.#seq,
      born: this.#born,
      limits: this.limits,
      hold: this.#held(),
      busy: this.limits.slots === undefined ? 0 : this.#busy,
      used: this.#sent!.used,
      refunds: this.#refundsTold,
      passed: this.#sent!.passed,
      need,
      want,
    };
  }

  /** @param sentAt when the report left: a lease counts from then, so that it ends here before it ends in the pool */
  replied(reply: Reply, sentAt: number, now: number): void {
    if (reply.lost) return this.#tellAnew(reply.born, now);
    this.#born = reply.born;
    this.#sent!.second = reply.second;
    this.#sent = undefined;
    this.#isLeased(now);
    this.#leasedUntil = sentAt + LEASE_MS;
    for (const dim of this.#limited()) this.#free[dim] += reply.granted[dim];
    this.#yields = reply.yield;
    this.#roomIn = reply.roomIn;
    this.#allUsed = reply.used;
    this.#askedAt = sentAt;
    if (reply.exhausted) this.#exhaustedAt = sentAt;
  }

  /** After a reply, once those who wait had their chance: what is idle goes back where another pod has waited longer. */
  giveBack(): void {
    if (this.#yields) this.#free = { ...nothing };
  }

  /** The pool did not answer: an equal share of the limits until it does. */
  poolAway(): void {
    if (!this.#pods) return;
    this.#leasedUntil = Number.NEGATIVE_INFINITY;
  }

  /** Whether the pool decides; a lease that has ended is dropped. */
  #isLeased(now: number): boolean {
    if (now < this.#leasedUntil) return true;
    this.#free = { ...nothing };
    this.#yields = false;
    return false;
  }

  /** A request that may take more than there ever is takes all of it: its bound is far above what most such requests use. */
  #atMostAll(tokens: number, leased: boolean): number {
    if (this.limits.tokens === undefined) return tokens;
    return Math.min(tokens, leased ? this.limits.tokens : this.#shareOf('tokens'));
  }

  #limited(): readonly Dim[] {
    return dims.filter(dim => this.limits[dim] !== undefined);
  }

  /** At least 1: a fleet larger than the limit would else serve nothing at all. */
  #shareOf(dim: Dim): number {
    return Math.max(1, Math.floor(this.limits[dim]! / Math.max(1, this.#pods?.() ?? 1)));
  }

  /** As last told, of which a part has left the window since, and what is not told yet. */
  #usedByAll(dim: 'requests' | 'tokens', now: number): number {
    const stillCounts = Math.max(0, 1 - (now - this.#askedAt) / (WINDOW_SECONDS * 1000));
    return this.#allUsed[dim] * stillCounts + this.#batch.used[dim] + (this.#sent?.used[dim] ?? 0);
  }

  #ownUse(dim: Dim, now: number): number {
    return dim === 'slots' ? this.#busy : this.#windows[dim].sum(now);
  }

  #count(requests: number, tokens: number, now: number): void {
    this.#windows.requests.add(now, requests);
    this.#windows.tokens.add(now, tokens);
    this.#batch.used.requests += requests;
    this.#batch.used.tokens += tokens;
    this.#batch.passed += requests;
  }

  #overdraw(more: number, now: number): void {
    this.#count(0, more, now);
    this.#free.tokens = Math.max(0, this.#free.tokens - more);
  }

  #refund(tokens: number, at: number, batch: Batch, now: number): void {
    this.#windows.tokens.correct(now, at, -tokens);
    if (!this.#pods) return;
    if (batch !== this.#batch) {
      batch.refund += tokens;
      this.#refunds.add(batch);
    } else {
      batch.used.tokens -= tokens;
      if (this.limits.tokens !== undefined && !this.#yields) this.#free.tokens += tokens;
    }
  }

  #closeBatch(now: number): void {
    this.#sent = this.#batch;
    this.#batch = emptyBatch();
    this.#seq++;
    this.#refundsTold = this.#collectRefunds();
    // After a time without the pool: what has left the window meanwhile need not be told.
    const { used } = this.#sent;
    used.requests = Math.min(used.requests, this.#windows.requests.sum(now));
    used.tokens = Math.min(used.tokens, this.#windows.tokens.sum(now));
    this.#observe(this.#sent);
  }

  #observe({ used }: Batch): void {
    const seen: Amounts = { slots: this.#peak, ...used };
    for (const dim of dims) this.#demand[dim] = Math.max(seen[dim], this.#demand[dim] * DEMAND_DECAY);
    this.#peak = this.#busy;
  }

  #needOf({ count, tokens }: Demanded): Amounts {
    const all: Amounts = { slots: count, requests: count, tokens };
    return this.#perDim(dim => Math.max(0, Math.min(all[dim], this.limits[dim]!) - this.#free[dim]));
  }

  /** Also lets go of what the demand no longer asks for. */
  #wantOf(need: Amounts): Amounts {
    return this.#perDim(dim => {
      const ahead = this.#aheadOf(dim);
      if (need[dim] === 0 && this.#free[dim] > ahead) this.#free[dim] = ahead;
      return Math.min(this.limits[dim]!, need[dim] + Math.max(0, ahead - this.#free[dim]));
    });
  }

  #aheadOf(dim: Dim): number {
    const ahead = dim === 'slots' ? this.#demand.slots * SLOTS_AHEAD - this.#busy : this.#demand[dim] * REPORTS_AHEAD;
    // What is left of a demand that has ended is no demand.
    return ahead < 1 ? 0 : Math.ceil(ahead);
  }

  /** What is idle, what is busy, and what was used since the batch that is being told. */
  #held(): Amounts {
    const { used } = this.#batch;
    const more: Amounts = { slots: this.#busy, ...used };
    return this.#perDim(dim => this.#free[dim] + more[dim]);
  }

  #perDim(amount: (dim: Dim) => number): Amounts {
    const amounts = { ...nothing };
    for (const dim of this.#limited()) amounts[dim] = amount(dim);
    return amounts;
  }

  #collectRefunds(): Record<string, number> {
    const told: Record<string, number> = {};
    for (const batch of this.#refunds) {
      if (batch.second === undefined) continue;
      told[batch.second] = (told[batch.second] ?? 0) + batch.refund;
      batch.refund = 0;
      this.#refunds.delete(batch);
    }
    return told;
  }

  /** Another state of the pool than it was: all that this pod has used of the windows is told again, as of now. */
  #tellAnew(born: number, now: number): void {
    this.#born = born;
    this.#refunds.clear();
    this.#free = { ...nothing };
    // What comes back of these later is kept to itself: no second has this number.
    this.#batch.second = NO_SECOND;
    this.#sent!.second = NO_SECOND;
    this.#sent = undefined;
    const { requests, tokens } = this.#windows;
    this.#batch = { ...emptyBatch(), used: { requests: requests.sum(now), tokens: tokens.sum(now) } };
  }
}

const emptyBatch = (): Batch => ({ used: { requests: 0, tokens: 0 }, passed: 0, refund: 0, second: undefined });
