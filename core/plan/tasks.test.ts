import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestTask } from './tasks.ts';

const tasks = [
  { name: 'code', examples: ['write a function', 'fix this bug'], backend: 'large' },
  { name: 'chat', examples: ['hello'], backend: 'small' },
];
const semantic = { minSimilarity: 0.6, tasks };

test('the task with the nearest example wins, whichever of its examples it is', () => {
  assert.deepEqual(nearestTask(semantic, [[0.1, 0.9], [0.8]]), { name: 'code', backend: 'large', similarity: 0.9 });
  assert.deepEqual(nearestTask(semantic, [[0.1, 0.7], [0.8]]), { name: 'chat', backend: 'small', similarity: 0.8 });
});

test('the first of equally near ones wins', () => {
  assert.equal(nearestTask(semantic, [[0.7, 0.8], [0.8]])?.name, 'code');
});

test('below the least similarity none does: then the backend for that, or weights', () => {
  assert.equal(nearestTask(semantic, [[0.1, 0.59], [0.2]]), undefined);
  const otherwise = nearestTask({ ...semantic, otherwise: 'medium' }, [[0.1, 0.59], [0.2]]);
  assert.deepEqual(otherwise, { name: undefined, backend: 'medium', similarity: 0.59 });
});

test('a route whose tasks have all lost their backends has none', () => {
  assert.equal(nearestTask({ minSimilarity: 0, tasks: [] }, []), undefined);
});
