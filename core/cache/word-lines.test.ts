import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WordLines } from './word-lines.ts';

/** Few letters, so that words are each other's beginnings and stand there twice. */
const word = fc.string({ unit: fc.constantFrom('a', 'b', '#', 'é', '😀'), minLength: 1, maxLength: 4 });
const lines = fc.array(fc.array(word, { maxLength: 5 }), { maxLength: 8 });

test('knows the lines of each word, and no word that is not there', () => {
  fc.assert(
    fc.property(lines, word, fc.nat(8), fc.nat(8), (text, asked, after, before) => {
      const words = new WordLines(text.map(line => line.join(' ')).join('\n'));
      for (const one of [asked, ...text.flat()]) {
        const all = text.flatMap((line, i) => line.filter(each => each === one).map(() => i));
        assert.equal(words.lineOf(one), all[0]);
        assert.deepEqual(
          words.linesOf(one, after, before),
          all.filter(line => line > after && line < before),
        );
      }
    }),
  );
});

test('a text of nothing has no word', () => assert.equal(new WordLines('').lineOf('a'), undefined));
