// The last stage, when no backend is left: an answer of the cache that has expired, the route's own words, or the failure.
import type { Failure } from '#core/failure.ts';
import type { Millis } from '#core/units.ts';
import { answerFailure, isForLast } from './answer.ts';
import { answerKept } from './cached.ts';
import type { Ports } from './ports.ts';
import { isChatTrip, type Trip } from './trip.ts';

/** @param retryAfter when a backend may be tried again, where all of them are left out for now */
export async function answerLast(trip: Trip, reason: Failure, retryAfter: Millis | undefined, ports: Ports): Promise<void> {
  const { exchange, call, visit } = trip;
  if (isChatTrip(trip) && visit?.stale && call.plan.route?.catchAllAnswer?.staleCache === true && isForLast(reason))
    return answerKept(trip, visit.stale, 'stale', ports);
  const told = { ...reason, ...(retryAfter !== undefined && { retryAfter: reason.retryAfter ?? retryAfter }) };
  answerFailure(exchange, told, trip);
}
