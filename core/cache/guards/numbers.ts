// num: the same numbers, however they are written.
import { differs, type Guard, surplus } from './guard.ts';

export const numbers: Guard = {
  name: 'num',
  objection({ a, b }) {
    if (a.amounts.length === 0 && b.amounts.length === 0) return undefined;
    const [moreInA, moreInB] = surplus(
      a.amounts.map(({ value }) => value),
      b.amounts.map(({ value }) => value),
    );
    // `one` is little more than `a`, unless the other prompt has another number there.
    const isSoft = (amounts: typeof a.amounts, more: readonly string[]) =>
      more.every(value => value === '1' && amounts.some(amount => amount.soft));
    if (isSoft(a.amounts, moreInA) && isSoft(b.amounts, moreInB)) return undefined;
    return differs(moreInA.join(' '), moreInB.join(' '));
  },
};
