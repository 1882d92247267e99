// What a guard is: a reason why two similar prompts must not share an answer.
import type { Comparison } from '../alignment.ts';

export type Guard = {
  /** In decisions and metrics. */
  readonly name: string;
  /** What differs, in a few words of the prompts; nothing where this guard has no objection. */
  readonly objection: (compared: Comparison) => string | undefined;
};

/** What one of two lists has more of than the other, each item as often as it stands there. */
export function surplus(a: readonly string[], b: readonly string[]): [moreInA: string[], moreInB: string[]] {
  const rest = [...b];
  const moreInA = a.filter(item => {
    const index = rest.indexOf(item);
    if (index < 0) return true;
    rest.splice(index, 1);
    return false;
  });
  return [moreInA, rest];
}

/** `a ≠ b` of what is left of two lists, or nothing where they are equal. */
export function unequal(a: readonly string[], b: readonly string[]): string | undefined {
  if (a.length === 0 && b.length === 0) return undefined;
  const [moreInA, moreInB] = surplus(a, b);
  return moreInA.length + moreInB.length === 0 ? undefined : differs(moreInA.join(' '), moreInB.join(' '));
}

export const differs = (a: string, b: string): string => `${a || 'nothing'} / ${b || 'nothing'}`;
