// The head of an answer: what is put into headers fits into them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listed } from './head.ts';

test('names are listed whole where they fit', () => assert.equal(listed(['seed', 'n']), 'seed,n'));

test('what does not fit is counted', () => {
  const names = Array.from({ length: 5000 }, (_, i) => `messages[${i}].name`);
  const text = listed(names);
  assert.ok(text.length < 1100);
  const shown = text.split(',');
  assert.equal(Number(shown.at(-1)!.slice(1)) + shown.length - 1, names.length);
  assert.equal(listed(['x'.repeat(5000), 'n']), '+2');
});
