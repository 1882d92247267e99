// Takes part in the election of a leader: reads and writes the Lease, and holds a term for as long as it is renewed.
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '#platform/clock.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import { isKubeError } from '#platform/kube/errors.ts';
import { type KubeObject, type KubeResource, microTime } from '#platform/kube/resource.ts';
import type { Log } from '#platform/log.ts';
import { Election, type ElectionTiming, type Instant, type LeaseRecord, usualElection } from './elector.ts';

/** The time for which this process leads. */
export type Term = {
  /** Whether it still does: to be asked before every write, since a process that stood still hears of its end too late. */
  holds(): boolean;
  /** Aborted at its end: what a leader does is to end, too. */
  readonly signal: AbortSignal;
  /**
   * Aborted when it ends against our will. A term that is given up ends its writes first: one that is aborted may still be carried out
   * by the server, after the lease was released.
   */
  readonly lost: AbortSignal;
  /** The lease is not released before this has settled. */
  underWay(write: Promise<unknown>): void;
};

export type LeaseOptions = {
  readonly client: KubeClient;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Unique to this process. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * What a leader does. It is to return soon after its term's end; only then may this process lead again, and when it stops, only then
   * is the lease released.
   */
  readonly lead: (term: Term) => Promise<void>;
  readonly onChange?: (leads: boolean) => void;
  readonly timing?: ElectionTiming;
};

export const leases: KubeResource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

type Lease = KubeObject & {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
};

type OwnTerm = {
  readonly end: AbortController;
  readonly lose: () => void;
  /** Settles when what a leader does has ended. */
  readonly over: Promise<void>;
  readonly alarm: NodeJS.Timeout;
  readonly writes: ReadonlySet<Promise<unknown>>;
};

/** After a request about the lease failed. */
const AFTER_FAILURE_MS = 500;
const OVER = 'the lease was not renewed in time';

export class LeaseElector {
  readonly #options: LeaseOptions;
  readonly #timing: ElectionTiming;
  readonly #election: Election;
  readonly #stopping = new AbortController();
  #lease: Lease | undefined;
  #term: OwnTerm | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#timing = options.timing ?? usualElection;
    this.#election = new Election(options.identity, this.#timing);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Whether this process may write now. */
  holds(): boolean {
    return this.#election.holds(this.#now());
  }

  /** Who leads, as far as is known here. */
  get holder(): string | undefined {
    return this.#election.holder;
  }

  /** Ends the term, waits for what a leader does, and releases the lease, so that another takes over at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#endTerm('stopping');
    if (this.holds()) await this.#release();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#endLostTerm();
      const waitMs = await this.#step();
      await this.#endLostTerm();
      await pause(waitMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Also where the lease was renewed a moment too late: what its leader did has ended, and begins anew with another term. */
  async #endLostTerm(): Promise<void> {
    if (this.#term && (this.#term.end.signal.aborted || !this.holds())) await this.#endTerm(OVER);
  }

  /** @returns how long to wait until the next */
  async #step(): Promise<number> {
    try {
      if (!this.holds()) await this.#look();
      const step = this.#election.next(this.#now());
      if (step.kind === 'wait') return step.ms;
      await this.#write(step.kind === 'create' ? undefined : step.from);
      if (!this.#term) this.#beginTerm();
      return this.#timing.renewEveryMs;
    } catch (error) {
      // Somebody was faster: what is there now decides.
      if (isKubeError(error, 'conflict', 'exists', 'not-found')) return this.#lookAgain();
      this.#options.log.warn({ error: (error as Error).message }, 'leader election: a request failed');
      return AFTER_FAILURE_MS;
    }
  }

  async #lookAgain(): Promise<number> {
    await this.#look().catch(() => {});
    return this.holds() ? 0 : AFTER_FAILURE_MS * (1 + Math.random());
  }

  async #look(): Promise<void> {
    this.#lease = await this.#options.client.find<Lease>(leases, this.#options.lease, this.#inTime());
    this.#election.observe(this.#lease && recordOf(this.#lease), this.#now());
  }

  async #write(from: LeaseRecord | undefined): Promise<void> {
    const { client, identity, lease } = this.#options;
    const asked = this.#now();
    const at = microTime(asked.wall);
    const isOurs = from?.holder === identity;
    const spec: Lease['spec'] = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(this.#timing.leaseMs / 1000),
      renewTime: at,
      acquireTime: isOurs ? (this.#lease?.spec?.acquireTime ?? at) : at,
      leaseTransitions: from ? from.transitions + (isOurs ? 0 : 1) : 0,
    };
    this.#lease = from
      ? await client.replace<Lease>(leases, { ...this.#lease!, spec }, this.#inTime())
      : await client.create<Lease>(leases, { metadata: lease, spec }, this.#inTime());
    this.#election.won(recordOf(this.#lease), asked);
    this.#term?.alarm.refresh();
  }

  #beginTerm(): void {
    const { log, lead, onChange, identity } = this.#options;
    log.info({ identity }, 'leader election: leads');
    onChange?.(true);
    const [end, lost] = [new AbortController(), new AbortController()];
    const writes = new Set<Promise<unknown>>();
    const lose = (): void => {
      lost.abort(new Error(OVER));
      end.abort(new Error(OVER));
    };
    // The loop may be waiting for an answer when the term ends.
    const alarm = setTimeout(() => this.#alarm(), this.#timing.renewWithinMs).unref();
    const term: Term = {
      holds: () => {
        // Whoever asks first has everybody hear of it: timers may be late, in a loop that asks again and again even for ever.
        if (!this.holds()) lose();
        return !end.signal.aborted;
      },
      signal: end.signal,
      lost: lost.signal,
      underWay(write) {
        const settled = write.catch(() => {}).finally(() => writes.delete(settled));
        writes.add(settled);
      },
    };
    const over = lead(term).catch(error => log.error({ error }, 'leader election: what a leader does has failed'));
    this.#term = { end, lose, over, alarm, writes };
  }

  #alarm(): void {
    if (!this.#term) return;
    if (this.holds()) this.#term.alarm.refresh();
    else this.#term.lose();
  }

  async #endTerm(reason: string): Promise<void> {
    if (!this.#term) return;
    const { end, lose, over, alarm, writes } = this.#term;
    this.#options.log.info({ reason }, 'leader election: leads no more');
    if (!this.holds()) lose();
    end.abort(new Error(reason));
    await over;
    await Promise.all(writes);
    clearTimeout(alarm);
    this.#term = undefined;
    this.#options.onChange?.(false);
  }

  async #release(): Promise<void> {
    const { client, log } = this.#options;
    const spec = { ...this.#lease!.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(this.#now().wall) };
    this.#election.resign();
    try {
      await client.replace<Lease>(leases, { ...this.#lease!, spec }, this.#inTime());
      log.info({}, 'leader election: released the lease');
    } catch (error) {
      log.warn({ error: (error as Error).message }, 'leader election: could not release the lease');
    }
  }

  /** A request that hangs is given up while there is time for another. */
  #inTime(): AbortSignal {
    return AbortSignal.timeout(Math.floor(this.#timing.renewWithinMs / 3));
  }

  #now(): Instant {
    const { clock } = this.#options;
    return { wall: clock.now(), monotonic: clock.monotonic() };
  }
}

function recordOf({ metadata, spec }: Lease): LeaseRecord {
  return {
    holder: spec?.holderIdentity ?? '',
    durationMs: (spec?.leaseDurationSeconds ?? 0) * 1000,
    version: `${metadata.uid}/${metadata.resourceVersion}`,
    transitions: spec?.leaseTransitions ?? 0,
  };
}
