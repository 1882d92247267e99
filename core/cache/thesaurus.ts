// Which words may stand for each other: synonyms in their usual senses, derivations of one root, and antonyms. The table is made from
// WordNet by cli/gen-thesaurus.ts; words are stems of stem.ts.
import { stemOf } from './stem.ts';
import { WordLines } from './word-lines.ts';

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

const SECTIONS = ['nouns', 'verbs', 'adjectives', 'synonyms', 'derived', 'antonyms'] as const;
type Section = (typeof SECTIONS)[number];

/** Of the text of the asset: sections that begin with a line `#nouns`, `#synonyms`, ... The first three list stems; of the others each line is a group. */
export function thesaurusOf(text: string): Thesaurus {
  const words = new WordLines(text);
  const sections = sectionsOf(words);
  const linesIn = (section: Section, word: string): readonly number[] => {
    const { from, to } = sections[section];
    return words.linesOf(word, from, to);
  };
  const isIn = (section: Section, word: string): boolean => linesIn(section, word).length > 0;
  const related = (section: Section, a: string, b: string): boolean => {
    const ofA = linesIn(section, a);
    return ofA.length > 0 && linesIn(section, b).some(line => ofA.includes(line));
  };
  return {
    synonyms: (a, b) => related('synonyms', a, b) || compared(a, b, (x, y) => related('synonyms', x, y)),
    derived: (a, b) => related('derived', a, b),
    antonyms: (a, b) => related('antonyms', a, b) || compared(a, b, (x, y) => related('antonyms', x, y)),
    has: word => isIn('nouns', word) || isIn('verbs', word) || isIn('adjectives', word),
    isVerb: word => isIn('verbs', word),
    isAdjective: word => isIn('adjectives', word),
  };
}

type Lines = { readonly from: number; readonly to: number };

/** Between which lines each is; one that the text does not have is nowhere. */
function sectionsOf(words: WordLines): Readonly<Record<Section, Lines>> {
  const headings = SECTIONS.map(section => words.lineOf(`#${section}`) ?? Number.POSITIVE_INFINITY);
  const linesOf = (from: number): Lines => ({ from, to: Math.min(...headings.filter(line => line > from)) });
  return Object.fromEntries(SECTIONS.map((section, i) => [section, linesOf(headings[i]!)])) as Record<Section, Lines>;
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
