// What fallbacks cost, per route and hour of the clock. The expected cost is held before a fallback is made and corrected after it; what
// other processes hold and spend is heard of off every request's path. So all of them together go over a budget only by what they begin
// within a quarter of a second, and a process that dies in an hour is remembered for the whole of it.
import { readFileSync } from 'node:fs';
import { type NanoUsd, nanoUsd } from '#core/units.ts';
import type { RedisLink } from '#platform/redis.ts';
import { runScript, scriptOf } from '#platform/redis-script.ts';
import type { FallbackSpend, SpendHold } from '../ports.ts';

/** Where processes tell each other. */
export type SpendPool = {
  /** @param own all that this process has held or spent in that hour; resolves to what the others have. Rejects while the pool is away */
  tell(routeId: string, hour: number, own: NanoUsd): Promise<NanoUsd>;
};

const AN_HOUR_MS = 3_600_000;
const EVERY_MS = 250;
/** Routes that nobody asks for are looked after so often. */
const IDLE_EVERY_MS = 5_000;

export class HourlyFallbackSpend implements FallbackSpend {
  /** By route; of the newest hour. */
  readonly #hours = new Map<string, RouteHour>();
  readonly #pool: SpendPool | undefined;
  readonly #guarded: () => readonly string[];
  #timer: NodeJS.Timeout | undefined;

  /** @param guarded ids of the routes that have such a budget: what others spend there is known before the first request asks */
  constructor(guarded: () => readonly string[], pool?: SpendPool) {
    this.#guarded = guarded;
    this.#pool = pool;
  }

  hold(routeId: string, budgetPerHour: NanoUsd, expectedCost: NanoUsd, now: number): SpendHold | undefined {
    const hour = this.#hourOf(routeId, now);
    hour.askedAt = now;
    if (hour.own + hour.others + expectedCost > budgetPerHour) return undefined;
    hour.own += expectedCost;
    let held: number = expectedCost;
    return {
      settle(cost) {
        hour.own += cost - held;
        held = cost;
      },
    };
  }

  /** From now on, with what the others have. */
  share(now: () => number): void {
    const tick = () => {
      for (const routeId of this.#guarded()) this.#hourOf(routeId, now());
      for (const [routeId, hour] of this.#hours) if (hour.isDue(now())) void this.#tell(routeId, hour, now());
    };
    if (!this.#pool) return;
    tick();
    this.#timer = setInterval(tick, EVERY_MS).unref();
  }

  /** Forgets routes that have no such budget any more. */
  sweep(): void {
    const guarded = new Set(this.#guarded());
    for (const routeId of this.#hours.keys()) if (!guarded.has(routeId)) this.#hours.delete(routeId);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #hourOf(routeId: string, now: number): RouteHour {
    const number = Math.floor(now / AN_HOUR_MS);
    let hour = this.#hours.get(routeId);
    // A clock that is set back a little goes on in the hour it was in: what was spent there is not forgotten.
    if (!hour || number > hour.number || number < hour.number - 1) {
      hour = new RouteHour(number);
      this.#hours.set(routeId, hour);
    }
    return hour;
  }

  async #tell(routeId: string, hour: RouteHour, now: number): Promise<void> {
    hour.isAsking = true;
    hour.toldAt = now;
    const { own } = hour;
    try {
      hour.others = await this.#pool!.tell(routeId, hour.number, nanoUsd(own));
      hour.told = own;
    } catch {
      // The pool is away: what was last known of the others stands, until it is back or the hour is over.
    } finally {
      hour.isAsking = false;
    }
  }
}

/** One route in one hour. */
class RouteHour {
  readonly number: number;
  /** Held or spent by this process. */
  own = 0;
  told = 0;
  others = 0;
  askedAt = Number.NEGATIVE_INFINITY;
  toldAt = Number.NEGATIVE_INFINITY;
  isAsking = false;

  constructor(number: number) {
    this.number = number;
  }

  isDue(now: number): boolean {
    if (this.isAsking) return false;
    return this.own !== this.told || now - this.askedAt < IDLE_EVERY_MS || now - this.toldAt >= IDLE_EVERY_MS;
  }
}

/** @param pod names this process, and no process before it */
export function redisSpendPool(link: RedisLink, pod: string): SpendPool {
  const script = scriptOf(readFileSync(new URL('./scripts/fallback-spend-1.lua', import.meta.url), 'utf8'));
  return {
    async tell(routeId, hour, own) {
      const key = `tollgate:{fallbacks:${routeId}}:${hour}`;
      return nanoUsd(Number(await link.call(client => runScript(client, script, 1, [key, pod, String(own)]))));
    },
  };
}
