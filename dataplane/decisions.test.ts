// The memory of decisions: how many it keeps, and that rows and ends may come in any order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '#core/failure.ts';
import { costRecord } from '#test/support/cost-records.ts';
import { Decisions } from './decisions.ts';
import type { Exchange } from './exchange.ts';

const clock = { now: () => Date.UTC(2026, 10, 21), monotonic: () => 1010 };
const exchange = (id: string) => ({ id, path: '/v1/messages', startedAt: 1000 }) as Exchange;

test('the newest requests are kept, as many as there is room for', () => {
  const decisions = new Decisions(3, clock);
  for (const id of ['a', 'b', 'c', 'd']) {
    decisions.refused(exchange(id), failure('invalid_api_key'));
    for (const attempt of [0, 1]) decisions.attempted(costRecord(0, { requestId: id, attempt }));
  }
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map(id => decisions.find(id)?.attempts.length),
    [undefined, 2, 2, 2],
  );
});

test('a request that is under way has its attempts so far, in the order they were begun, and no outcome yet', () => {
  const decisions = new Decisions(3, clock);
  for (const attempt of [1, 0]) decisions.attempted(costRecord(0, { requestId: 'a', attempt }));
  const { attempts, outcome, ended_at } = decisions.find('a')!;
  assert.deepEqual([attempts.map(({ attempt }) => attempt), outcome, ended_at], [[0, 1], null, null]);
});

test('a request that was refused before there was a plan says so', () => {
  const decisions = new Decisions(3, clock);
  decisions.refused(exchange('a'), failure('model_not_found'));
  const { outcome, plans, attempts, path } = decisions.find('a')!;
  assert.deepEqual([outcome!.status, outcome!.failure, outcome!.ms, path], [404, 'model_not_found', 10, '/v1/messages']);
  assert.deepEqual([plans, attempts], [[], []]);
});
