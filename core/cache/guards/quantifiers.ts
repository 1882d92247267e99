// quant: all, some, most, only, first and last, at least and at most, more and less.
import type { Comparison } from '../alignment.ts';
import type { Mark, Reading } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

/** Add nothing where the other side has no quantifier in their place. */
const weak = new Set(['some', 'even', 'much', 'total', 'enough', 'different']);
/** Add nothing to a request for a list. */
const listed = new Set(['all', 'both', 'another']);
/** Say different things of different words. */
const bound = new Set(['more', 'less', 'most', 'least', 'only', 'all', 'some', 'few']);

export const quantifiers: Guard = {
  name: 'quant',
  objection(compared) {
    const { a, b } = compared;
    if (a.quantifiers.length === 0 && b.quantifiers.length === 0) return undefined;
    const [moreInA, moreInB] = [missing(a.quantifiers, b.quantifiers), missing(b.quantifiers, a.quantifiers)];
    const replaced = moreInA.length > 0 && moreInB.length > 0;
    if (replaced || [...moreInA, ...moreInB].some(name => !isIdle(name, a, b)))
      return differs(moreInA.join(' '), moreInB.join(' '));
    return otherHead(compared);
  },
};

const missing = (marks: readonly Mark[], others: readonly Mark[]): string[] =>
  [...new Set(marks.map(({ name }) => name))].filter(name => !others.some(other => other.name === name));

const isIdle = (name: string, a: Reading, b: Reading): boolean =>
  weak.has(name) || (listed.has(name) && a.question !== 'yesno' && b.question !== 'yesno');

/** More fat and less salt, less fat and more salt. */
function otherHead({ a, b, pairs }: Comparison): string | undefined {
  for (const { name, head } of a.quantifiers) {
    if (!bound.has(name) || head === undefined) continue;
    const others = b.quantifiers.filter(other => other.name === name);
    const partner = pairs.find(pair => pair.a.stem === head)?.b.stem;
    if (others.length > 0 && partner !== undefined && !others.some(other => other.head === partner || other.head === undefined))
      return differs(`${name} ${head}`, `${name} ${others[0]!.head}`);
  }
  return undefined;
}
