// Which content word of one prompt is which of the other, and which are left over on either side.
import type { Reading, Word } from './reading.ts';
import type { Thesaurus } from './thesaurus.ts';

/** How two words are the same. */
export type Bond = 'equal' | 'spelling' | 'synonym' | 'derived';

export type Pair = { readonly a: Word; readonly b: Word; readonly bond: Bond };

export type Alignment = {
  /** In the order of the words of a. */
  readonly pairs: readonly Pair[];
  readonly extraA: readonly Word[];
  readonly extraB: readonly Word[];
};

export type Comparison = Alignment & { readonly a: Reading; readonly b: Reading; readonly thesaurus: Thesaurus };

/** More words than this on either side, and only equal ones are paired: the rest is quadratic in what is left over. */
const MAX_LEFT = 24;

export function compare(a: Reading, b: Reading, thesaurus: Thesaurus): Comparison {
  const pairs: Pair[] = [];
  let [leftA, leftB] = pairEqual(a.words, b.words, pairs);
  if (leftA.length > 0 && leftB.length > 0 && leftA.length <= MAX_LEFT && leftB.length <= MAX_LEFT) {
    [leftA, leftB] = pairBy(leftA, leftB, pairs, 'synonym', (x, y) => mayDiffer(x, y) && thesaurus.synonyms(x.stem, y.stem));
    const asksWho = a.question === 'who' || b.question === 'who';
    [leftA, leftB] = pairBy(leftA, leftB, pairs, 'derived', (x, y) => mayDiffer(x, y) && isDerived(x, y, thesaurus, asksWho));
    [leftA, leftB] = joined(leftA, leftB, pairs, thesaurus);
    [leftB, leftA] = joined(leftB, leftA, pairs, thesaurus, true);
  }
  return { a, b, thesaurus, pairs: pairs.sort((x, y) => x.a.at - y.a.at), extraA: leftA, extraB: leftB };
}

/** Names, numbers and literals are the same only when they are equal. */
const mayDiffer = (x: Word, y: Word): boolean => x.kind === 'word' && y.kind === 'word' && !x.proper && !y.proper;

/** Who invents is the inventor, and the inventor of something; but a print is no printer. */
const isDerived = (x: Word, y: Word, thesaurus: Thesaurus, asksWho: boolean): boolean => {
  if (isAgentOf(x, y) || isAgentOf(y, x)) return asksWho || x.ofSomething || y.ofSomething;
  if (`${x.stem}ly` === y.form || `${y.stem}ly` === x.form || x.form === `${y.form}ly` || y.form === `${x.form}ly`) return true;
  return thesaurus.derived(x.stem, y.stem) && !isAgent(x.stem) && !isAgent(y.stem);
};

const isAgent = (stem: string): boolean => /(?:er|or|ist|ian|ant|ee)$/.test(stem);

/** `Designer` does what `design` says. */
function isAgentOf({ stem: agent }: Word, { stem: verb }: Word): boolean {
  if (!/(?:er|or)$/.test(agent) || agent.length < 5) return false;
  const rest = agent.slice(0, -2);
  return rest === verb || `${rest}e` === verb || (rest.at(-1) === rest.at(-2) && rest.slice(0, -1) === verb);
}

function pairEqual(a: readonly Word[], b: readonly Word[], pairs: Pair[]): [Word[], Word[]] {
  const byStem = new Map<string, Word[]>();
  for (const word of b) {
    const known = byStem.get(word.stem);
    if (known) known.push(word);
    else byStem.set(word.stem, [word]);
  }
  const taken = new Set<Word>();
  const leftA: Word[] = [];
  for (const word of a) {
    const partner = takeEqual(byStem.get(word.stem), word) ?? takeEqual(byStem.get(word.form), word);
    if (partner) {
      taken.add(partner);
      pairs.push({ a: word, b: partner, bond: 'equal' });
    } else leftA.push(word);
  }
  const leftB = b.filter(word => !taken.has(word));
  // A capital on one side alone: `Waves` has the stem waves, `waves` the stem wave.
  return pairBy(leftA, leftB, pairs, 'equal', (x, y) => x.kind === y.kind && x.form === y.form);
}

/** The candidate that stands first, unless a name on one side is another form of the word on the other. */
function takeEqual(candidates: Word[] | undefined, word: Word): Word | undefined {
  if (!candidates) return undefined;
  const index = candidates.findIndex(
    other => other.form === word.form || (!other.proper && !word.proper) || word.kind !== 'word',
  );
  return index < 0 ? undefined : candidates.splice(index, 1)[0];
}

function pairBy(
  leftA: readonly Word[],
  leftB: readonly Word[],
  pairs: Pair[],
  bond: Bond,
  isSame: (x: Word, y: Word) => boolean,
): [Word[], Word[]] {
  const restB = [...leftB];
  const restA = leftA.filter(word => {
    const index = restB.findIndex(other => isSame(word, other));
    if (index < 0) return true;
    pairs.push({ a: word, b: restB[index]!, bond });
    restB.splice(index, 1);
    return false;
  });
  return [restA, restB];
}

/** `webpage` and `web page`, `NYC` and its three words: one word of `left` for several neighbours of `others`. */
function joined(
  left: readonly Word[],
  others: readonly Word[],
  pairs: Pair[],
  thesaurus: Thesaurus,
  swapped = false,
): [Word[], Word[]] {
  let rest = [...others];
  const still = left.filter(word => {
    const run = word.kind === 'word' ? runFor(word, rest, word.proper || !thesaurus.has(word.stem)) : undefined;
    if (!run) return true;
    pairs.push(swapped ? { a: run[0]!, b: word, bond: 'spelling' } : { a: word, b: run[0]!, bond: 'spelling' });
    rest = rest.filter(other => !run.includes(other));
    return false;
  });
  return [still, rest];
}

const MAX_INITIALS = 5;

function runFor(word: Word, others: readonly Word[], mayBeInitials: boolean): readonly Word[] | undefined {
  for (let from = 0; from + 1 < others.length; from++) {
    let letters = '';
    let initials = '';
    for (let to = from; to < others.length && to - from < MAX_INITIALS; to++) {
      const next = others[to]!;
      if (next.kind !== 'word' || (to > from && next.at - others[to - 1]!.at > 2)) break;
      letters += next.form;
      initials += next.form[0];
      if (to > from && letters === word.form) return others.slice(from, to + 1);
      if (to > from && mayBeInitials && initials === word.form) return others.slice(from, to + 1);
    }
  }
  return undefined;
}
