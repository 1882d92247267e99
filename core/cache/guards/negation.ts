// neg: as many negations on both sides, and of the same words.
import type { Mark } from '../reading.ts';
import { differs, type Guard, unequal } from './guard.ts';

export const negation: Guard = {
  name: 'neg',
  objection({ a, b, pairs }) {
    const names = (marks: readonly Mark[]) => marks.map(({ name }) => name);
    const counted = unequal(names(a.negations), names(b.negations));
    if (counted !== undefined || a.negations.length !== 1) return counted;
    const [ofA, ofB] = [a.negations[0]!.head, b.negations[0]!.head];
    if (ofA === undefined || ofB === undefined || ofA === ofB) return undefined;
    // `Isn't the pump working` and `the pump is not working` negate at different places; words in one order do not.
    const [inA, inB] = [pairs.find(pair => pair.a.stem === ofA), pairs.find(pair => pair.b.stem === ofB)];
    if (!inA || !inB || inA === inB || a.doSupport !== b.doSupport) return undefined;
    return (inA.a.at - inB.a.at) * (inA.b.at - inB.b.at) > 0 && a.question === b.question && a.question !== 'why'
      ? differs(`not ${ofA}`, `not ${ofB}`)
      : undefined;
  },
};
