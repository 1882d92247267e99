// What a row of a dead process is worth.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { epochMillis, nanoUsd } from '#core/units.ts';
import { costRecord, openRow } from '#test/support/cost-records.ts';
import { costOfRequest, isHeld, latestStates, recoveredRow } from './recovery.ts';

const settled = costRecord(1_790_000_000_000);
const open = openRow(settled);

test('a row without an end costs what was held for it, and says that this is a guess', () => {
  const { state, cost, estimated, possiblyBilled, failure } = recoveredRow(open);
  assert.deepEqual([state, cost, estimated, possiblyBilled, failure], ['recovered', open.reserved, true, true, 'gateway_died']);
});

test('a row without an end whose price is not known has no cost', () => {
  assert.equal(recoveredRow({ ...open, rates: undefined, reserved: nanoUsd(0) }).cost, null);
  assert.equal(recoveredRow({ ...open, reserved: nanoUsd(0) }).cost, 0);
});

test('a request costs the sum of its attempts; one that is open what is held for it, one without a price nothing', () => {
  const rows = [settled, { ...settled, attempt: 1, cost: null }, { ...open, attempt: 2 }];
  assert.deepEqual(costOfRequest(rows), { cost: 1_234_567 + 2_000_000, tokens: 2 * (100 + 20 + 3 + 50) });
  assert.deepEqual(costOfRequest([]), { cost: 0, tokens: 0 });
});

test('a row is its process’s until the lease ends, and nobody’s once it has ended', () => {
  assert.equal(isHeld(open, epochMillis(open.leaseUntil - 1)), true);
  assert.equal(isHeld(open, open.leaseUntil), false);
  assert.equal(isHeld(settled, epochMillis(0)), false);
});

test('of one attempt the later state stays, in whatever order and however often its rows come', () => {
  const recovered = recoveredRow(open);
  const states = [open, recovered, settled];
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2), fc.nat(3)), { minLength: 1, maxLength: 20 }), picks => {
      const rows = picks.map(([state, attempt]) => ({ ...states[state]!, attempt }));
      const latest = latestStates(rows);
      const highest = Map.groupBy(picks, ([, attempt]) => attempt);
      assert.equal(latest.length, highest.size);
      for (const row of latest) {
        const wanted = Math.max(...highest.get(row.attempt)!.map(([state]) => state));
        assert.equal(row.state, states[wanted]!.state);
      }
      assert.deepEqual(latestStates([...latest, ...rows]), latest);
    }),
  );
});
