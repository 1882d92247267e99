// The steps of a cascade among the candidates of a plan: which come first, which are held back, which comes next.
import type { Candidate } from '../plan/candidate.ts';
import type { Cascade, CascadeStep } from '../snapshot/snapshot.ts';

/** Takes the candidates of steps out of a plan, in the order of the steps. */
export function takeSteps(candidates: Candidate[], { steps }: Cascade): readonly Candidate[] {
  const taken = steps.flatMap(({ backend }) => candidates.find(candidate => candidate.backend === backend) ?? []);
  let kept = 0;
  for (const candidate of candidates) if (!taken.includes(candidate)) candidates[kept++] = candidate;
  candidates.length = kept;
  return taken;
}

/** What must hold for the answer of a candidate to be served; undefined: whatever it answers is. */
export function acceptOf({ backend }: Candidate, { steps }: Cascade): CascadeStep['accept'] {
  return steps.find((step, index) => step.backend === backend && index < steps.length - 1)?.accept;
}

/** The candidate to begin with: that of the step, or of the next one that is in the plan; else the first there is. */
export function beginAt(step: number, candidates: readonly Candidate[], { steps }: Cascade): number {
  for (const { backend } of steps.slice(step)) {
    const index = candidates.findIndex(candidate => candidate.backend === backend);
    if (index >= 0) return index;
  }
  return 0;
}

/** Where a request goes whose answer was not accepted: to the next one behind it that was not tried, as its plan has the steps in order. */
export function nextAfter(current: number, tried: readonly number[]): number | undefined {
  const next = tried.findIndex((count, index) => index > current && count === 0);
  return next < 0 ? undefined : next;
}
