// `autoWeight`: weights follow what is measured. A pure function of the moment, so there is nothing to restore: as the measures of a
// backend become good again, or too few to tell, so does its weight. The floor keeps enough requests coming to measure it by.
import type { RouteEntry } from '../snapshot/snapshot.ts';
import type { Standing } from './strategies/strategy.ts';

/** Sets the weights of candidates of equal priority. */
export function weighAnew(standings: readonly Standing[], { autoWeight, latency }: RouteEntry): void {
  if (!autoWeight) return;
  let best = Number.POSITIVE_INFINITY;
  for (const { health, weight } of standings) {
    const ms = health.latency(latency.percentile, latency.window);
    if (weight > 0 && ms !== undefined && ms < best) best = ms;
  }
  for (const standing of standings) {
    const { errorRate = 0 } = standing.health;
    const ms = standing.health.latency(latency.percentile, latency.window);
    standing.weight *= shareLeft(errorRate, ms === undefined || ms <= best ? 1 : best / ms, autoWeight.floor);
  }
}

/**
 * Twice as slow as the best is half the weight; every second attempt failing is a quarter, as a failure costs its client more than time.
 *
 * @param errorRate share of attempts that failed
 * @param speed the best latency / this one
 */
const shareLeft = (errorRate: number, speed: number, floor: number): number => Math.max(floor, (1 - errorRate) ** 2 * speed);
