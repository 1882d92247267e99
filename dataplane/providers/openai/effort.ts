// How hard a model is asked to think, in the words that it knows.
import type { Effort, ThinkingRequest } from '#core/chat/request.ts';
import type { LeavingOut } from '../leaving-out.ts';
import type { ModelTraits } from './profile.ts';

/** From this budget of tokens on. Only efforts that every reasoning model knows. */
const effortOfBudget: readonly { readonly from: number; readonly effort: Effort }[] = [
  { from: 16_384, effort: 'high' },
  { from: 4_096, effort: 'medium' },
  { from: 0, effort: 'low' },
];

const scale: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** @param name of the field that says it on the wire */
export function effortOf(
  thinking: ThinkingRequest | undefined,
  { efforts }: ModelTraits,
  limits: LeavingOut,
  name = 'reasoning_effort',
): Effort | undefined {
  const wanted = thinking && wantedEffort(thinking);
  if (wanted === undefined) return undefined;
  // Not to think is what a model does that cannot.
  if (efforts.length === 0) return wanted === 'none' ? undefined : limits.leaveOut(name);
  return nearest(wanted, efforts);
}

function wantedEffort(thinking: ThinkingRequest): Effort | undefined {
  switch (thinking.kind) {
    case 'disabled':
      return 'none';
    case 'budget':
      return effortOfBudget.find(({ from }) => thinking.tokens >= from)?.effort;
    case 'effort':
    case 'adaptive':
      return thinking.effort;
  }
}

/** The effort itself where the model knows it, else the next lower one, else its lowest. */
function nearest(wanted: Effort, efforts: readonly Effort[]): Effort | undefined {
  const rank = scale.indexOf(wanted);
  return efforts.findLast(effort => scale.indexOf(effort) <= rank) ?? efforts[0];
}
