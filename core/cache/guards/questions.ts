// qt: the kind of answer that is asked for: who, where, when, why, how many, yes or no.
import type { Question, Reading } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

/** Which kinds may stand for each other; `none` is a request or a few key words. */
const alike: readonly (readonly [Question, Question])[] = [
  ['none', 'what'],
  ['none', 'who'],
  ['none', 'how'],
  ['none', 'want'],
  ['none', 'state'],
  ['what', 'who'],
  ['how', 'howto'],
  ['howmany', 'howmuch'],
];

export const questions: Guard = {
  name: 'qt',
  objection({ a, b }) {
    if (a.question === b.question || alike.some(([x, y]) => isBetween(a, b, x, y) || isBetween(b, a, x, y))) return undefined;
    const asksPrice = [a, b].every(({ words }) => words.some(({ stem }) => stem.startsWith('~')));
    if (asksPrice && [a, b].every(({ question }) => question === 'howmuch' || question === 'what' || question === 'none'))
      return undefined;
    return differs(a.question, b.question);
  },
};

const isBetween = (a: Reading, b: Reading, x: Question, y: Question): boolean => a.question === x && b.question === y;
