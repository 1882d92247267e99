// gram: two prompts that are the same but for words of grammar are the same only where these say the same: since and until, them and us. Guards
// of their own know most of these words; this one knows the rest, by what it does not know.
import { interchangeable, prepositions, Sense, turning } from '../english/closed-classes.ts';
import type { Reading, Spoken } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

export const grammar: Guard = {
  name: 'gram',
  objection({ a: { line: a }, b: { line: b } }) {
    if (a.length === b.length) return replaced(a, b);
    if (Math.abs(a.length - b.length) !== 1) return undefined;
    const added = a.length > b.length ? oneMore(a, b) : oneMore(b, a);
    return added !== undefined && turns(added) ? differs(added, '') : undefined;
  },
};

type Line = Reading['line'];

/** Word for word the same but where both have a word of grammar: each of these has to be able to stand for the other. */
function replaced(a: Line, b: Line): string | undefined {
  const places = a.flatMap((spoken, at) => (spoken.text === b[at]!.text ? [] : [[spoken, b[at]!] as const]));
  if (!places.every(pair => pair.every(({ isGrammar }) => isGrammar))) return undefined;
  const wrong = places.find(([x, y]) => !mayReplace(x.text, y.text));
  return wrong && differs(wrong[0].text, wrong[1].text);
}

function mayReplace(x: string, y: string): boolean {
  if (interchangeable.some(words => words.has(x) && words.has(y))) return true;
  return ((prepositions.get(x) ?? 0) & (prepositions.get(y) ?? 0)) !== 0;
}

/** The word of grammar that the longer line has besides the shorter one. */
function oneMore(longer: Line, shorter: Line): string | undefined {
  const at = longer.findIndex((spoken, index) => spoken.text !== shorter[index]?.text);
  const isRest = longer.slice(at + 1).every((spoken: Spoken, index) => spoken.text === shorter[at + index]?.text);
  return isRest && longer[at]!.isGrammar ? longer[at]!.text : undefined;
}

/** A preposition of more than the most general sense, or a word that makes another clause of what follows. */
function turns(word: string): boolean {
  const senses = prepositions.get(word);
  return turning.has(word) || (senses !== undefined && (senses & (Sense.general | Sense.to)) === 0);
}
