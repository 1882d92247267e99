// The version in which configuration is written, over an upgrade.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCHEMA_VERSION as CURRENT } from '../snapshot/snapshot.ts';
import { schemaToWrite } from './schema.ts';

const BEFORE = CURRENT - 1;

test('configuration is written for the oldest pod, and for newer ones when all have said so', () => {
  for (const [reported, published, wanted] of [
    [[], undefined, CURRENT],
    [[], BEFORE, BEFORE],
    [[undefined], undefined, CURRENT],
    [[CURRENT], undefined, CURRENT],
    [[CURRENT, BEFORE], CURRENT, BEFORE],
    [[CURRENT, undefined], BEFORE, BEFORE],
    [[CURRENT, undefined], CURRENT, CURRENT],
    [[CURRENT, CURRENT], BEFORE, CURRENT],
    [[CURRENT + 1], CURRENT, CURRENT],
    [[CURRENT], CURRENT + 1, CURRENT],
    [[undefined], CURRENT + 1, CURRENT],
    [[BEFORE - 5], CURRENT, BEFORE],
  ] as const)
    assert.equal(schemaToWrite(reported, published), wanted, `${reported} over ${published}`);
});
