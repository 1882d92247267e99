// What a provider may be sent at most, before each attempt: a place, or a place in the line, or a refusal. With a pool, the quota of all
// pods is leased in blocks in the background; a request waits for the pool only where this pod has nothing left.
import { failure, ok, type Parsed, refuse } from '#core/failure.ts';
import type { Limits } from '#core/quota/lease.ts';
import { Line } from '#core/quota/line.ts';
import { PodQuota, type Taken } from '#core/quota/pod-quota.ts';
import type { ObjectId, ProviderEntry } from '#core/snapshot/snapshot.ts';
import type { Entrance, Gate, Pass } from '../ports.ts';
import type { QuotaPool } from './pool.ts';

export type GateOptions = {
  readonly pool?: QuotaPool;
  /** Names this process, and no process before it. */
  readonly pod: string;
  /** How many pods are ready: what they share while the pool is away. */
  readonly pods: () => number;
  readonly monotonic: () => number;
};

const FREE: Parsed<Pass> = ok({ leave() {} });

export class ProviderGate implements Gate {
  readonly #options: GateOptions;
  /** Of providers with limits only. */
  readonly #stiles = new Map<ObjectId, Turnstile>();
  readonly #joinedAt: number;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#joinedAt = options.monotonic();
  }

  enter(entrance: Entrance): Parsed<Pass> | Promise<Parsed<Pass>> {
    const { id, limits } = entrance.provider;
    return limits ? this.#stileOf(id, limits).enter(entrance) : FREE;
  }

  /** The larger share of its `rpm` and `tpm` that is used; undefined without such limits. */
  used({ id, limits }: Pick<ProviderEntry, 'id' | 'limits'>): number | undefined {
    if (limits?.rpm === undefined && limits?.tpm === undefined) return undefined;
    return this.#stileOf(id, limits).used;
  }

  /** Requests in each provider's line. */
  waiting(): ReadonlyMap<ObjectId, number> {
    return new Map([...this.#stiles].map(([id, stile]) => [id, stile.waiting]));
  }

  close(): void {
    for (const stile of this.#stiles.values()) stile.close();
  }

  #stileOf(id: ObjectId, limits: NonNullable<ProviderEntry['limits']>): Turnstile {
    let stile = this.#stiles.get(id);
    if (!stile) {
      if (this.#stiles.size >= MAX_STILES) this.#dropIdle();
      stile = new Turnstile(id, limits, this.#options, this.#joinedAt);
      this.#stiles.set(id, stile);
    }
    stile.limits = limits;
    return stile;
  }

  #dropIdle(): void {
    for (const [id, stile] of this.#stiles) if (stile.isIdle()) this.#stiles.delete(id);
  }
}

/** Providers come from the configuration; those that left it are dropped here. */
const MAX_STILES = 4_096;
const REPORT_MS = 250;
/** While somebody waits. */
const HUNGRY_REPORT_MS = 100;
/** How long a request without a place in the line waits for the pool to say whether there is anything. */
const UNSURE_MS = 750;
/** Those too have a bound. */
const MAX_UNSURE = 10_000;
/** A process that has just started gives its connection this long before it takes the pool for away. */
const JOIN_MS = 1_000;

type Waiter = {
  readonly priority: number;
  readonly tokens: number;
  readonly since: number;
  /** Ends the wait, once. */
  settle(outcome: Parsed<Pass>): void;
};

/** One provider's gate. */
class Turnstile {
  limits: NonNullable<ProviderEntry['limits']>;
  #taken: ProviderEntry['limits'];
  readonly #id: ObjectId;
  readonly #quota: PodQuota;
  readonly #options: GateOptions;
  readonly #joinedAt: number;
  readonly #line = new Line<Waiter>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #syncing = false;
  /** Somebody came while a report was on its way. */
  #askAgain = false;
  #closed = false;

  constructor(id: ObjectId, limits: NonNullable<ProviderEntry['limits']>, options: GateOptions, joinedAt: number) {
    this.#id = id;
    this.limits = limits;
    this.#taken = limits;
    this.#options = options;
    this.#joinedAt = joinedAt;
    const { pod, pool, pods, monotonic } = options;
    this.#quota = new PodQuota(pod, limitsOf(limits), monotonic(), pool && pods);
  }

  get waiting(): number {
    return this.#line.length;
  }

  get used(): number | undefined {
    this.#takeLimits();
    return this.#quota.usedShare(this.#now());
  }

  isIdle(): boolean {
    return this.#line.length === 0 && this.#quota.isIdle(this.#now());
  }

  enter(entrance: Entrance): Parsed<Pass> | Promise<Parsed<Pass>> {
    this.#takeLimits();
    const { tokens, client, deadline } = entrance;
    const now = this.#now();
    if (client.gone) return refuse('client_closed');
    if (this.#options.pool) this.#schedule(REPORT_MS);
    const first = this.#line.first;
    if (!first || first.priority < entrance.priority) {
      const taken = this.#quota.take(tokens, now);
      if (taken) return ok(this.#passOf(taken));
    }
    const places = this.#places(now);
    if (places === 0 || deadline <= now) return this.#refused(tokens, now);
    return this.#wait(entrance, places, now);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const waiter of this.#line.beyond(0)) waiter.settle({ ok: false, failure: failure('shutting_down') });
  }

  /** Another configuration may have others. */
  #takeLimits(): void {
    if (this.limits === this.#taken) return;
    this.#taken = this.limits;
    this.#quota.limits = limitsOf(this.limits);
  }

  #now(): number {
    return this.#options.monotonic();
  }

  /** Those who may wait: the queue's, and any number for an instant while it is not known whether there is quota. */
  #places(now: number): number {
    return this.#quota.isExhausted(now) ? this.limits.maxQueue : this.limits.maxQueue + MAX_UNSURE;
  }

  #wait({ tokens, priority, client, deadline }: Entrance, places: number, now: number): Promise<Parsed<Pass>> {
    return new Promise(resolve => {
      const settle = (outcome: Parsed<Pass>) => {
        clearTimeout(timer);
        client.listener = undefined;
        this.#line.leave(waiter);
        resolve(outcome);
      };
      const waiter: Waiter = { priority, tokens, since: now, settle };
      const longest = Math.min(this.limits.queueTimeout, deadline - now);
      const timer = setTimeout(() => settle(this.#refused(tokens, this.#now())), longest);
      this.#line.join(waiter);
      // Told at once when the client is gone already.
      client.listener = { clientLeft: () => settle(refuse('client_closed')), clientDrained: () => {} };
      for (const last of this.#line.beyond(places)) last.settle(this.#refused(last.tokens, now));
      this.#ask(now);
    });
  }

  /** Lets in who fits, in the order of the line: one who does not fit is not overtaken, or it would wait for ever. */
  #serve(): void {
    const now = this.#now();
    for (let first = this.#line.first; first; first = this.#line.first) {
      const taken = this.#quota.take(first.tokens, now);
      if (!taken) break;
      first.settle(ok(this.#passOf(taken)));
    }
    this.#turnAway(now);
  }

  /** Those beyond the queue, once it is known that there is nothing for them, or once nobody can tell in time. */
  #turnAway(now: number): void {
    const exhausted = this.#quota.isExhausted(now);
    for (const last of this.#line.beyond(this.limits.maxQueue))
      if (exhausted || now - last.since >= UNSURE_MS) last.settle(this.#refused(last.tokens, now));
  }

  #refused(tokens: number, now: number): Parsed<Pass> {
    return refuse('provider_limit_reached', { retryAfter: this.#quota.roomIn(tokens, now) });
  }

  #passOf(taken: Taken): Pass {
    let left = false;
    return {
      leave: (used = taken.tokens) => {
        if (left) return;
        left = true;
        this.#quota.leave(taken, used, this.#now());
        if (this.#line.length > 0) this.#serve();
      },
    };
  }

  // ------------------------------------------------------------ in the background

  /** Somebody new waits: the pool is asked at once, unless it has just said that there is nothing. */
  #ask(now: number): void {
    const exhausted = this.#quota.isExhausted(now);
    if (this.#syncing && !exhausted) this.#askAgain = true;
    this.#schedule(exhausted ? HUNGRY_REPORT_MS : 0);
  }

  /** The next look at the line, and the next report; the earlier of two. */
  #schedule(after: number): void {
    const at = this.#now() + after;
    if (this.#syncing || this.#closed || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#tick(), after);
    // Those who wait have timers of their own.
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (this.#options.pool) await this.#report(this.#options.pool);
    if (this.#closed) return;
    this.#serve();
    this.#quota.giveBack();
    if (this.#line.length > 0) this.#schedule(this.#askAgain ? 0 : HUNGRY_REPORT_MS);
    else if (this.#options.pool && !this.#quota.isIdle(this.#now())) this.#schedule(REPORT_MS);
  }

  async #report(pool: QuotaPool): Promise<void> {
    const sentAt = this.#now();
    this.#syncing = true;
    this.#askAgain = false;
    let tokens = 0;
    for (const waiter of this.#line) tokens += waiter.tokens;
    try {
      const reply = await pool.sync(this.#id, this.#quota.report({ count: this.#line.length, tokens }, sentAt));
      this.#quota.replied(reply, sentAt, this.#now());
    } catch {
      if (sentAt - this.#joinedAt > JOIN_MS) this.#quota.poolAway();
    } finally {
      this.#syncing = false;
    }
  }
}

const limitsOf = ({ maxConcurrency, rpm, tpm }: NonNullable<ProviderEntry['limits']>): Limits => ({
  ...(maxConcurrency !== undefined && { slots: maxConcurrency }),
  ...(rpm !== undefined && { requests: rpm }),
  ...(tpm !== undefined && { tokens: tpm }),
});
