// The data-plane pods that share one Redis: who is alive, and whether what they knew before Redis lost its data is in the ledger by now.
// The protocol and why it is safe: docs/decisions/2026-11-21-counters-and-their-loss.md.
import { randomUUID } from 'node:crypto';
import type { RedisLink } from '#platform/redis.ts';
import { runScript, type Script } from '#platform/redis-script.ts';
import { readScript } from './scripts.ts';

export type Fleet = {
  /** Live pods as last known, this one included; while Redis is away or has just lost its data, as known before. */
  readyPods(): number;
  /** The epoch, once every live pod has brought to the ledger what it had when it began; undefined before, and when Redis is away. Asks Redis. */
  rebuildEpoch(): Promise<string | undefined>;
  /**
   * Data was lost though the epoch was not (a stale replica, one shard of a cluster): begins a new one. `unless young` (=) lets the many who find
   * one loss begin one epoch; `always` is for who made sums unknown by that, as what was flushed for the present epoch came before.
   */
  renew(how?: 'unless young' | 'always'): Promise<void>;
  /** Leaves: the others need not wait for this pod. */
  close(): Promise<void>;
};

export type FleetOptions = {
  readonly link: RedisLink;
  /** Unique to this process. */
  readonly pod: string;
  /** Resolves when every row that this process has written so far is in the ledger. Repeated until it does. */
  readonly flushSpool: () => Promise<void>;
  /** Redis lost its data since this pod last looked; called after the flush, before the pod says that it has flushed. */
  readonly onLoss?: (epoch: string) => void;
  /** How many pods there should be, for the time before this one has seen any. */
  readonly initialPods?: number;
  readonly beatEveryMs?: number;
};

const BEAT_EVERY_MS = 1000;
/** A pod that missed so many is dead. */
const DEAD_AFTER_BEATS = 5;
/** After so many every live pod has seen a new epoch. */
const NOTICED_AFTER_BEATS = 2;
const KEYS = ['tollgate:{fleet}:pods', 'tollgate:{fleet}:epoch', 'tollgate:{fleet}:flushed'] as const;

export function joinFleet(options: FleetOptions): Fleet {
  return new Membership(options);
}

type Pulse = { readonly epoch: string; readonly age: number; readonly live: number; readonly flushed: number };

class Membership implements Fleet {
  readonly #options: FleetOptions;
  readonly #beat: Script = readScript('beat-3');
  readonly #renew: Script = readScript('renew-1');
  readonly #timer: NodeJS.Timeout;
  readonly #beatEvery: number;
  readonly #noticedAfter: number;
  #pods: number;
  #seen: string | undefined;
  #flushed = '';
  #flushing: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#pods = Math.max(1, options.initialPods ?? 1);
    this.#beatEvery = options.beatEveryMs ?? BEAT_EVERY_MS;
    this.#noticedAfter = NOTICED_AFTER_BEATS * this.#beatEvery;
    this.#timer = setInterval(() => void this.#pulse(), this.#beatEvery);
    this.#timer.unref();
    options.link.onChange(state => {
      if (state.kind === 'up') void this.#pulse();
    });
    void this.#pulse();
  }

  readyPods(): number {
    return this.#pods;
  }

  async rebuildEpoch(): Promise<string | undefined> {
    const pulse = await this.#pulse();
    if (pulse === undefined || pulse.flushed < pulse.live) return undefined;
    return pulse.live >= this.#pods || pulse.age >= this.#noticedAfter ? pulse.epoch : undefined;
  }

  async renew(how: 'unless young' | 'always' = 'unless young'): Promise<void> {
    if (this.#seen !== undefined) {
      const words = [KEYS[1], this.#seen, randomUUID(), how === 'always' ? '0' : String(this.#noticedAfter)];
      await this.#options.link.call(client => runScript(client, this.#renew, 1, words)).catch(() => undefined);
    }
    await this.#pulse();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#send('1');
  }

  /** undefined: Redis is away, which is known elsewhere. */
  async #pulse(): Promise<Pulse | undefined> {
    if (this.#isClosed) return undefined;
    const pulse = await this.#send('0');
    if (pulse === undefined) return undefined;
    if (pulse.age >= this.#noticedAfter || pulse.live > this.#pods) this.#pods = Math.max(1, pulse.live);
    if (pulse.epoch !== this.#flushed) this.#flushing ??= this.#flush(pulse.epoch);
    return pulse;
  }

  async #send(leaves: '0' | '1'): Promise<Pulse | undefined> {
    const words = [...KEYS, this.#options.pod, randomUUID(), this.#flushed, String(DEAD_AFTER_BEATS * this.#beatEvery), leaves];
    try {
      const reply = await this.#options.link.call(client => runScript(client, this.#beat, KEYS.length, words));
      const [epoch, age, live, flushed] = reply as [string, number, number, number];
      return { epoch, age, live, flushed };
    } catch {
      return undefined;
    }
  }

  /** One at a time. A loss during a flush is seen by the next heartbeat, which flushes again: what was flushed before it may not be enough. */
  async #flush(epoch: string): Promise<void> {
    try {
      await this.#options.flushSpool();
      const isLoss = this.#seen !== undefined && this.#seen !== epoch;
      this.#seen = epoch;
      this.#flushed = epoch;
      if (isLoss) this.#options.onLoss?.(epoch);
    } catch {
      return; // the next heartbeat tries again
    } finally {
      this.#flushing = undefined;
    }
    await this.#pulse();
  }
}
