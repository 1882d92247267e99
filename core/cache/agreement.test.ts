import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agrees } from './agreement.ts';
import { read } from './reading.ts';

const rows: readonly (readonly [one: string, other: string, similarity: number, same: boolean])[] = [
  ['The capital of France is Paris.', 'The capital of France is Paris.', 0, true],
  ['The capital of France is Paris.', 'Paris is the capital of France.', 0.97, true],
  ['The capital of France is Paris.', 'The capital of Italy is Rome.', 0.8, false],
  ['Your order 48213 is late.', 'Your order 48231 is late.', 0.99, false],
  ['Bread needs flour and water.', 'Flour, water, and some yeast go into bread.', 0.86, true],
  ['Bread needs flour and water.', 'Ships need sails and wind.', 0.4, false],
];
for (const [one, other, similarity, same] of rows)
  test(`'${one}' and '${other}' ${same ? 'agree' : 'do not agree'}`, () => {
    assert.equal(agrees(read(one), read(other), similarity), same);
  });
