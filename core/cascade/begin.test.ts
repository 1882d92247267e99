import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Cascade } from '../snapshot/snapshot.ts';
import { millis } from '../units.ts';
import { firstStep, promptText, scoreOf } from './begin.ts';

const cascade = (steps: number, threshold: number): Cascade => ({
  steps: Array.from({ length: steps }, (_, i) => ({ backend: `b${i}` })),
  scorer: { origin: 'http://127.0.0.1', path: '/', threshold, timeout: millis(1) },
});

test('of two steps the second is the first to be asked from the threshold on', () => {
  assert.deepEqual(
    [0, 0.29, 0.3, 1, undefined].map(score => firstStep(score, cascade(2, 0.3))),
    [0, 0, 1, 1, 0],
  );
});

test('more steps share what is above the threshold', () => {
  assert.deepEqual(
    [0.3, 0.4, 0.61, 0.79, 0.81, 1].map(score => firstStep(score, cascade(4, 0.4))),
    [0, 1, 2, 2, 3, 3],
  );
});

test('a cascade begins at one of its steps, and never earlier for a higher score', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 8 }), share, share, share, (steps, threshold, a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)].map(score => firstStep(score, cascade(steps, threshold)));
      assert.ok(0 <= low! && low! <= high! && high! < steps);
    }),
  );
});

test('a score is a number from 0 to 1; all else is none', () => {
  assert.equal(scoreOf('{"score": 0.25}'), 0.25);
  for (const body of ['', 'null', '0.5', '{"score": "0.5"}', '{"score": 2}', '{"score": -1}', '{}', '{"score":'])
    assert.equal(scoreOf(body), undefined, body);
});

test('what is scored is what the user said last, within bounds', () => {
  const user = (text: string) => ({ role: 'user', content: [{ kind: 'text', text }] }) as const;
  const assistant = { role: 'assistant', content: [{ kind: 'text', text: 'well' }] } as const;
  assert.equal(promptText({ messages: [user('first'), assistant, user('last'), assistant] }), 'last');
  assert.equal(promptText({ messages: [assistant] }), '');
  assert.equal(promptText({ messages: [user('x'.repeat(100_000))] }).length, 32_768);
});
