// What the counters in memory do by themselves: a machine's clock may be set back under them, Redis' is its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demand } from '#core/admission/demand.ts';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import { memoryCounters } from './memory.ts';

const HOUR_MS = 3_600_000;

test('limits by the minute hold no longer than a minute or two, however far the clock is set back', async () => {
  let now = Date.UTC(2026, 10, 21, 12);
  const counters = memoryCounters({ now: () => now });
  const ends = {
    tenant: 't',
    limits: [
      { id: 'rpm', kind: 'requests', max: 2 },
      { id: 'tpm', kind: 'tokens', max: 100 },
    ],
    budgets: [],
  } as const;
  const asked = (id: string): Demand => ({
    ...ends,
    id,
    cost: nanoUsd(0),
    tokens: tokens(40),
    leaseUntil: epochMillis(now + 60_000),
    limitsAlone: false,
  });
  const ask = async (id: string) => (await counters.reserve(asked(id))).kind;
  assert.deepEqual([await ask('a'), await ask('b'), await ask('c')], ['granted', 'granted', 'limited']);
  now -= HOUR_MS;
  assert.equal(await ask('d'), 'granted');
  // What was taken before belongs to a minute that is to come: it gives nothing back, and takes nobody there.
  await counters.settle({ ...ends, id: 'a', cost: nanoUsd(0), tokens: tokens(1) });
  assert.deepEqual([await ask('e'), await ask('f')], ['granted', 'limited']);
  now += 61_000;
  assert.equal(await ask('g'), 'granted');
  now -= 30_000;
  assert.deepEqual([await ask('h'), await ask('i')], ['granted', 'limited']);
  now += 91_000;
  assert.equal(await ask('j'), 'granted');
});
