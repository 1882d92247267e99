// docs/invariants.md names the tests that hold the ledger and the budgets to their word: each of them is there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const page = readFileSync('docs/invariants.md', 'utf8');
const named = [...page.matchAll(/`([\w./-]+\.ts)`: (.+?)(?= <br>| \|$)/gm)].map(([, file, name]) => ({
  file: file!,
  name: name!,
}));

test('every invariant has a row, and every test that a row names exists', () => {
  const numbers = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => Number(number));
  assert.deepEqual(
    numbers,
    Array.from({ length: 25 }, (_, i) => i + 1),
  );
  assert.equal(named.length, page.match(/\.ts`/g)!.length);
  const missing = named.filter(({ file, name }) => !existsSync(file) || !isNamed(readFileSync(file, 'utf8'), name));
  assert.deepEqual(missing, []);
});

/** As the whole name of a test, in any quotes. */
const isNamed = (source: string, name: string): boolean => ["'", '"', '`'].some(quote => source.includes(quote + name + quote));
