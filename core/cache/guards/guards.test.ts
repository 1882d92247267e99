// Each guard by its table: pairs that it has to object to, and pairs in whose way it must not stand.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compare } from '../alignment.ts';
import { read } from '../reading.ts';
import { thesaurusOf } from '../thesaurus.ts';
import { guards } from './index.ts';

const few = thesaurusOf(
  '#nouns\ncar dog tax\n#verbs\nbuild\n#adjectives\nbig large small\n#synonyms\nbig large\nrepair fix\n#derived\ninstal installation\n#antonyms\nbig small\nlarge small\nascend descend\nsell buy',
);

type Pairs = readonly (readonly [a: string, b: string])[];
type Table = Readonly<Record<string, { readonly objects: Pairs; readonly lets: Pairs }>>;

const table: Table = {
  num: {
    objects: [
      ['Name 5 rivers', 'Name 6 rivers'],
      ['What changed in 3.10?', 'What changed in 3.1?'],
      ['the second chapter', 'the third chapter'],
      ['Henry IV', 'Henry V'],
      ['is 1,500 enough', 'is 15,000 enough'],
    ],
    lets: [
      ['Name 5 rivers', 'Name five rivers'],
      ['10,000 steps', '10k steps'],
      ['two hundred and five steps', '205 steps'],
      ['the 21st floor', 'the twenty-first floor'],
      ['in one sentence', 'in a sentence'],
      ['Rocky II', 'Rocky 2'],
    ],
  },
  bind: {
    objects: [
      ['run 5 miles', 'run 5 km'],
      ['3 days for 5 people', '5 days for 3 people'],
      ['a room for 4', '4 rooms'],
      ['it costs 50 dollars', 'it costs 50 euros'],
    ],
    lets: [
      ['5 kg of flour', '5kg of flour'],
      ['$50', '50 dollars'],
      ['12%', '12 percent'],
      ['20 mins', '20 minutes'],
      ['a trip of 3 days', 'a 3 day trip'],
      ['5 lbs', '5 pounds'],
    ],
  },
  lit: {
    objects: [
      ['What is C++?', 'What is C#?'],
      ['use max_retries', 'use max_redirects'],
      ['say "good night"', 'say "good morning"'],
      ['run `ls -a`', 'run `ls -l`'],
      ['flag -U', 'flag -u'],
      ['a == b', 'a != b'],
      ['the operator ??', 'the operator ?.'],
    ],
    lets: [
      ['say “hello there”', 'say "hello there"'],
      ["don't stop", "don't stop"],
      ['Node.js', 'node.js'],
    ],
  },
  ent: {
    objects: [
      ['the capital of France', 'the capital of Italy'],
      ['the FDA rules', 'the FCC rules'],
      ['does Windows open', 'does Window open'],
      ['an X100 camera', 'an X70 camera'],
    ],
    lets: [
      ['the capital of France', 'the capital of france'],
      ['the Acme company', 'Acme'],
      ['flights to NYC', 'flights to New York City'],
    ],
  },
  ant: {
    objects: [
      ['a big car', 'a small car'],
      ['the biggest car', 'the smallest car'],
    ],
    lets: [['a big car', 'a large car']],
  },
  affix: {
    objects: [
      ['is it safe', 'is it unsafe'],
      ['increase it', 'decrease it'],
      ['upload it', 'download it'],
      ['a hopeful case', 'a hopeless case'],
      ['lock it', 'unlock it'],
    ],
    lets: [['install it', 'the installation']],
  },
  neg: {
    objects: [
      ['Why is it working?', 'Why is it not working?'],
      ['with sugar, no milk', 'with sugar and milk'],
      ['can I park', "can't I park"],
      ['tea without milk', 'tea with milk'],
    ],
    lets: [
      ["it doesn't work", 'it does not work'],
      ['it doesnt work', "it doesn't work"],
    ],
  },
  quant: {
    objects: [
      ['Are all swans white?', 'Are some swans white?'],
      ['only on Monday', 'also on Monday'],
      ['the last king', 'the king'],
      ['at least 4 players', 'at most 4 players'],
      ['more fat', 'less fat'],
      ['over 65 years', 'under 65 years'],
      ['do most birds fly', 'do few birds fly'],
      ['pass once', 'pass twice'],
      ['his final novel', 'his latest novel'],
    ],
    lets: [
      ['Show me some recipes', 'Show me recipes'],
      ['many bats', 'a lot of bats'],
      ['how long does it last', 'how long will it last'],
      ['more than 5', 'over 5'],
    ],
  },
  time: {
    objects: [
      ['open on Monday', 'open on Sunday'],
      ['in March', 'in May'],
      ['last week', 'this week'],
      ['at 7 am', 'at 7 pm'],
      ['Who is the mayor?', 'Who was the mayor?'],
      ['today', 'tomorrow'],
      ['since Tuesday', 'until Tuesday'],
      ['When did it stop?', 'When will it stop?'],
    ],
    lets: [
      ['at 6 pm', 'at 18:00'],
      ['in autumn', 'in the fall'],
      ['on Mondays', 'on Monday'],
      ['Who is the mayor now?', 'Who is the mayor?'],
      ['may I go', 'can I go'],
    ],
  },
  qt: {
    objects: [
      ['When was it built?', 'Where was it built?'],
      ['Why do cats purr?', 'How do cats purr?'],
      ['How do I change it?', 'Can I change it?'],
      ['I want to build a car', 'I build a car'],
      ['Is it a fruit?', 'Why is it a fruit?'],
    ],
    lets: [
      ['What is the way to build it?', 'How do I build it?'],
      ['What is the reason cats purr?', 'Why do cats purr?'],
      ['In which city was he born?', 'Where was he born?'],
      ['How tall is it?', 'What is its height?'],
      ['Tell me the capital', 'What is the capital?'],
      ['What is the number of bones?', 'How many bones are there?'],
      ['In what year was it built?', 'When was it built?'],
    ],
  },
  dir: {
    objects: [
      ['from Dover to Calais', 'from Calais to Dover'],
      ['the fare to Oslo', 'the fare from Oslo'],
      ['convert a TIFF to a PNG', 'convert a PNG to a TIFF'],
      ['the museum lent it to the gallery', 'the gallery lent it to the museum'],
      ['before the war', 'after the war'],
      ['Is Oslo bigger than Bergen?', 'Is Bergen bigger than Oslo?'],
    ],
    lets: [
      ['from Dover to Calais', 'to Calais from Dover'],
      ['into Polish', 'to Polish'],
      ['from the 3rd to the 6th', 'between the 3rd and the 6th'],
      ['prior to the war', 'before the war'],
    ],
  },
  voice: {
    objects: [
      ['Who attacked the fort?', 'Who was attacked by the fort?'],
      ['Which bank bought Halifax?', 'Which bank was bought by Halifax?'],
    ],
    lets: [
      ['Who attacked the fort?', 'The fort was attacked by whom?'],
      ['Did Norway invade Denmark?', 'Was Denmark invaded by Norway?'],
    ],
  },
  swap: {
    objects: [
      ['Do sharks hunt seals?', 'Do seals hunt sharks?'],
      ['Subtract tax from gross', 'Subtract gross from tax'],
      ['Multiply the base, then add the height', 'Add the base, then multiply the height'],
    ],
    lets: [
      ['In June, when is sunrise?', 'When is sunrise in June?'],
      ["Emma's plot", 'the plot of Emma'],
      ['the difference between cats and dogs', 'the difference between dogs and cats'],
      ['oxygen is in which block', 'which block is oxygen in'],
      ['briefly explain tides', 'explain tides briefly'],
      ['Do sharks hunt seals?', 'Are seals hunted by sharks?'],
    ],
  },
  perm: {
    objects: [
      ['paint a garage door', 'paint a door garage'],
      ['Can the old man see the big boat?', 'Can the big man see the old boat?'],
      ['Can the old man see the river boat?', 'Can the man see the old river boat?'],
      ['Which tribes conquered the empire?', 'Which tribes did the empire conquer?'],
    ],
    lets: [['How is paper folded?', 'How do they fold paper?']],
  },
  prep: {
    objects: [
      ['What is on the shelf?', 'What is under the shelf?'],
      ['Books about Darwin', 'Books by Darwin'],
      ['vote for the treaty', 'vote against the treaty'],
      ['inside the house', 'behind the house'],
    ],
    lets: [
      ['live in the river', 'live inside the river'],
      ['talks on Marx', 'talks about Marx'],
      ['below deck', 'under deck'],
    ],
  },
  modals: {
    objects: [
      ['Can I park here?', 'Must I park here?'],
      ['Should I file it?', 'Do I have to file it?'],
      ['Will the dam break?', 'Could the dam break?'],
      ["I can't go", "I won't go"],
    ],
    lets: [
      ['How do I clean it?', 'How should I clean it?'],
      ['May I park here?', 'Can I park here?'],
      ['Must I file it?', 'Do I have to file it?'],
      ['Is it possible to park here?', 'Can I park here?'],
    ],
  },
  poss: {
    objects: [
      ['is her lease valid', 'is his lease valid'],
      ['feed my rabbit', 'feed your rabbit'],
      ['What is my limit?', 'What is a limit?'],
      ['does he own it', 'does she own it'],
      ['does my uncle know your aunt', 'does your uncle know my aunt'],
      ["my neighbour's tree on my fence", "my tree on my neighbour's fence"],
    ],
    lets: [
      ['How do I reset my password?', 'How do I reset a password?'],
      ['my lease', 'my lease'],
    ],
  },
  part: {
    objects: [
      ['look it up', 'look it over'],
      ['pay it back', 'pay it'],
    ],
    lets: [['look it up', 'look up it']],
  },
  conj: {
    objects: [['cats and dogs', 'cats or dogs']],
    lets: [['cats and dogs', 'dogs and cats']],
  },
  pron: {
    objects: [
      ['Did they pay us?', 'Did we pay them?'],
      ['What did he tell me?', 'What did I tell him?'],
    ],
    lets: [['Did they pay us?', 'Have they paid us?']],
  },
  gram: {
    objects: [
      ['who lives beside it', 'who lives behind it'],
      ['it ever rains', 'it never rains'],
      ['Where did I park?', 'Where did you park?'],
    ],
    lets: [
      ['the tax on tobacco', 'the tax for tobacco'],
      ['which car is it', 'what car is it'],
      ['can I go', 'may I go'],
    ],
  },
  fmt: {
    objects: [
      ['answer as JSON', 'answer as CSV'],
      ['explain recursion', 'explain recursion in one word'],
      ['explain recursion', 'explain recursion in words'],
      ['explain it briefly', 'explain it in detail'],
      ['in two sentences', 'in two paragraphs'],
    ],
    lets: [
      ['answer in JSON', 'answer as json'],
      ['explain it in one word', 'explain it in a single word'],
      ['what is the word for cat', 'what is a cat'],
    ],
  },
};

for (const { name, objection } of guards)
  describe(`the guard ${name}`, () => {
    const { objects, lets } = table[name] ?? { objects: [], lets: [] };
    const objectionTo = (a: string, b: string) => objection(compare(read(a), read(b), few));

    test('has a table', () => assert.ok(objects.length > 0 && lets.length > 0));

    for (const [a, b] of objects)
      test(`objects to ${a} | ${b}`, () => {
        assert.notEqual(objectionTo(a, b), undefined);
        assert.notEqual(objectionTo(b, a), undefined, 'and in the other order');
      });

    for (const [a, b] of lets)
      test(`lets pass ${a} | ${b}`, () => {
        assert.equal(objectionTo(a, b), undefined);
        assert.equal(objectionTo(b, a), undefined, 'and in the other order');
      });
  });
