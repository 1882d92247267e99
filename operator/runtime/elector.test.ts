// The election: at most one process may write at any moment, whatever happens to clocks, processes and requests.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Election, type ElectionStep, type Instant, type LeaseRecord, usualElection } from './elector.ts';

const at = (ms: number, wall = ms): Instant => ({ monotonic: ms, wall });
const lease = (holder: string, version: string, durationMs = 15_000): LeaseRecord => ({
  holder,
  version,
  durationMs,
  transitions: 0,
});
const newElection = (): Election => new Election('me', usualElection);

describe('who waits for a lease', () => {
  test('makes it where there is none, and takes it where it was released', () => {
    const election = newElection();
    election.observe(undefined, at(0));
    assert.equal(election.next(at(0)).kind, 'create');
    election.observe(lease('', '1', 1_000), at(0));
    assert.equal(election.next(at(0)).kind, 'take');
  });

  test('takes it when it has not changed for its duration, however it is dated, and not a moment sooner', () => {
    const election = newElection();
    election.observe(lease('other', '1'), at(0));
    election.observe(lease('other', '1'), at(14_000));
    assert.deepEqual(election.next(at(14_500)), { kind: 'wait', ms: 500 });
    assert.equal(election.next(at(15_000)).kind, 'take');
    election.observe(lease('other', '2'), at(15_000));
    assert.equal(election.next(at(29_999)).kind, 'wait');
  });

  test('is not moved by a wall clock that jumps', () => {
    const election = newElection();
    election.observe(lease('other', '1'), at(0, 0));
    assert.equal(election.next(at(1_000, 3_600_000)).kind, 'wait');
  });
});

describe('a leader', () => {
  const leading = (): Election => {
    const election = newElection();
    election.observe(undefined, at(0));
    election.won(lease('me', '1'), at(0));
    return election;
  };

  test('leads for ten seconds from when it asked, and longer only with a renewal', () => {
    const election = leading();
    assert.equal(election.holds(at(9_999)), true);
    assert.equal(election.holds(at(10_000)), false);
    election.won(lease('me', '2'), at(9_000));
    assert.equal(election.holds(at(18_999)), true);
  });

  test('stops when either of its clocks says that its time is over', () => {
    const election = leading();
    assert.equal(election.holds(at(1_000, 11_000)), false, 'the machine was suspended');
    assert.equal(election.holds(at(11_000, 1_000)), false, 'the wall clock was set back');
  });

  test('stops when it sees another in its place', () => {
    const election = leading();
    election.observe(lease('other', '2'), at(1_000));
    assert.equal(election.holds(at(1_000)), false);
  });

  test('takes its own lease anew when its term is over, as after a restart under the same name', () => {
    const election = newElection();
    election.observe(lease('me', '7'), at(0));
    assert.equal(election.holds(at(0)), false);
    assert.equal(election.next(at(0)).kind, 'take');
  });
});

// A server with one lease; processes with clocks of their own start and speed, that stop for any time between any two steps, and whose
// requests and answers take any time or are lost.
type Move = {
  readonly who: number;
  readonly pauseMs: number;
  readonly sendMs: number;
  readonly fate: 'fine' | 'lost' | 'unanswered';
};

test('of any number of processes at most one holds the lease at a time', () => {
  const move: fc.Arbitrary<Move> = fc.record({
    who: fc.integer({ min: 0, max: 2 }),
    pauseMs: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 40_000 })),
    sendMs: fc.integer({ min: 0, max: 3_000 }),
    fate: fc.constantFrom('fine', 'fine', 'fine', 'lost', 'unanswered'),
  });
  const clock = fc.record({ start: fc.integer({ min: 0, max: 1e9 }), speed: fc.double({ min: 0.95, max: 1.05, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), fc.tuple(clock, clock, clock), (moves, clocks) => {
      const server = new LeaseServer();
      const elections = clocks.map((_, who) => new Election(String(who), usualElection));
      let now = 0;
      const localAt = (who: number, time: number): Instant => at(clocks[who]!.start + time * clocks[who]!.speed);
      const holders = () => elections.flatMap((election, who) => (election.holds(localAt(who, now)) ? [who] : []));
      for (const { who, pauseMs, sendMs, fate } of moves) {
        now += pauseMs;
        const election = elections[who]!;
        if (!election.holds(localAt(who, now))) election.observe(server.record, localAt(who, now));
        const step: ElectionStep = election.next(localAt(who, now));
        if (step.kind === 'wait') continue;
        const asked = localAt(who, now);
        now += sendMs;
        const written = fate === 'lost' ? undefined : server.write(String(who), step.kind === 'create' ? undefined : step.from);
        now += sendMs;
        if (written && fate === 'fine') election.won(written, asked);
        assert.ok(holders().length <= 1, `at ${now}: ${holders()}`);
      }
    }),
    { numRuns: 3_000 },
  );
});

/** Optimistic concurrency, as the API server has it. */
class LeaseServer {
  record: LeaseRecord | undefined;
  #version = 0;

  write(holder: string, from: LeaseRecord | undefined): LeaseRecord | undefined {
    if (this.record?.version !== from?.version) return undefined;
    this.record = lease(holder, String(++this.#version));
    return this.record;
  }
}
