// What this process has seen of each account: a sum that is lower than before comes from a Redis that lost something, such as a
// replica that was promoted before it had everything.
import type { EpochMillis, NanoUsd } from '#core/units.ts';

/** When the sums of an account were last built, in milliseconds of Redis; only grows. */
export type Generation = number;
type Seen = { readonly generation: Generation; readonly period: EpochMillis; readonly settled: NanoUsd };

const MAX_ACCOUNTS = 10_000;

export function highWater() {
  const seen = new Map<string, Seen>();
  return {
    isStale(tenant: string, account: string, now: Seen): boolean {
      const key = `${account}\n${tenant}`;
      const before = seen.get(key);
      if (before !== undefined) {
        if (now.generation < before.generation) return true;
        const isOlderPeriod = now.generation === before.generation && now.period < before.period;
        if (isOlderPeriod) return false;
        if (now.generation === before.generation && now.period === before.period && now.settled <= before.settled) {
          return now.settled < before.settled;
        }
      } else if (seen.size >= MAX_ACCOUNTS) seen.delete(seen.keys().next().value!);
      seen.set(key, now);
      return false;
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
