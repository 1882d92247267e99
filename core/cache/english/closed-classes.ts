// The closed classes of English: words of grammar, which a language gains in centuries. What is in none of them is content.
// Nothing here is a name, a topic or a phrase of any data set.

import { stemOf } from '../stem.ts';

const words = (text: string): string[] => text.trim().split(/\s+/);
const toMap = <T>(groups: Readonly<Record<string, T>>): ReadonlyMap<string, T> =>
  new Map(Object.entries(groups).flatMap(([list, value]) => words(list).map(word => [word, value] as const)));
const classOf = (groups: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(groups).flatMap(([name, list]) => words(list).map(word => [word, name] as const)));

/** Say nothing about what is asked: articles, fillers, politeness, greetings. */
export const voidWords: ReadonlySet<string> = new Set(
  words(`a an the this that these those such please kindly hi hello hey thanks thank dear just really actually simply basically
  literally very quite rather so too well then ever maybe perhaps possibly exactly here there it its itself ok okay um oh anyway
  already still yet also even as both cannot of 's there's am is are was were be been being do does did done doing has have had
  having get's and or but if than because while although though whether i you we they he she me him us them one's someone anyone
  people's myself yourself ourselves themselves himself herself oneself my mine our ours your yours his her hers their theirs
  what which who whom whose where when why how whatever whichever about`),
);

export const wh: ReadonlyMap<string, string> = classOf({
  what: 'what which whatever whichever',
  who: 'who whom whose whoever',
  where: 'where wherever',
  when: 'when',
  why: 'why',
  how: 'how',
});

export const be: ReadonlySet<string> = new Set(words('am is are was were be been being'));
export const doAux: ReadonlySet<string> = new Set(words('do does did'));
export const subjects: ReadonlySet<string> = new Set(words('i you we one they people someone somebody anyone anybody'));

/** What time a finite auxiliary speaks of. */
export const tense: ReadonlyMap<string, 'present' | 'past'> = toMap({
  'am is are do does': 'present',
  'was were did': 'past',
} as const);

/** `permission` and `possibility` are one class: questions use can, may and could alike. */
export const modals: ReadonlyMap<string, string> = classOf({
  can: 'can could may might able #can',
  must: 'must #must',
  should: 'should ought #should',
  will: 'will would shall #will',
});

export const negators: ReadonlySet<string> = new Set(
  words('not no never none nobody nothing neither nor nowhere without unless cannot except excluding lacking'),
);

/** Classes of quantity, rank and restriction. */
export const quantifiers: ReadonlyMap<string, string> = classOf({
  all: 'all every each everyone everybody everything always entire whole',
  both: 'both',
  some: 'some any several anybody anything something somebody sometimes certain various #afew',
  either: 'either',
  most: 'most mostly majority usually',
  many: 'many #alot often frequently',
  much: 'much',
  few: 'few rarely seldom little hardly scarcely barely',
  only: 'only solely exclusively merely',
  another: 'another other others else',
  same: 'same',
  different: 'different',
  last: 'last final',
  latest: 'latest recent newest',
  previous: 'previous former preceding',
  next: 'next upcoming',
  following: 'following latter subsequent',
  more: 'more #morethan additional extra',
  less: 'less fewer #lessthan',
  least: 'least',
  atleast: '#atleast minimum',
  atmost: '#atmost maximum',
  about: '#approximately approximately roughly circa',
  almost: 'nearly almost',
  again: 'again',
  once: 'once',
  twice: 'twice',
  average: 'average median',
  total: 'total altogether',
  enough: 'enough sufficient',
  even: 'also too',
});

/** Whose something is. */
export const possessives: ReadonlyMap<string, string> = classOf({
  mine: 'my mine our ours',
  yours: 'your yours',
  his: 'his',
  hers: 'her hers',
  theirs: 'their theirs',
});
export const persons: ReadonlyMap<string, string> = classOf({ he: 'he him himself', she: 'she herself' });

/** Meanings of prepositions as bits: two prepositions can stand for each other where they share one. */
export const Sense = {
  general: 1,
  from: 2,
  to: 4,
  about: 8,
  agent: 16,
  with: 32,
  without: 64,
  before: 128,
  after: 256,
  during: 512,
  above: 1024,
  below: 2048,
  near: 4096,
  far: 8192,
  through: 16384,
  around: 32768,
  inside: 65536,
  outside: 131072,
  behind: 262144,
  against: 524288,
  purpose: 1048576,
  between: 2097152,
  than: 4194304,
  like: 8388608,
  instead: 16777216,
  part: 33554432,
  rangeStart: 536870912,
  rangeEnd: 1073741824,
} as const;
const S = Sense;

export const prepositions: ReadonlyMap<string, number> = toMap({
  of: S.general | S.about | S.agent | S.from | S.part,
  in: S.general | S.inside | S.during | S.part | S.to,
  on: S.general | S.about | S.above | S.during,
  at: S.general | S.near | S.during,
  for: S.general | S.purpose | S.during,
  as: S.general | S.like,
  from: S.from | S.agent | S.part | S.rangeStart,
  '#outof off': S.from | S.outside,
  to: S.to | S.purpose | S.rangeEnd,
  'toward towards onto': S.to,
  into: S.to | S.inside,
  'about regarding concerning': S.about,
  by: S.agent | S.through | S.with,
  'with using': S.with | S.through,
  'via through across throughout': S.through | S.during,
  without: S.without,
  'before #before': S.before,
  'until till': S.before | S.rangeEnd,
  after: S.after,
  since: S.after | S.rangeStart,
  past: S.after,
  'during within': S.during | S.inside,
  inside: S.inside,
  outside: S.outside,
  'above over #ontop': S.above,
  'below under beneath underneath': S.below,
  'near beside #nextto alongside along': S.near,
  '#farfrom away': S.far | S.from,
  around: S.around,
  behind: S.behind,
  '#infront': S.before,
  'against versus vs': S.against,
  'between among amongst': S.between | S.rangeStart | S.rangeEnd,
  than: S.than,
  like: S.like,
  '#instead': S.instead,
  up: 67108864,
  down: 134217728,
  out: S.outside | S.from,
  back: 268435456,
  per: S.general,
});

/** Nouns of no content of their own, that may stand beside what they classify, or be left away. */
export const lightWords: ReadonlySet<string> = new Set(
  words(`kind type sort name thing one person people guy somebody term word phrase expression meaning mean definition define happen occur
  exist available tell give show list find provide identify describe explain know way let`),
);

/** Verbs that say little more than the prepositions and nouns around them: held in, included in. Stems. */
export const weakVerbs: ReadonlySet<string> = new Set(
  words(`include contain consist comprise hold base locate place take come belong involve relate associate consider have find occur happen
  exist know`).map(stemOf),
);

/** The same, but not for each other: how a thing is made is not how it is used. */
export const supportVerbs: ReadonlySet<string> = new Set(words('make use provide offer call become serve').map(stemOf));

/** What may stand beside a name and add nothing to it: `Acme` and `the Acme company`. */
export const designators: ReadonlySet<string> = new Set(
  words(
    'company corporation corp inc ltd co firm plc gmbh city town village country river lake mountain mount island language programming',
  ),
);

/** Contractions without their apostrophe, as people type them. */
export const unmarkedContractions: ReadonlyMap<string, string> = new Map(
  Object.entries({
    dont: 'do not',
    doesnt: 'does not',
    didnt: 'did not',
    isnt: 'is not',
    arent: 'are not',
    wasnt: 'was not',
    werent: 'were not',
    cant: 'can not',
    couldnt: 'could not',
    shouldnt: 'should not',
    wouldnt: 'would not',
    hasnt: 'has not',
    havent: 'have not',
    hadnt: 'had not',
    wont: 'will not',
    whats: 'what is',
    hows: 'how is',
    wheres: 'where is',
    whos: 'who is',
    im: 'i am',
    ive: 'i have',
    thats: 'that is',
    theres: 'there is',
    youre: 'you are',
  }),
);

/** Words of grammar of other languages in Latin letters, English homographs left out: a text with more of these is not English. */
export const foreignWords: ReadonlySet<string> = new Set(
  words(`der das und ist nicht wie ich ein eine einen dem den von zu mit auf fur für sind wird kann wo wer warum welche welcher mein
  el los las que del y es una por para como cual cuál qué cómo dónde está mi su con le les des et est dans quel quelle quelles pour sur
  comment où mon je il di che è sono gli della dello nel per come qual quale perché het een van voor wat hoe waar zijn niet och att som
  på är vad hur og på hva hvor jest nie jak się czy gdzie os um uma não você onde`),
);

/** Words of grammar of which one may take the other's place in a sentence that is otherwise the same. */
export const interchangeable: readonly ReadonlySet<string>[] = [
  'a an the this that these those some any my our',
  'am is are was were be been being do does did has have had can could may might will would shall should must able',
  '#question that',
  '#question if',
  'more over above',
  'less under below',
  'is are in of',
  'i we one',
  'you one people',
  'and & as',
  'but and',
  'because as since',
  'if whether',
  'in of on at for to as into within inside during',
  'of from by',
  'of about on regarding concerning',
  'really very quite so too',
  'just simply actually basically only',
  'it this that these',
  '#want i',
].map(list => new Set(words(list)));

/** First, second and third person as subject and as object. */
export const cases: ReadonlyMap<string, readonly [person: string, role: 'subject' | 'object']> = new Map([
  ['i', ['i', 'subject']],
  ['me', ['i', 'object']],
  ['we', ['we', 'subject']],
  ['us', ['we', 'object']],
  ['he', ['he', 'subject']],
  ['him', ['he', 'object']],
  ['they', ['they', 'subject']],
  ['them', ['they', 'object']],
]);

/** With one of these more, a sentence says something else. */
export const turning: ReadonlySet<string> = new Set(words('if because while although though than or but unless whether'));
