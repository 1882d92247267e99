import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stemOf } from './stem.ts';

const same = [
  'rise rises rising rose risen',
  'hope hopes hoping hoped',
  'hop hops hopping hopped',
  'delete deletes deleting deleted',
  'visit visits visiting visited',
  'make makes making made',
  'study studies studying studied',
  'stop stops stopping stopped',
  'install installs installing installed',
  'add adds adding added',
  'color colour colors colours',
  'organize organise organizing organised',
  'analyze analyse analyzed analysing',
  'centre center centres',
  'box boxes',
  'child children',
  'analysis analyses',
  'use uses using used',
  'agree agreed agreeing',
  'query queries',
];
const apart = [
  'plan plane',
  'car care',
  'note not',
  'general generate',
  'hope hop',
  'univers university',
  'new news',
  'flour flor',
  'us use',
];

for (const words of same)
  test(`one stem: ${words}`, () =>
    assert.equal(new Set(words.split(' ').map(stemOf)).size, 1, words.split(' ').map(stemOf).join(' ')));

for (const words of apart) test(`two stems: ${words}`, () => assert.equal(new Set(words.split(' ').map(stemOf)).size, 2));
