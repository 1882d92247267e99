// poss: mine, yours, his, hers and theirs.
import type { Mark, Reading } from '../reading.ts';
import { differs, type Guard, unequal } from './guard.ts';

export const possession: Guard = {
  name: 'poss',
  objection({ a, b }) {
    if (a.persons.length > 0 && b.persons.length > 0) {
      const people = unequal([...new Set(a.persons)], [...new Set(b.persons)]);
      if (people !== undefined) return people;
    }
    const [inA, inB] = [namesOf(a.possessives), namesOf(b.possessives)];
    const [moreInA, moreInB] = [inA.filter(name => !inB.includes(name)), inB.filter(name => !inA.includes(name))];
    const more = [...moreInA, ...moreInB];
    if (more.length === 0) return otherOwner([...a.possessives, ...a.genitives], [...b.possessives, ...b.genitives]);
    // How something is done is the same for one's own: reset my password, reset the password.
    const isGeneral = more.every(name => name === 'mine') && isHow(a) && isHow(b);
    const isTheirs = more.every(name => name === 'theirs');
    return isGeneral || isTheirs ? undefined : differs(moreInA.join(' '), moreInB.join(' '));
  },
};

const namesOf = (marks: readonly Mark[]): string[] => [...new Set(marks.map(({ name }) => name))];

const isHow = ({ question }: Reading): boolean => question === 'howto' || question === 'how' || question === 'why';

/** My uncle and your aunt, your uncle and my aunt; my neighbour's tree and my fence, my tree and my neighbour's fence. */
function otherOwner(a: readonly Mark[], b: readonly Mark[]): string | undefined {
  for (const { name, head } of a) {
    const others = b.filter(other => head !== undefined && other.head === head);
    if (others.length > 0 && !others.some(other => other.name === name))
      return differs(`${name} ${head}`, `${others[0]!.name} ${head}`);
  }
  return undefined;
}
