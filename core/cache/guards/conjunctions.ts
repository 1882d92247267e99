// conj: and is not or.
import { differs, type Guard } from './guard.ts';

export const conjunctions: Guard = {
  name: 'conj',
  objection({ a, b }) {
    const [inA, inB] = [a.conjunctions, b.conjunctions];
    if (inA.length !== inB.length || inA.every((word, index) => word === inB[index])) return undefined;
    return differs(inA.join(' '), inB.join(' '));
  },
};
