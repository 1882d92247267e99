import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HedgeShares } from './hedge-share.ts';

const NOW = Date.UTC(2026, 10, 21, 12);

test('of 100 requests five are doubled at 5 percent, and none before there are 20', () => {
  const shares = new HedgeShares();
  let taken = 0;
  for (let request = 1; request <= 100; request++) {
    shares.requested('r', NOW + request);
    if (shares.take('r', 5, NOW + request)) taken++;
    if (request < 20) assert.equal(taken, 0);
  }
  assert.equal(taken, 5);
});

test('the share is that of the last minute', () => {
  const shares = new HedgeShares();
  for (let request = 0; request < 100; request++) shares.requested('r', NOW);
  assert.ok(shares.take('r', 5, NOW + 59_000));
  assert.equal(shares.take('r', 5, NOW + 61_000), false);
});

test('routes do not share', () => {
  const shares = new HedgeShares();
  for (let request = 0; request < 100; request++) shares.requested('r', NOW);
  assert.equal(shares.take('other', 100, NOW), false);
});

test('never more than the share of any minute is doubled, however requests come', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30_000), { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 100 }), (gaps, percent) => {
      const shares = new HedgeShares();
      let now = NOW;
      const requests: number[] = [];
      const hedges: number[] = [];
      for (const gap of gaps) {
        now += gap;
        shares.requested('r', now);
        requests.push(now);
        if (shares.take('r', percent, now)) hedges.push(now);
      }
      // A slot is ten seconds: what is counted is between 50 and 60 s old at most.
      for (const end of hedges) {
        const within = (times: readonly number[], ms: number) => times.filter(at => at <= end && at > end - ms).length;
        assert.ok(within(hedges, 50_000) * 100 <= within(requests, 60_000) * percent);
      }
    }),
  );
});
