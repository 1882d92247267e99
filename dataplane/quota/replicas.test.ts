import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replicas } from './replicas.ts';

test('each replica has its own time, and an attempt that is asked twice has left once', () => {
  let now = 0;
  const replicas = new Replicas(() => now);
  const [a, b, other] = [replicas.enter('http://a'), replicas.enter('http://a'), replicas.enter('http://b')];
  now = 2_000;
  assert.deepEqual([a.leave(), other.leave()], [1, 2]);
  now = 5_000;
  assert.deepEqual([a.leave(), b.leave(), other.leave()], [1, 4, 2]);
});
