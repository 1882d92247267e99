// Vectors at the places of their inputs, or none at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { textsOf, vectorsInOrder } from './embeddings.ts';

const vectors = fc.integer({ min: 1, max: 5 }).chain(size =>
  fc.array(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: size, maxLength: size }), {
    minLength: 1,
  }),
);

test('in whatever order they come, each is at the place of its input', () => {
  fc.assert(
    fc.property(vectors, fc.infiniteStream(fc.nat()), (all, order) => {
      const placed = all.map((vector, index) => ({ index, vector })).toSorted(() => (order.next().value! % 2 === 0 ? 1 : -1));
      assert.deepEqual(vectorsInOrder(placed, all.length), all);
    }),
  );
});

test('one that is missing, twice there, of another size or of no numbers is no answer', () => {
  const one = { index: 0, vector: [1, 2] };
  assert.equal(vectorsInOrder([one], 2), undefined);
  assert.equal(vectorsInOrder([one, one], 2), undefined);
  assert.equal(vectorsInOrder([one, one], 1), undefined);
  for (const vector of [[1], [], undefined, [1, Number.NaN], [1, null as never]])
    assert.equal(vectorsInOrder([one, { index: 1, vector }], 2), undefined, JSON.stringify(vector));
  for (const index of [2, -1, 0.5, '1', undefined]) assert.equal(vectorsInOrder([one, { index, vector: [3, 4] }], 2), undefined);
});

test('tokens are no texts', () => {
  const request = { model: 'm', encoding: 'float', extra: {} } as const;
  assert.deepEqual(textsOf({ ...request, inputs: ['a', 'b'] }), ['a', 'b']);
  assert.equal(textsOf({ ...request, inputs: ['a', [1]] }), undefined);
});
