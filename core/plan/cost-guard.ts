// `fallback.costGuard` with Deny: a fallback that would cost more than `maxPriceRatio` times what the first choice would is left out.
// One that costs more than was meant may still come of longer answers; `budgetPerHour` bounds those.
import type { RouteEntry } from '../snapshot/snapshot.ts';
import type { Backend, Excluded } from './backends.ts';
import type { Candidate } from './candidate.ts';
import { expectedCost, expectedOutput } from './expected-cost.ts';
import type { RequestNeeds } from './needs.ts';

/** undefined: none is denied. */
export const deniedRatio = ({ fallback: { costGuard } }: RouteEntry): number | undefined =>
  costGuard?.onExceeded === 'Deny' ? costGuard.maxPriceRatio : undefined;

/**
 * Removes them from `candidates`, a plan in order, and says so in `excluded`.
 *
 * @param first the route's backends of the first priority, those that are out for the moment among them
 */
export function denyDear(
  candidates: Candidate[],
  first: readonly Backend[],
  route: RouteEntry,
  needs: RequestNeeds,
  excluded: Excluded[],
): void {
  const ratio = deniedRatio(route);
  if (ratio === undefined) return;
  const chosen = first.find(({ candidate }) => candidate === candidates[0])?.candidate;
  const meant = chosen ? costAt(chosen, needs) : dearest(first, needs);
  // What cannot be told cannot be compared; time on GPUs that were never used has no price.
  if (meant === undefined) return;
  let kept = chosen ? 1 : 0;
  for (const candidate of candidates.slice(kept)) {
    const cost = costAt(candidate, needs);
    if (cost === undefined || cost <= meant * ratio) candidates[kept++] = candidate;
    else excluded.push(tooDear(candidate.backend, ratio));
  }
  candidates.length = kept;
}

const tooDear = (backend: string, ratio: number): Excluded => ({
  backend,
  reason: `as a fallback it costs more than ${ratio} times what the first choice does, and costGuard denies that`,
  cause: 'too-dear',
});

const costAt = ({ model: { price } }: Candidate, needs: RequestNeeds): number | undefined =>
  price && !price.gpu ? expectedCost(price, needs.inputTokens(), expectedOutput(needs)) : undefined;

function dearest(backends: readonly Backend[], needs: RequestNeeds): number | undefined {
  const costs = backends.flatMap(({ candidate }) => costAt(candidate, needs) ?? []);
  return costs.length < backends.length ? undefined : Math.max(...costs);
}
