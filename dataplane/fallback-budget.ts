// `costGuard.budgetPerHour`: what the fallbacks of a route may cost in an hour. Held as expected before one is made, settled as it was.
import { fallbackBudgetAlert } from '#core/admission/alerts.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { expectedCost, expectedOutput } from '#core/plan/expected-cost.ts';
import { nanoUsd } from '#core/units.ts';
import type { Ports, SpendHold } from './ports.ts';
import type { Trip } from './trip.ts';

/** What is held for an attempt; undefined: nothing need be; `denied`: it does not fit. */
export function holdForFallback(trip: Trip, candidate: Candidate, ports: Ports): SpendHold | undefined | 'denied' {
  const { route } = trip.plan;
  const guard = route?.fallback.costGuard;
  if (!route || guard?.budgetPerHour === undefined || trip.fallbacks === 0) return undefined;
  const { price } = candidate.model;
  const { needs } = trip.call.facts;
  const expected = price ? expectedCost(price, needs.inputTokens(), expectedOutput(needs)) : 0;
  const hold = ports.fallbackSpend.hold(route.id, guard.budgetPerHour, nanoUsd(Math.ceil(expected)), ports.now());
  if (hold) return hold;
  ports.alerts.emit(fallbackBudgetAlert(route.id, guard.budgetPerHour, guard.onExceeded, ports.now()));
  return guard.onExceeded === 'Deny' ? 'denied' : undefined;
}
