// pron: who does and who suffers, where both are pronouns: did they pay us, did we pay them.
import { cases } from '../english/closed-classes.ts';
import type { Reading } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

export const pronouns: Guard = {
  name: 'pron',
  objection({ a, b }) {
    const [inA, inB] = [rolesOf(a), rolesOf(b)];
    for (const [person, roles] of inA) {
      const others = inB.get(person);
      if (others && ![...roles].some(role => others.has(role)))
        return differs(`${person} ${[...roles]}`, `${person} ${[...others]}`);
    }
    return undefined;
  },
};

function rolesOf({ line }: Reading): ReadonlyMap<string, ReadonlySet<string>> {
  const roles = new Map<string, Set<string>>();
  for (const { text, isGrammar } of line) {
    const [person, role] = (isGrammar ? cases.get(text) : undefined) ?? [];
    if (person === undefined || role === undefined) continue;
    const known = roles.get(person) ?? new Set();
    roles.set(person, known.add(role));
  }
  return roles;
}
