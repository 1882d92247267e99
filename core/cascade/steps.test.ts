import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aCandidate } from '../plan/testing.ts';
import type { Cascade } from '../snapshot/snapshot.ts';
import { acceptOf, beginAt, nextAfter, takeSteps } from './steps.ts';

const accept = { rules: ['NonEmpty'] as const };
const cascade: Cascade = {
  steps: [
    { backend: 'small', accept },
    { backend: 'medium', accept },
    { backend: 'large', accept },
  ],
};
const plan = (...names: string[]) => names.map(name => aCandidate(name));
const names = (candidates: readonly { backend: string }[]) => candidates.map(({ backend }) => backend);

describe('the steps of a cascade', () => {
  test('come before all other candidates, in their own order, as far as they can be used', () => {
    const candidates = plan('spare', 'large', 'small', 'other');
    assert.deepEqual(names(takeSteps(candidates, cascade)), ['small', 'large']);
    assert.deepEqual(names(candidates), ['spare', 'other']);
  });

  test('are held back, but for the last', () => {
    assert.deepEqual(
      plan('small', 'medium', 'large', 'spare').map(candidate => acceptOf(candidate, cascade)),
      [accept, accept, undefined, undefined],
    );
  });

  test('begin where they are told to, or at the next that can be used', () => {
    assert.deepEqual(
      [0, 1, 2].map(step => beginAt(step, plan('small', 'medium', 'large'), cascade)),
      [0, 1, 2],
    );
    assert.deepEqual(
      [0, 1, 2].map(step => beginAt(step, plan('small', 'large'), cascade)),
      [0, 1, 1],
    );
    assert.equal(beginAt(2, plan('small', 'spare'), cascade), 0);
  });

  test('are followed by the next candidate that was not tried', () => {
    assert.equal(nextAfter(0, [1, 0, 0]), 1);
    assert.equal(nextAfter(0, [1, 1, 0]), 2);
    assert.equal(nextAfter(1, [0, 1, 1]), undefined);
  });
});
