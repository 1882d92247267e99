// Which words may stand for each other: synonyms in their usual senses, derivations of one root, and antonyms. The table is made from
// WordNet by cli/gen-thesaurus.ts; words are stems of stem.ts.
import { stemOf } from './stem.ts';

export interface Thesaurus {
  /** Both have a usual sense in common. */
  synonyms(a: string, b: string): boolean;
  /** One is derived from the other: install and installation. */
  derived(a: string, b: string): boolean;
  antonyms(a: string, b: string): boolean;
  /** Whether it is a word of the table at all. */
  has(word: string): boolean;
  isVerb(word: string): boolean;
  isAdjective(word: string): boolean;
}

type Relation = 'synonyms' | 'derived' | 'antonyms' | 'nouns' | 'verbs' | 'adjectives';

/** Of the text of the asset: a line `#synonyms`, `#derived` or `#antonyms`, then one group of stems a line. */
export function thesaurusOf(text: string): Thesaurus {
  const groups: Record<Relation, Map<string, number[]>> = {
    synonyms: new Map(),
    derived: new Map(),
    antonyms: new Map(),
    nouns: new Map(),
    verbs: new Map(),
    adjectives: new Map(),
  };
  let relation: Relation = 'synonyms';
  for (const [line, words] of text.split('\n').entries()) {
    if (words.startsWith('#')) relation = words.slice(1) as Relation;
    else
      for (const word of words.split(' ')) {
        const known = groups[relation].get(word);
        if (known) known.push(line);
        else groups[relation].set(word, [line]);
      }
  }
  const related = (relation: Relation, a: string, b: string): boolean => {
    const [ofA, ofB] = [groups[relation].get(a), groups[relation].get(b)];
    return ofA !== undefined && ofB !== undefined && ofA.some(line => ofB.includes(line));
  };
  return {
    synonyms: (a, b) => related('synonyms', a, b) || compared(a, b, (x, y) => related('synonyms', x, y)),
    derived: (a, b) => related('derived', a, b),
    antonyms: (a, b) => related('antonyms', a, b) || compared(a, b, (x, y) => related('antonyms', x, y)),
    has: word => groups.nouns.has(word) || groups.verbs.has(word) || groups.adjectives.has(word),
    isVerb: word => groups.verbs.has(word),
    isAdjective: word => groups.adjectives.has(word),
  };
}

/** Two comparatives or two superlatives are related as their adjectives are: largest and biggest. */
function compared(a: string, b: string, related: (a: string, b: string) => boolean): boolean {
  for (const degree of ['est', 'er'])
    if (a.endsWith(degree) && b.endsWith(degree))
      return positives(a, degree).some(x => positives(b, degree).some(y => x === y || related(x, y)));
  return false;
}

function positives(word: string, degree: string): string[] {
  const rest = word.slice(0, -degree.length);
  if (rest.length < 3) return [];
  if (rest.endsWith('i')) return [`${rest.slice(0, -1)}y`];
  if (rest.at(-1) === rest.at(-2)) return [rest, rest.slice(0, -1)];
  return [rest, stemOf(`${rest}e`)];
}
