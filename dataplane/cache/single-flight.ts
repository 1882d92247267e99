// Of many requests that ask the same at one time one goes upstream: in this process by a map, over all processes by a lock. Those that wait are
// told when its answer is stored, when it is known that there will be none, or when their patience is over. A holder that dies loses its
// lock within seconds, and one of those who wait takes its place. Without Redis each process has one of its own.
import { randomUUID } from 'node:crypto';
import type { Millis } from '#core/units.ts';
import type { Locks } from './locks.ts';
import type { CacheEntry, Lead, SingleFlight, Turn } from './store.ts';

/** How often it is looked whether another process's lock is free. */
const ASK_EVERY_MS = 50;
/** A lock that is free: its holder has stored an answer of which this process is about to hear, or there is none. */
const HEARING_MS = 50;
const MAX_WAITING = 10_000;

export type Flights = SingleFlight & {
  /** An answer is stored, and found in this process. */
  stored(entry: CacheEntry): void;
};

/** What is the same: two that ask with the same words, where the answer of one serves the other. */
export const flightOf = ({ partition, key }: Pick<CacheEntry, 'partition' | 'key'>): string => `${partition}:${key}`;

/** @param locks absent: this process is the only one */
export function singleFlight(locks?: Locks): Flights {
  return new Registry(locks);
}

class Registry implements Flights {
  readonly #locks: Locks | undefined;
  readonly #flights = new Map<string, Flight>();
  #keeping: NodeJS.Timeout | undefined;
  #waiting = 0;

  constructor(locks: Locks | undefined) {
    this.#locks = locks;
  }

  async enter(tenant: string, name: string, patience: Millis): Promise<Turn> {
    const known = this.#flights.get(name);
    if (known) return this.#wait(known, patience);
    const flight = this.#begin(tenant, name);
    if (await this.#take(flight)) return { kind: 'lead', lead: this.#lead(flight) };
    const turn = this.#wait(flight, patience);
    this.#follow(flight);
    return turn;
  }

  async tryLead(tenant: string, name: string): Promise<Lead | undefined> {
    if (this.#flights.has(name)) return undefined;
    const flight = this.#begin(tenant, name);
    if (await this.#take(flight)) return this.#lead(flight);
    this.#follow(flight);
    return undefined;
  }

  stored(entry: CacheEntry): void {
    if (this.#flights.size > 0) this.#flights.get(flightOf(entry))?.tellAll({ kind: 'stored' });
  }

  close(): void {
    clearInterval(this.#keeping);
    for (const flight of this.#flights.values()) {
      flight.tellAll({ kind: 'alone' });
      this.#end(flight);
    }
  }

  #begin(tenant: string, name: string): Flight {
    const flight = new Flight(tenant, name);
    this.#flights.set(name, flight);
    return flight;
  }

  /** While nobody can tell whether another process has the lock, this one goes on by itself. */
  async #take(flight: Flight): Promise<boolean> {
    if (!this.#locks) return true;
    const taken = await this.#locks.take(flight.tenant, flight.name, flight.token).catch(() => undefined);
    flight.isLocked = taken === true;
    return taken !== false;
  }

  #lead(flight: Flight): Lead {
    if (flight.isLocked) this.#keeping ??= setInterval(() => this.#keepAll(), this.#locks!.ttlMs / 3).unref();
    let isOver = false;
    const once = (end: () => void) => () => {
      if (isOver) return;
      isOver = true;
      end();
    };
    return {
      end: stored => once(() => this.#end(flight) && flight.tellAll({ kind: stored ? 'stored' : 'alone' }))(),
      passOn: once(() => this.#passOn(flight)),
    };
  }

  /** @returns false: it has ended before */
  #end(flight: Flight): boolean {
    if (this.#flights.get(flight.name) !== flight) return false;
    this.#flights.delete(flight.name);
    clearInterval(flight.asking);
    // What cannot be given back now is free in a few seconds.
    if (flight.isLocked) this.#locks!.giveBack(flight.tenant, flight.name, flight.token).catch(() => {});
    return true;
  }

  #keepAll(): void {
    const held = [...this.#flights.values()].filter(flight => flight.isLocked);
    for (const flight of held) this.#locks!.keep(flight.tenant, flight.name, flight.token).catch(() => {});
    if (held.length > 0) return;
    clearInterval(this.#keeping);
    this.#keeping = undefined;
  }

  #wait(flight: Flight, patience: Millis): Promise<Turn> {
    if (this.#waiting >= MAX_WAITING) return Promise.resolve({ kind: 'alone' });
    this.#waiting += 1;
    return new Promise(resolve => {
      const told = (turn: Turn) => {
        clearTimeout(timer);
        this.#waiting -= 1;
        resolve(turn);
      };
      const timer = setTimeout(() => {
        flight.waiting.delete(told);
        told({ kind: 'alone' });
      }, patience);
      flight.waiting.add(told);
    });
  }

  /** Another process has it: until its lock is free, or nobody here waits any more. */
  #follow(flight: Flight): void {
    flight.asking = setInterval(() => void this.#ask(flight), ASK_EVERY_MS).unref();
  }

  async #ask(flight: Flight): Promise<void> {
    if (flight.waiting.size === 0) {
      this.#end(flight);
      return;
    }
    if (flight.isAsking) return;
    flight.isAsking = true;
    const isFree = await this.#take(flight);
    if (isFree) await new Promise(resolve => setTimeout(resolve, HEARING_MS));
    flight.isAsking = false;
    if (!isFree) return;
    clearInterval(flight.asking);
    this.#passOn(flight);
  }

  #passOn(flight: Flight): void {
    const [next] = flight.waiting;
    if (next && this.#flights.get(flight.name) === flight) {
      flight.waiting.delete(next);
      next({ kind: 'lead', lead: this.#lead(flight) });
    } else this.#end(flight);
  }
}

class Flight {
  readonly tenant: string;
  readonly name: string;
  readonly token = randomUUID();
  readonly waiting = new Set<(turn: Turn) => void>();
  /** The lock is this process's. */
  isLocked = false;
  isAsking = false;
  asking: NodeJS.Timeout | undefined;

  constructor(tenant: string, name: string) {
    this.tenant = tenant;
    this.name = name;
  }

  tellAll(turn: Turn): void {
    for (const tell of this.waiting) tell(turn);
    this.waiting.clear();
  }
}
