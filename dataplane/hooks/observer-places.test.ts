import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ObserverPlaces } from './observer-places.ts';

const takenBy = (places: ObserverPlaces, hook: string): number => {
  let taken = 0;
  while (places.take(hook)) taken++;
  return taken;
};

test('one hook leaves places to the others, all have no more than there are, and what is free is taken again', () => {
  const places = new ObserverPlaces();
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map(hook => takenBy(places, hook)),
    [64, 64, 64, 64, 0],
  );
  places.free('a');
  assert.equal(takenBy(places, 'e'), 1);
  for (let i = 0; i < 63; i++) places.free('a');
  assert.equal(takenBy(places, 'a'), 63);
});
