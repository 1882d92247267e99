// A kept answer as a stream: in pieces, whatever is in it, and the same as at once.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatReply } from '#core/chat/reply.ts';
import { noUsage } from '#core/chat/usage.ts';
import { tokens } from '#core/units.ts';
import { frontends } from '#test/support/relays.ts';
import { answerText, isTerminated } from '#test/support/sse.ts';
import { piecesOf, writePieces } from './replay.ts';

const context = { requestId: 'r-1', createdSeconds: 0, includeUsage: true };
const replyOf = (text: string): ChatReply => ({
  id: '',
  model: 'm',
  parts: [{ kind: 'text', text }],
  finish: { reason: 'stop' },
  usage: { ...noUsage, output: tokens(5) },
});

for (const frontend of frontends)
  describe(`a kept answer for ${frontend.dialect}`, () => {
    const pieces = (text: string, pace: 'Paced' | 'Instant') => piecesOf(replyOf(text), frontend.streamEncoder(context), pace);

    test('says all of it in pieces, and no character is cut', () => {
      const unit = fc.constantFrom('a', ' ', '\n', 'é', '\u{1f600}', '"');
      fc.assert(
        fc.property(fc.string({ unit, minLength: 1, maxLength: 400 }), text => {
          const stream = pieces(text, 'Paced').join('');
          assert.equal(answerText(stream), text);
          assert.ok(isTerminated(stream) && stream.isWellFormed());
          assert.ok(!/\\ud[89a-f]/i.test(stream), 'half a character');
          assert.equal(answerText(pieces(text, 'Instant').join('')), text);
        }),
      );
    });

    test('comes at once where that is asked for, and in a bounded number of pieces where not', () => {
      assert.equal(pieces('word '.repeat(100), 'Instant').length, 1);
      assert.ok(pieces('word '.repeat(100), 'Paced').length > 10);
      assert.ok(pieces('word '.repeat(100_000), 'Paced').length < 200);
    });
  });

describe('writing the pieces', () => {
  type Listener = { clientLeft(): void; clientDrained(): void };
  function client(options: { readonly leavesAfter?: number; readonly isSlow?: boolean } = {}) {
    const written: string[] = [];
    const state = {
      written,
      isEnded: false,
      gone: false,
      set listener(listener: Listener | undefined) {
        if (listener) setImmediate(() => listener.clientDrained());
      },
      write(piece: string) {
        written.push(piece);
        return !options.isSlow;
      },
      stays: async () => written.length !== options.leavesAfter,
      endStream() {
        state.isEnded = true;
      },
    };
    return state;
  }

  test('ends the stream once all of them are written, also for a client that is slow', async () => {
    for (const isSlow of [false, true]) {
      const to = client({ isSlow });
      assert.equal(await writePieces(to as never, ['a', 'b', 'c']), true);
      assert.deepEqual([to.written, to.isEnded], [['a', 'b', 'c'], true]);
    }
  });

  test('stops where the client leaves', async () => {
    const to = client({ leavesAfter: 2 });
    assert.equal(await writePieces(to as never, ['a', 'b', 'c']), false);
    assert.deepEqual([to.written, to.isEnded], [['a', 'b'], false]);
  });
});
