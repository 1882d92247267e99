// dir: what a thing comes from stays what it comes from. The words may stand in any order; what governs each may not change.
import type { Pair } from '../alignment.ts';
import { Sense } from '../english/closed-classes.ts';
import { differs, type Guard } from './guard.ts';

const directed =
  Sense.from | Sense.to | Sense.than | Sense.without | Sense.before | Sense.after | Sense.against | Sense.instead | Sense.agent;

export const direction: Guard = {
  name: 'dir',
  objection({ pairs }) {
    const conflict = pairs.find(
      ({ a, b }) => a.marker !== 0 && b.marker !== 0 && ((a.marker | b.marker) & directed) !== 0 && (a.marker & b.marker) === 0,
    );
    if (conflict) return described(conflict);
    const exchanged = exchange(pairs);
    return exchanged && described(exchanged);
  },
};

/** One word gives up the preposition that another takes: `A lent to B` and `B lent to A`. */
function exchange(pairs: readonly Pair[]): Pair | undefined {
  const loses = pairs.filter(({ a, b }) => a.marker !== 0 && b.marker === 0);
  return loses.find(lost => pairs.some(({ a, b }) => a.marker === 0 && b.marker !== 0 && b.preposition === lost.a.preposition));
}

const described = ({ a, b }: Pair): string => differs(`${a.preposition} ${a.form}`.trim(), `${b.preposition} ${b.form}`.trim());
