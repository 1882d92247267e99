// What one process may give away by itself while the counters are away: an equal part, rounded down, so that all the processes
// together never give more than there is.
import { type NanoUsd, nanoUsd } from '../units.ts';

/** @param remaining of a budget; below 0 where it is overspent */
export const shareOf = (remaining: NanoUsd, pods: number): NanoUsd => nanoUsd(part(remaining, pods));

/** Of a limit of requests, tokens or places. With more processes than places it is 0: a limit is kept even then. */
export const limitShare = (max: number, pods: number): number => part(max, pods);

const part = (whole: number, pods: number): number => Math.floor(Math.max(0, whole) / Math.max(1, pods));
