import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { glob } from './glob.ts';

const rows: [pattern: string, text: string, matches: boolean][] = [
  ['gpt-4o', 'gpt-4o', true],
  ['gpt-4o', 'gpt-4o-mini', false],
  ['gpt-*', 'gpt-4o', true],
  ['*', '', true],
  ['*-mini', 'gpt-4o-mini', true],
  ['gpt-*-mini', 'gpt-mini', false],
  ['a*a', 'a', false],
  ['openai/*', 'openai/gpt-4o', true],
  ['a.c', 'abc', false],
];

for (const [pattern, text, matches] of rows)
  test(`'${pattern}' ${matches ? 'takes' : 'does not take'} '${text}'`, () => {
    assert.equal(glob(pattern)(text), matches);
  });

test('a glob agrees with the regular expression it stands for', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  fc.assert(
    fc.property(text, text, (pattern, candidate) => {
      const meaning = new RegExp(`^${pattern.replaceAll('*', '.*')}$`);
      assert.equal(glob(pattern)(candidate), meaning.test(candidate));
    }),
  );
});
