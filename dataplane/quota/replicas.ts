// The replicas whose time is what their models cost: one clock for each endpoint in use.
import { ReplicaClock } from '#core/accounting/gpu-share.ts';
import type { Millis } from '#core/units.ts';
import type { GpuTime } from '../ports.ts';

export class Replicas implements GpuTime {
  /** Of replicas with requests in flight: an idle one has nothing to remember. */
  readonly #clocks = new Map<string, ReplicaClock>();
  readonly #monotonic: () => number;
  readonly #others: (endpoint: string) => number;

  /** @param others requests that other processes have in flight there, as far as it is known */
  constructor(monotonic: () => number, others: (endpoint: string) => number = () => 0) {
    this.#monotonic = monotonic;
    this.#others = others;
  }

  /** Requests in flight by endpoint, those in use only. */
  inFlight(): ReadonlyMap<string, number> {
    return new Map([...this.#clocks].map(([endpoint, clock]) => [endpoint, clock.inFlight]));
  }

  /** @param endpoint its origin: all models that are served there share its time, whichever provider names them */
  enter(endpoint: string): ReturnType<GpuTime['enter']> {
    const clock = this.#clocks.get(endpoint) ?? new ReplicaClock(() => this.#others(endpoint));
    this.#clocks.set(endpoint, clock);
    const share = clock.enter(this.#now());
    let seconds: number | undefined;
    return {
      leave: () => {
        if (seconds !== undefined) return seconds;
        seconds = clock.leave(share, this.#now());
        if (clock.inFlight === 0) this.#clocks.delete(endpoint);
        return seconds;
      },
    };
  }

  #now(): Millis {
    return this.#monotonic() as Millis;
  }
}
