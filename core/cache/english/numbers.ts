// Numbers that are written as words: cardinals, ordinals, Roman numerals.

const small =
  `zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen`.split(/\s+/);
const tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const ordinals =
  `zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
sixteenth seventeenth eighteenth nineteenth`.split(/\s+/);
const ordinalTens = 'twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth'.split(' ');

/** Below a hundred. */
export const cardinals: ReadonlyMap<string, number> = new Map([
  ...small.map((word, value) => [word, value] as const),
  ...tens.map((word, index) => [word, 20 + 10 * index] as const),
  ['dozen', 12],
  ['single', 1],
]);

export const ordinalWords: ReadonlyMap<string, number> = new Map([
  ...ordinals.map((word, value) => [word, value] as const),
  ...ordinalTens.map((word, index) => [word, 20 + 10 * index] as const),
  ['hundredth', 100],
  ['thousandth', 1000],
]);

export const multipliers: ReadonlyMap<string, number> = new Map([
  ['hundred', 100],
  ['thousand', 1000],
  ['million', 1e6],
  ['billion', 1e9],
  ['trillion', 1e12],
]);

export const fractions: ReadonlyMap<string, string> = new Map([
  ['half', '1/2'],
  ['halves', '1/2'],
  ['quarter', '1/4'],
  ['quarters', '1/4'],
]);

/** Those that are no words or initials: not i, v, x, c, d, l, m, di, mi, mix, vim. */
export const romans: ReadonlyMap<string, number> = new Map(
  'ii iii iv vi vii viii ix xi xii xiii xiv xv xvi xvii xviii xix xx xxi'
    .split(' ')
    .map((roman, index) => [roman, index < 3 ? index + 2 : index < 7 ? index + 3 : index + 4] as const),
);
