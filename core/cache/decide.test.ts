import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { cpuMs } from '#test/support/cpu-time.ts';
import { decide } from './decide.ts';
import type { Mode } from './difference.ts';
import { guards } from './guards/index.ts';
import { read } from './reading.ts';
import { thesaurusOf } from './thesaurus.ts';

const thesaurus = thesaurusOf(
  '#nouns\nhotel lens wine page\n#verbs\nallow remov delet\n#adjectives\ncheap\n#synonyms\nallow permit\ndelet remov\n#derived\n#antonyms\nallow forbid',
);
const modes: readonly Mode[] = ['Strict', 'Careful', 'Balanced'];

const decided = (a: string, b: string, mode: Mode = 'Careful', similarity = 1, threshold = 0.8) =>
  decide({ reading: read(a), similarity }, read(b), mode, threshold, { thesaurus });
const hits = (a: string, b: string, mode?: Mode) => decided(a, b, mode).hit;
const refusedBy = (a: string, b: string, mode?: Mode, similarity?: number) => {
  const decision = decided(a, b, mode, similarity);
  return decision.hit ? 'nothing' : decision.refusedBy;
};

describe('an answer is served for another prompt', () => {
  test('where only the frame of the question differs, in every mode', () => {
    for (const mode of modes)
      for (const asked of [
        'Tell me the capital of France',
        'what is the capital of france',
        "What's the capital of France, please?",
      ])
        assert.ok(hits('What is the capital of France?', asked, mode), `${mode}: ${asked}`);
  });

  test('never where a name differs, whatever the threshold and the similarity', () => {
    for (const mode of modes)
      for (const threshold of [-1, 0, 0.5, 1])
        assert.equal(decided('What is the capital of France?', 'What is the capital of Italy?', mode, 1, threshold).hit, false);
  });

  test('with a synonym only where the mode is not Strict', () => {
    assert.equal(refusedBy('Which hotels allow pets?', 'Which hotels permit pets?', 'Strict'), 'difference');
    assert.ok(hits('Which hotels allow pets?', 'Which hotels permit pets?', 'Careful'));
    assert.equal(refusedBy('Which hotels allow pets?', 'Which hotels forbid pets?'), 'ant');
  });

  test('not for a narrower question', () => {
    assert.equal(refusedBy('Which hotels allow pets?', 'Which cheap hotels allow pets?'), 'difference');
    assert.equal(refusedBy('How do I clean a lens?', 'How do I clean a contact lens?'), 'difference');
    assert.equal(refusedBy('What is the speed limit?', 'What is the speed limit for trucks?'), 'difference');
  });

  test('with words that their vectors call alike only in Balanced, and antonyms never', () => {
    const means = { thesaurus, alike: () => 0.9 };
    const of = (mode: Mode, a: string, b: string) => decide({ reading: read(a), similarity: 1 }, read(b), mode, 0.8, means).hit;
    assert.equal(of('Careful', 'How do I mute it?', 'How do I silence it?'), false);
    assert.equal(of('Balanced', 'How do I mute it?', 'How do I silence it?'), true);
    assert.equal(of('Balanced', 'Which hotels allow pets?', 'Which hotels forbid pets?'), false);
  });

  test('only above the threshold; a similarity that is no number is below it', () => {
    assert.equal(refusedBy('the same', 'the same', 'Careful', 0.79), 'similarity');
    assert.equal(refusedBy('the same', 'the same', 'Careful', Number.NaN), 'similarity');
  });

  test('in other languages and scripts only word by word', () => {
    assert.ok(hits('Quelle est la capitale de la France ?', 'quelle est la capitale de la France'));
    assert.equal(refusedBy('Quelle est la capitale de la France ?', 'Dis-moi la capitale de la France'), 'language');
    assert.equal(refusedBy('Wie hoch ist der Berg?', 'Wie hoch ist dieser Berg?'), 'language');
    assert.ok(hits('法国的首都是什么?', '法国的首都是什么'));
    assert.equal(refusedBy('法国的首都是什么?', '德国的首都是什么?'), 'language');
    assert.equal(refusedBy('Какая столица Франции?', 'Какая столица Италии?'), 'language');
  });

  test('not where very long prompts differ at their end', () => {
    const long = 'How do I sort a list of words in the file that I have here? '.repeat(300);
    assert.ok(hits(long, long));
    assert.equal(hits(`${long} In French.`, `${long} In Dutch.`), false);
    const names = Array.from(
      { length: 60 },
      (_, at) => `river${String.fromCharCode(97 + (at % 26))}${String.fromCharCode(97 + Math.floor(at / 26))}`,
    );
    const listed = (list: readonly string[]) => `What do you know of the ${list.join(' near the ')}?`;
    assert.ok(hits(listed(names), listed(names)));
    assert.equal(hits(listed(names), listed([...names.slice(0, 56), names[59]!, names[57]!, names[58]!, names[56]!])), false);
  });

  test('not with words attached that mean nothing to an embedder', () => {
    for (const suffix of ['xq zzv lorem', 'zzzzz', 'describing.-- ;) similarly now', '!!!! ignore'])
      assert.equal(hits('What is the capital of France?', `What is the capital of France? ${suffix}`), false, suffix);
  });
});

describe('a decision', () => {
  const words = fc.constantFrom(
    ...'what is the capital of France how do I not 5 five kg from to "x" C++ cheap hotels, allow pets? who was by second last in May'.split(
      ' ',
    ),
  );
  const prompt = fc.oneof(
    fc.array(words, { maxLength: 14 }).map(list => list.join(' ')),
    fc.string({ unit: 'binary', maxLength: 60 }),
  );

  test('is a hit for a prompt and itself', () => {
    fc.assert(fc.property(prompt, fc.constantFrom(...modes), (text, mode) => decided(text, text, mode).hit));
  });

  test('is the same in both orders, as far as it is a hit', () => {
    fc.assert(
      fc.property(prompt, prompt, fc.constantFrom(...modes), (a, b, mode) => hits(a, b, mode) === hits(b, a, mode)),
      {
        numRuns: 500,
      },
    );
  });

  test('in Strict is a hit only where it is one in Careful, and in Careful only where it is one in Balanced', () => {
    fc.assert(
      fc.property(prompt, prompt, (a, b) => {
        const [strict, careful, balanced] = modes.map(mode => hits(a, b, mode));
        return (!strict || careful!) && (!careful || balanced!);
      }),
      { numRuns: 500 },
    );
  });

  test('names a guard by a name of its own', () => {
    assert.equal(new Set(guards.map(({ name }) => name)).size, guards.length);
  });
});

describe('reading and deciding', () => {
  // Ten times the length may take thirty times as long and half a second more, for noise; a quadratic reader takes a hundred times, seconds.
  const judge = (text: string) => decide({ reading: read(text), similarity: 1 }, read(`${text} b`), 'Balanced', 0, { thesaurus });
  const pieces = [
    'a',
    '"',
    "'a ",
    'a-',
    '1,',
    'what is the ',
    'twenty one hundred and ',
    '```',
    "x'",
    '((',
    'a.',
    '\u0301',
    'in what year ',
    'to A ',
    '\n',
  ];

  for (const piece of pieces)
    test(`takes time in proportion to its length: ${JSON.stringify(piece)}`, () => {
      const fastest = (count: number) => cpuMs(() => judge(piece.repeat(count)));
      fastest(2000);
      assert.ok(fastest(20_000) < 30 * fastest(2000) + 500);
    });
});
