import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countTokens, promptTotal, promptUsage, tokensOf } from './tokens.ts';

test('the pieces of any text join to the text, and there are as many as are counted', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), text => {
      const pieces = tokensOf(text);
      assert.equal(pieces.join(''), text);
      assert.equal(pieces.length, countTokens(text));
      assert.ok(pieces.every(piece => piece.length > 0));
    }),
  );
});

test('four bytes of ASCII are a token', () => {
  assert.equal(countTokens(''), 0);
  assert.equal(countTokens('abcd'), 1);
  assert.equal(countTokens('abcde'), 2);
});

test('the first turn writes up to the last mark, a later one reads up to the first', () => {
  const parts = [{ tokens: 10, mark: '5m' as const }, { tokens: 20, mark: '5m' as const }, { tokens: 3 }];
  assert.deepEqual(promptUsage(parts, false), { uncached: 3, cacheRead: 0, cacheWrite5m: 30, cacheWrite1h: 0 });
  assert.deepEqual(promptUsage(parts, true), { uncached: 3, cacheRead: 10, cacheWrite5m: 20, cacheWrite1h: 0 });
});

test('whatever is marked, each token is counted once', () => {
  const part = fc.record(
    { tokens: fc.nat(100), mark: fc.constantFrom('5m' as const, '1h' as const) },
    { requiredKeys: ['tokens'] },
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 10 }), fc.boolean(), (parts, isLaterTurn) => {
      const all = parts.reduce((total, { tokens }) => total + tokens, 0);
      assert.equal(promptTotal(promptUsage(parts, isLaterTurn)), all);
    }),
  );
});
