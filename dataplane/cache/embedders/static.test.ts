import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { cosine } from './embedder.ts';
import { staticEmbedder } from './static.ts';
import { tokenIds, vocabularyOf } from './wordpiece.ts';

type Reference = { readonly text: string; readonly ids: readonly number[]; readonly vector: readonly number[] };

const folder = path.join(import.meta.dirname, 'potion-base-2M');
const references = JSON.parse(readFileSync(path.join(folder, 'reference.json'), 'utf8')) as readonly Reference[];
const vocabulary = vocabularyOf(readFileSync(path.join(folder, 'vocab.txt'), 'utf8'));

describe('the built-in embedder', () => {
  test('cuts texts into the pieces of the reference', () => {
    assert.ok(references.length > 0);
    for (const { text, ids } of references) assert.deepEqual(tokenIds(text, vocabulary, 512), ids, text);
  });

  test('makes the vectors of the reference', () => {
    for (const { text, vector } of references) {
      const [made] = staticEmbedder().embedNow([text]);
      for (const [at, value] of vector.entries()) assert.ok(Math.abs(made![at]! - value) < 2e-5, `${text}: ${at}`);
    }
  });

  test('finds a rephrasing nearer than another question, and equals to be equal', () => {
    const [asked, again, other] = staticEmbedder().embedNow([
      'How do I reset my password?',
      'How can I reset my password?',
      'Which cheese melts best?',
    ]);
    assert.ok(cosine(asked!, again!) > 0.9);
    assert.ok(cosine(asked!, other!) < 0.5);
    assert.ok(Math.abs(cosine(asked!, asked!) - 1) < 1e-5);
  });

  test('takes any text, and finds a text without pieces similar to nothing', () => {
    const [empty, signs] = staticEmbedder().embedNow(['', '\u0000\u200b']);
    assert.equal(cosine(empty!, empty!), 0);
    assert.equal(cosine(signs!, signs!), 0);
    assert.equal(staticEmbedder().wordVector('cat')?.length, 64);
  });
});
