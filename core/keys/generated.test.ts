// Keys of `generate` over their life: made once, made anew when due, the old one until its time is over.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { epochMillis } from '../units.ts';
import { type KeptKey, keyState, MADE_AT } from './generated.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const START = Date.parse('2026-11-21T00:00:00Z');
const HOUR = 3_600_000;
const rotation = { every: '720h', overlap: '24h' };

const at = (hours: number) => epochMillis(START + hours * HOUR);
const ours = (key: string | undefined, annotations: Record<string, string> = {}): KeptKey => ({ key, isOurs: true, annotations });

/** What the operator does with a decision. */
function acted(kept: KeptKey | undefined, state: ReturnType<typeof keyState>, fresh: string): KeptKey | undefined {
  return state.decision.kind === 'write' ? ours(fresh, state.decision.annotations) : kept;
}

describe('a generated key', () => {
  test('is made where there is none, and then left alone', () => {
    const first = keyState({ rotation: undefined }, undefined, at(0), digest);
    assert.equal(first.decision.kind, 'write');
    const kept = acted(undefined, first, 'one');
    assert.deepEqual(keyState({ rotation: undefined }, kept, at(99_999), digest).decision, { kind: 'none' });
  });

  test('is made again where somebody emptied its Secret', () => {
    assert.equal(keyState({ rotation: undefined }, ours(undefined), at(0), digest).decision.kind, 'write');
  });

  test('in a Secret of somebody else is used and never written', () => {
    const foreign = { key: 'theirs', isOurs: false, annotations: { [MADE_AT]: '2020-01-01T00:00:00Z' } };
    assert.deepEqual(keyState({ rotation }, foreign, at(0), digest).decision, { kind: 'foreign' });
    assert.deepEqual(keyState({ rotation }, { ...foreign, key: undefined }, at(0), digest).decision, { kind: 'none' });
  });

  test('is made anew when it is due, and the old one works until the overlap is over', () => {
    const made = acted(undefined, keyState({ rotation }, undefined, at(0), digest), 'one')!;
    const waiting = keyState({ rotation }, made, at(719), digest);
    assert.deepEqual(waiting.decision, { kind: 'none' });
    assert.equal(waiting.nextRotation, at(720));
    const due = keyState({ rotation }, made, at(720), digest);
    assert.deepEqual(due.earlier, [], 'the old key ended before there was a new one');
    const second = acted(made, due, 'two')!;
    assert.deepEqual(keyState({ rotation }, second, at(720), digest).earlier, [{ digest: digest('one'), notAfter: at(744) }]);
    const overlapping = keyState({ rotation }, second, at(743), digest);
    assert.deepEqual([overlapping.decision.kind, overlapping.earlier.length], ['none', 1]);
    assert.deepEqual(keyState({ rotation }, second, at(745), digest).earlier, []);
  });

  test('is made anew when somebody asks for it, once; without an overlap the old one ends then', () => {
    const made = acted(undefined, keyState({ rotation }, undefined, at(0), digest), 'one')!;
    const wish = { rotation, rotateAt: at(5) };
    assert.deepEqual(keyState(wish, made, at(4), digest).decision, { kind: 'none' });
    assert.equal(keyState(wish, made, at(4), digest).nextRotation, at(5));
    const second = acted(made, keyState(wish, made, at(6), digest), 'two')!;
    const after = keyState(wish, second, at(7), digest);
    assert.deepEqual(after.decision, { kind: 'none' });
    assert.deepEqual(after.earlier, [{ digest: digest('one'), notAfter: at(30) }]);
    assert.equal(after.nextRotation, at(726));
    const without = { rotation: undefined, rotateAt: at(5) };
    const atOnce = acted(made, keyState(without, made, at(6), digest), 'three')!;
    const ended = keyState(without, atOnce, at(6), digest);
    assert.deepEqual([ended.decision.kind, ended.earlier, ended.notBefore], ['none', [], at(6)]);
  });

  test('whenever it is looked at, has few earlier ones, none of them over, and is decided the same twice', () => {
    const hours = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(hours, fc.constantFrom('0s', '1h', '24h', '240h'), (waits, overlap) => {
        let kept: KeptKey | undefined;
        let now = 0;
        for (const [round, wait] of waits.entries()) {
          now += wait;
          const state = keyState({ rotation: { every: '24h', overlap } }, kept, at(now), digest);
          assert.deepEqual(keyState({ rotation: { every: '24h', overlap } }, kept, at(now), digest), state);
          assert.ok(state.earlier.length <= 3 && state.earlier.every(({ notAfter }) => notAfter > at(now)));
          kept = acted(kept, state, `key ${round}`);
          assert.equal(keyState({ rotation: { every: '24h', overlap } }, kept, at(now), digest).decision.kind, 'none');
        }
      }),
    );
  });
});
