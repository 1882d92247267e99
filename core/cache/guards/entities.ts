// ent: names on both sides, to the letter: another name, a plural or another version is something else.
import type { Word } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

export const entities: Guard = {
  name: 'ent',
  objection({ extraA, extraB }) {
    const named = (words: readonly Word[]) =>
      words.filter(word => word.kind === 'word' && word.proper && !word.designator).map(({ form }) => form);
    const [inA, inB] = [named(extraA), named(extraB)];
    return inA.length + inB.length === 0 ? undefined : differs(inA.join(' '), inB.join(' '));
  },
};
