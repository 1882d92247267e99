// ant and affix: a word and its opposite, by the thesaurus or by a prefix that reverses it.
import type { Word } from '../reading.ts';
import { differs, type Guard } from './guard.ts';

const reversing = [
  'un',
  'in',
  'im',
  'il',
  'ir',
  'dis',
  'non',
  'de',
  'mis',
  'anti',
  'counter',
  'under',
  'over',
  'out',
  'sub',
  'super',
  'pre',
  'post',
];
/** One prefix for another: increase, decrease; upload, download; import, export. */
const opposed: readonly (readonly [string, string])[] = [
  ['in', 'de'],
  ['up', 'down'],
  ['im', 'ex'],
  ['in', 'ex'],
  ['en', 'de'],
  ['in', 'out'],
  ['over', 'under'],
  ['pre', 'post'],
  ['hyper', 'hypo'],
  ['macro', 'micro'],
  ['multi', 'mono'],
  ['intro', 'extro'],
];

export const antonyms: Guard = {
  name: 'ant',
  objection({ extraA, extraB, pairs, thesaurus }) {
    const opposite = (x: Word, y: Word) => x.kind === 'word' && y.kind === 'word' && thesaurus.antonyms(x.stem, y.stem);
    for (const x of extraA) for (const y of extraB) if (opposite(x, y)) return differs(x.form, y.form);
    const mistaken = pairs.find(({ a, b, bond }) => bond !== 'equal' && opposite(a, b));
    return mistaken && differs(mistaken.a.form, mistaken.b.form);
  },
};

export const affixes: Guard = {
  name: 'affix',
  objection({ extraA, extraB, pairs }) {
    for (const x of extraA)
      for (const y of extraB) if (isReversed(x.form, y.form) || isReversed(x.stem, y.stem)) return differs(x.form, y.form);
    const mistaken = pairs.find(
      ({ a, b, bond }) => bond !== 'equal' && (isReversed(a.form, b.form) || isReversed(a.stem, b.stem)),
    );
    return mistaken && differs(mistaken.a.form, mistaken.b.form);
  },
};

function isReversed(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length >= 3 && long.endsWith(short) && reversing.includes(long.slice(0, -short.length))) return true;
  if ((long.endsWith('less') || long.endsWith('ful')) && endingsDiffer(a, b)) return true;
  return opposed.some(([x, y]) => isOpposed(a, b, x, y) || isOpposed(b, a, x, y));
}

const isOpposed = (a: string, b: string, x: string, y: string): boolean =>
  a.startsWith(x) && b.startsWith(y) && a.length - x.length >= 3 && a.slice(x.length) === b.slice(y.length);

/** Hopeful and hopeless, hope and hopeless. */
function endingsDiffer(a: string, b: string): boolean {
  const root = (word: string) => (word.endsWith('less') ? word.slice(0, -4) : word.endsWith('ful') ? word.slice(0, -3) : word);
  return root(a) === root(b) && (a.endsWith('less') || b.endsWith('less'));
}
