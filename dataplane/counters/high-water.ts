// What this process has seen of each account: a sum that is lower than before comes from a Redis that lost something, such as a
// replica that was promoted before it had everything.
import type { EpochMillis, NanoUsd } from '#core/units.ts';

/** When the sums of an account were last built, in milliseconds of Redis; only grows. */
export type Generation = number;
export type Seen = { readonly generation: Generation; readonly period: EpochMillis; readonly settled: NanoUsd };

const MAX_ACCOUNTS = 10_000;

export function highWater() {
  const seen = new Map<string, Seen>();
  return {
    /** What was seen before, when this is less: told once, from then on less is what there is. */
    fallenFrom(tenant: string, account: string, now: Seen): Seen | undefined {
      const key = `${account}\n${tenant}`;
      const before = seen.get(key);
      const order = before === undefined ? 1 : compare(now, before);
      if (order === 0 || isEarlierPeriod(now, before)) return undefined;
      if (before === undefined && seen.size >= MAX_ACCOUNTS) seen.delete(seen.keys().next().value!);
      seen.set(key, now);
      return order < 0 ? before : undefined;
    },
    restore(tenant: string, account: string, before: Seen): void {
      seen.set(`${account}\n${tenant}`, before);
    },
    /** It was known, and nobody made it unknown on purpose: the tenant has no generation as late as the one seen. Told once. */
    isLost(tenant: string, account: string, generation: Generation): boolean {
      const key = `${account}\n${tenant}`;
      const before = seen.get(key);
      seen.delete(key);
      return before !== undefined && generation < before.generation;
    },
  };
}

function compare(now: Seen, before: Seen): number {
  if (now.generation !== before.generation) return now.generation - before.generation;
  return now.period === before.period ? now.settled - before.settled : 1;
}

/** A request of the period before ends: its sums are not those that are watched. */
const isEarlierPeriod = (now: Seen, before: Seen | undefined): boolean =>
  before !== undefined && now.generation === before.generation && now.period < before.period;
