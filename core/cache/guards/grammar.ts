// gram: two prompts that are the same but for one word of grammar are the same only where that word says the same: since and until, them
// and us. Guards of their own know most of these words; this one knows the rest, by what it does not know.
import { interchangeable, prepositions } from '../english/closed-classes.ts';
import type { Reading } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

export const grammar: Guard = {
  name: 'gram',
  objection({ a, b }) {
    const [x, y] = onlyDifference(a, b) ?? [];
    return x === undefined || y === undefined || mayReplace(x, y) ? undefined : differs(x, y);
  },
};

/** The one token that stands in another's place, where both are words of grammar. */
function onlyDifference({ line: a }: Reading, { line: b }: Reading): [string, string] | undefined {
  if (a.length !== b.length) return undefined;
  const places = a.flatMap(({ text }, at) => (text === b[at]!.text ? [] : [at]));
  const [x, y] = places.length === 1 ? [a[places[0]!]!, b[places[0]!]!] : [];
  return x?.isGrammar && y?.isGrammar ? [x.text, y.text] : undefined;
}

function mayReplace(x: string, y: string): boolean {
  if (interchangeable.some(words => words.has(x) && words.has(y))) return true;
  return ((prepositions.get(x) ?? 0) & (prepositions.get(y) ?? 0)) !== 0;
}
