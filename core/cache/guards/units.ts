// bind: each number with the same unit, and counting the same thing.
import { sameUnit } from '../english/units.ts';
import type { Amount, Reading } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

export const boundUnits: Guard = {
  name: 'bind',
  objection({ a, b }) {
    const rest = [...b.amounts];
    for (const amount of a.amounts) {
      const index = bestMatch(amount, rest);
      if (index < 0) continue;
      const [other] = rest.splice(index, 1);
      if (!isSameUnit(amount, other!)) return differs(withUnit(amount), withUnit(other!));
    }
    return countsOther(a.amounts, b.amounts) ?? countsNothing(a.amounts, b) ?? countsNothing(b.amounts, a);
  },
};

/** The equal number with the same unit, else one with the same number. */
function bestMatch(amount: Amount, others: readonly Amount[]): number {
  const exact = others.findIndex(other => other.value === amount.value && isSameUnit(amount, other));
  return exact >= 0 ? exact : others.findIndex(other => other.value === amount.value);
}

const isSameUnit = (a: Amount, b: Amount): boolean =>
  a.unit === b.unit || (a.unit !== undefined && b.unit !== undefined && sameUnit(a.unit, b.unit));

const withUnit = ({ value, unit }: Amount): string => `${value} ${unit ?? ''}`.trimEnd();

/** Three days for five people and five days for three people have the same numbers. */
function countsOther(a: readonly Amount[], b: readonly Amount[]): string | undefined {
  for (const { head, value } of a) {
    const others = head === undefined ? [] : b.filter(other => other.head === head);
    if (others.length > 0 && !others.some(other => other.value === value))
      return differs(`${value} ${head}`, `${others[0]!.value} ${head}`);
  }
  return undefined;
}

/** Four rooms, and a room for four. */
function countsNothing(amounts: readonly Amount[], other: Reading): string | undefined {
  const counted = amounts.find(
    ({ counts, value, head }) =>
      counts &&
      other.words.some(({ stem }) => stem === head) &&
      other.amounts.some(amount => amount.value === value) &&
      other.amounts.every(amount => amount.value !== value || (amount.head === undefined && amount.unit === undefined)),
  );
  return counted && differs(`${counted.value} ${counted.head}`, counted.value);
}
