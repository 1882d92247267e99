// The work queue: what it promises for any order of adds, takes, failures and passing time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backoffMs } from '#platform/kube/backoff.ts';
import { WorkQueue } from './queue.ts';

const newQueue = (random = 0): WorkQueue => new WorkQueue({ backoff: { baseMs: 10, maxMs: 1_000 }, random: () => random });
const drain = (queue: WorkQueue, now: number): string[] => {
  const keys: string[] = [];
  for (let taken = queue.take(now); taken; taken = queue.take(now)) keys.push(taken.key);
  return keys;
};

describe('the work queue', () => {
  test('gives out a key once, however often it was added', () => {
    const queue = newQueue();
    for (const key of ['a', 'b', 'a']) queue.add(key, 0);
    assert.deepEqual(drain(queue, 0), ['a', 'b']);
  });

  test('gives out a key that is added while it is worked on once more, and not before that is done', () => {
    const queue = newQueue();
    queue.add('a', 0);
    queue.take(0);
    queue.add('a', 1);
    queue.add('a', 2);
    assert.equal(queue.take(3), undefined);
    queue.done('a');
    assert.deepEqual(queue.take(5), { key: 'a', waitedMs: 4 });
    queue.done('a');
    assert.equal(queue.take(6), undefined);
  });

  test('gives out normal keys before those of low priority, and a low one that becomes normal with them', () => {
    const queue = newQueue();
    for (const key of ['old1', 'old2']) queue.add(key, 0, 'low');
    queue.add('new', 0);
    queue.add('old2', 0);
    assert.deepEqual(drain(queue, 0), ['new', 'old2', 'old1']);
  });

  test('gives out a key at the earliest of the times it was added for', () => {
    const queue = newQueue();
    queue.addAt('a', 50);
    queue.addAt('a', 20);
    queue.addAt('a', 90);
    assert.equal(queue.nextAt, 20);
    assert.deepEqual(drain(queue, 19), []);
    assert.deepEqual(drain(queue, 20), ['a']);
    queue.done('a');
    assert.equal(queue.nextAt, undefined);
  });

  test('has a key that fails wait twice as long each time, up to a bound, and at least as long as it was asked to', () => {
    const waits = (least: number): number[] => {
      const queue = newQueue(1 - 2 ** -53);
      return Array.from({ length: 9 }, () => {
        queue.addAfterFailure('a', 0, least);
        const { nextAt } = queue;
        drain(queue, nextAt!);
        queue.done('a');
        return Math.round(nextAt!);
      });
    };
    assert.deepEqual(waits(0), [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
    assert.deepEqual(waits(500), [500, 500, 500, 500, 500, 500, 640, 1_000, 1_000]);
  });

  test('forgets the failures of a key that succeeded', () => {
    const queue = newQueue();
    queue.addAfterFailure('a', 0);
    queue.addAfterFailure('a', 0);
    queue.forget('a');
    drain(queue, 1_000);
    queue.done('a');
    queue.addAfterFailure('a', 0);
    assert.equal(queue.nextAt, 5);
  });

  test('takes nothing in and gives nothing out once it is shut, and is drained when all workers are done', () => {
    const queue = newQueue();
    for (const key of ['a', 'b']) queue.add(key, 0);
    queue.take(0);
    queue.add('a', 0);
    queue.addAt('c', 0);
    queue.shutDown();
    queue.add('d', 0);
    assert.deepEqual(drain(queue, 1_000), []);
    assert.equal(queue.isDrained, false);
    queue.done('a');
    assert.equal(queue.isDrained, true);
  });

  type Step = {
    readonly does: 'add' | 'addLow' | 'addAt' | 'fail' | 'take' | 'done' | 'pass';
    readonly key: string;
    readonly ms: number;
  };
  const step: fc.Arbitrary<Step> = fc.record({
    does: fc.constantFrom('add', 'addLow', 'addAt', 'fail', 'take', 'done', 'pass'),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    ms: fc.integer({ min: 0, max: 2_000 }),
  });

  test('never gives a key to two workers, and begins with each key again after each time it was added', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const queue = newQueue(0.5);
        const held = new Set<string>();
        /** Added since they were last begun with. */
        const owed = new Set<string>();
        let now = 0;
        const take = (): boolean => {
          const taken = queue.take(now);
          if (!taken) return false;
          assert.ok(!held.has(taken.key), 'two workers');
          held.add(taken.key);
          owed.delete(taken.key);
          return true;
        };
        const giveBack = (key: string): void => {
          if (held.delete(key)) queue.done(key);
        };
        const act: Record<Step['does'], (key: string, ms: number) => void> = {
          add: key => queue.add(key, now),
          addLow: key => queue.add(key, now, 'low'),
          addAt: (key, ms) => queue.addAt(key, now + ms),
          fail: key => queue.addAfterFailure(key, now),
          take,
          done: giveBack,
          pass: (_, ms) => {
            now += ms;
          },
        };
        for (const { does, key, ms } of steps) {
          if (['add', 'addLow', 'addAt', 'fail'].includes(does)) owed.add(key);
          act[does](key, ms);
        }
        // Whoever holds a key gives it back, and time passes.
        for (let round = 0; round < 10; round++) {
          for (const key of [...held]) giveBack(key);
          now += 2_000;
          while (take()) {}
        }
        assert.deepEqual([...owed], []);
        for (const key of [...held]) giveBack(key);
        assert.equal(queue.isDrained && queue.nextAt === undefined, true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('gives out keys in the order of their times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 200 }), times => {
        const queue = newQueue();
        for (const [index, at] of times.entries()) queue.addAt(String(index), at);
        const order: number[] = [];
        for (let next = queue.nextAt; next !== undefined; next = queue.nextAt)
          for (const key of drain(queue, next)) order.push(times[Number(key)]!);
        assert.deepEqual(
          order,
          times.toSorted((one, other) => one - other),
        );
      }),
    );
  });
});

test('a backoff is between half of its step and all of it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const ms = backoffMs(failures, { baseMs: 100, maxMs: 10_000 }, random);
        const whole = Math.min(10_000, 100 * 2 ** (failures - 1));
        assert.ok(ms >= whole / 2 && ms <= whole);
      },
    ),
  );
});
