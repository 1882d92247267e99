// What goes wrong after an answer: the attempt has its row and what it holds is settled, and the answer is not lost.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { noUsage } from '#core/chat/usage.ts';
import { aCandidate } from '#core/plan/testing.ts';
import { millis, nanoUsd, tokens } from '#core/units.ts';
import { frontends } from '#test/support/relays.ts';
import type { AttemptResult } from './attempt.ts';
import { LEASE_GRACE_MS, type Sent, settle, settleBroken } from './attempt-over.ts';
import { openRow } from './settle.ts';

const HELD = nanoUsd(700);
const answered = {
  kind: 'answered',
  sent: true,
  upstreamStatus: 200,
  duration: millis(10),
  usage: { ...noUsage, output: tokens(3) },
} as AttemptResult;

function stage({ inBackground = false, attempted = () => {} }: { inBackground?: boolean; attempted?: () => void } = {}) {
  const rows: CostRecord[] = [];
  const bugs: unknown[] = [];
  const call = {
    body: { bytes: Buffer.from('') },
    key: { entry: { tenant: 't', id: 'k', tags: {} } },
    envelope: { controls: {}, model: 'm', stream: false, inBackground },
    plan: { candidates: [] },
    tags: {},
  };
  const begun = {
    exchange: { id: 'r-1', frontend: frontends[0] },
    call,
    candidate: aCandidate('a'),
    // A wire that cannot tell where its answers are kept.
    chat: { keeps: {} },
    leaseUntil: LEASE_GRACE_MS / 3 + 5,
  } as unknown as Sent['begun'];
  const sent = {
    trip: { call, plan: call.plan },
    begun,
    open: openRow(begun, HELD),
    endpoint: undefined,
    ports: {
      costLog: { record: (row: CostRecord) => rows.push(row) > 0 },
      observer: { attempted },
      onBug: (error: unknown) => void bugs.push(error),
      monotonic: () => performance.now(),
      now: () => 0,
    },
  } as unknown as Sent;
  return { sent, rows, bugs };
}

test('a row that cannot be made costs what was held for it, and somebody hears of it', () => {
  const { sent, rows, bugs } = stage();
  const priced = { gpu: { hour: 1, gpus: 1 }, rates: {}, tiers: [] };
  Object.assign(sent.begun.candidate, { model: { ...sent.begun.candidate.model, price: priced } });
  const row = settle(sent, answered, Number.NaN);
  assert.ok(!(row instanceof Promise));
  assert.deepEqual([row.record.state, row.record.cost, row.record.failure], ['recovered', HELD, 'internal_error']);
  assert.deepEqual([rows, bugs.length], [[row.record], 1]);
});

test('so does one that is known later, and no promise is left that fails', async () => {
  const { sent, rows, bugs } = stage({ inBackground: true });
  const row = await settle(sent, { ...answered, usage: undefined, upstreamId: 'resp_1' }, undefined);
  assert.deepEqual([row.record.state, row.record.cost], ['recovered', HELD]);
  assert.deepEqual([rows.length, bugs.length], [1, 1]);
});

test('who measures an attempt and fails at that takes neither its row nor its answer', () => {
  const broken = () => {
    throw new Error('full');
  };
  const { sent, rows, bugs } = stage({ attempted: broken });
  const row = settle(sent, answered, undefined);
  assert.ok(!(row instanceof Promise));
  assert.deepEqual([row.record.state, rows.length, bugs.length], ['settled', 1, 1]);
});

test('an attempt that broke on a bug is paid with what was held for it', () => {
  const { sent, rows } = stage();
  assert.equal(settleBroken(sent).record.cost, HELD);
  assert.equal(rows.length, 1);
});
