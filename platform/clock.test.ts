import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { uuidV7Source } from './clock.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const idsOf = (count: number, now: () => number = Date.now): string[] => {
  const next = uuidV7Source({ now, monotonic: () => 0 });
  return Array.from({ length: count }, next);
};

describe('ids of requests', () => {
  test('are UUIDs of version 7, and no two are alike, also of one millisecond', () => {
    const ids = idsOf(5000, () => 1_700_000_000_123);
    for (const id of ids) assert.match(id, UUID_V7);
    assert.equal(new Set(ids).size, ids.length);
  });

  test('begin with the time of the clock, also when that is set back', () => {
    const times = [0xff, 0x0199_abcd_ef01, 0x0199_abcd_ef01, 0x0199_0000_0000, 0xffff_ffff_ffff];
    const left = [...times];
    const ids = idsOf(times.length, () => left.shift()!);
    assert.deepEqual(
      ids.map(id => Number.parseInt(id.slice(0, 13).replace('-', ''), 16)),
      times,
    );
  });

  test('have every digit and every variant where chance decides', () => {
    const ids = idsOf(2000);
    for (const at of [15, 16, 17, 20, 21, 22, 24, 35]) assert.equal(new Set(ids.map(id => id[at])).size, 16, `digit ${at}`);
    assert.deepEqual([...new Set(ids.map(id => id[19]))].sort(), ['8', '9', 'a', 'b']);
  });
});
