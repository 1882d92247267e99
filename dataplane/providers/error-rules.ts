// What tables of a provider's errors are made of: an ordered list of rules over the facts of an error, the first that fits holds.
import { type Failure, type FailureClass, failure } from '#core/failure.ts';
import { scrub } from './scrub.ts';

type Answered = { readonly status: number };
type Said = Answered & { readonly message: string };
type Condition<Facts> = (facts: Facts) => boolean;
export type Rule<Facts> = { readonly class: FailureClass; readonly when: Condition<Facts> };

export const status =
  (...statuses: readonly number[]): Condition<Answered> =>
  ({ status: answered }) =>
    statuses.includes(answered);
export const refusalThatSays =
  (pattern: RegExp): Condition<Said> =>
  ({ status: answered, message }) =>
    answered === 400 && pattern.test(message);
export const both =
  <Facts>(...conditions: readonly Condition<Facts>[]): Condition<Facts> =>
  facts =>
    conditions.every(holds => holds(facts));
export const either =
  <Facts>(...conditions: readonly Condition<Facts>[]): Condition<Facts> =>
  facts =>
    conditions.some(holds => holds(facts));

/** The provider's account is the operator's business. */
export const isForClient = (cls: FailureClass): boolean => cls !== 'upstream_auth_failed' && cls !== 'upstream_quota_exhausted';

/** @param kept statuses of a refusal of the caller's request that say more than the table's */
export function failureBy<Facts extends Said>(
  rules: readonly Rule<Facts>[],
  facts: Facts,
  kept: ReadonlySet<number>,
  retryAfter: Failure['retryAfter'],
): Failure {
  const cls = rules.find(rule => rule.when(facts))?.class ?? 'upstream_error';
  const message = scrub(facts.message);
  return failure(cls, {
    ...(retryAfter !== undefined && { retryAfter }),
    ...(message && { message }),
    upstreamStatus: facts.status,
    ...(cls === 'upstream_invalid_request' && kept.has(facts.status) && { status: facts.status }),
  });
}
