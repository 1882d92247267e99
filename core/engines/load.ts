// How busy an endpoint is, as a number to compare it by: 1 is the threshold of saturation.
import { tellsLoad } from './reading.ts';
import type { EndpointState, EngineSettings } from './state.ts';

/** Readings come at this many intervals at the latest, as long as all is well. */
const FRESH_INTERVALS = 2;

/**
 * @param sent requests sent there since its reading was asked for, by all processes as far as it can be told: a reading is old when it
 * comes, and who goes by it alone sends everything to the same endpoint
 * @returns undefined: nobody knows. The load of an endpoint that is not heard of any more goes towards that of a saturated one
 */
export function loadOf(
  { reading, heardAt }: EndpointState,
  sent: number,
  now: number,
  settings: EngineSettings,
): number | undefined {
  if (!reading || !tellsLoad(reading)) return undefined;
  const { waiting = 0, kvMean = 0 } = reading;
  const load = Math.max((waiting + sent) / settings.queueDepth, kvMean / settings.kvCacheUtilization);
  const silence = now - heardAt - FRESH_INTERVALS * settings.interval;
  if (silence <= 0 || load >= 1) return load;
  return load + (1 - load) * Math.min(1, silence / settings.staleAfter);
}

/** Requests that are there now, as far as it can be told. */
export const requestsAt = ({ reading }: EndpointState, sent: number): number =>
  (reading?.running ?? 0) + (reading?.waiting ?? 0) + sent;
