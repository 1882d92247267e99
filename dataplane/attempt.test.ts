// What an attempt tells about an answer besides delivering it: the usage, what to count tokens in where that was not told to the end, and
// why it is none.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noUsage } from '#core/chat/usage.ts';
import { failure, refuse } from '#core/failure.ts';
import { type Millis, tokens } from '#core/units.ts';
import { type AttemptInput, runAttempt } from '#dataplane/attempt.ts';
import type { HttpHandler } from '#platform/http-client.ts';
import { deliver } from '#test/support/attempts.ts';
import { frontends, relayBetween, type Wire } from '#test/support/relays.ts';
import { answerText } from '#test/support/sse.ts';
import { anthropicStream, openaiStream, type ScriptedStream } from '#test/support/wires.ts';

/** A whole answer, or what comes instead of one. */
function answered(script: (handler: HttpHandler) => void, read: AttemptInput['read'] = () => refuse('upstream_empty_answer')) {
  let isAborted = false;
  const minute = 60_000 as Millis;
  return runAttempt({
    http: {
      send(_, handler) {
        queueMicrotask(() => script(handler));
        const abort = () => {
          isAborted = true;
        };
        return { abort, pause() {}, resume() {} };
      },
      close: async () => {},
    },
    request: { method: 'POST', origin: 'http://upstream', path: '/', headers: {}, body: null, connectTimeoutMs: 1 },
    limits: { firstToken: minute, streamIdle: minute, request: minute },
    client: { began: false, gone: false, listener: undefined, write: () => true, endStream() {} },
    read,
    classify: ({ status, body }) => failure('upstream_error', { message: body, upstreamStatus: status }),
    mayDrain: () => false,
    now: () => Date.now(),
    monotonic: () => performance.now(),
  }).then(result => ({ ...result, isAborted }));
}

describe('an answer that is not streamed', () => {
  test('and is an error is one whatever becomes of its body: the connection breaks', async () => {
    const { failure: reason } = await answered(handler => {
      handler.onHead(500, {});
      handler.onData(Buffer.from('half of'));
      handler.onError({ kind: 'reset', code: 'ECONNRESET' });
    });
    assert.deepEqual([reason?.class, reason?.upstreamStatus, reason?.message], ['upstream_error', 500, 'half of']);
  });

  test('and is an error is waited for no longer than its words are worth', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const answer = answered(handler => {
      handler.onHead(500, {});
      handler.onData(Buffer.from('half of'));
    });
    await new Promise(setImmediate);
    const clock = t.mock.method(performance, 'now', () => Number.MAX_SAFE_INTEGER);
    t.mock.timers.tick(2_000);
    clock.mock.restore();
    const { failure: reason, isAborted } = await answer;
    assert.deepEqual([reason?.class, reason?.message, isAborted], ['upstream_error', 'half of', true]);
  });

  test('and is refused costs what its provider says', async () => {
    const { kind, usage } = await answered(
      handler => {
        handler.onHead(200, {});
        handler.onEnd();
      },
      () => ({ ...refuse('upstream_empty_answer'), usage: { ...noUsage, inputUncached: tokens(9) } }),
    );
    assert.deepEqual([kind, usage?.inputUncached], ['refused', 9]);
  });
});

const wires: readonly (readonly [Wire, ScriptedStream])[] = [
  ['openai', openaiStream],
  ['anthropic', anthropicStream],
];
const played = (wire: Wire, ...pieces: readonly string[]) =>
  deliver(relayBetween(frontends[0]!, wire), { chunks: pieces.map(piece => Buffer.from(piece)) });

for (const [wire, { opening, content, ending }] of wires)
  describe(`a stream of ${wire}`, () => {
    test('that is whole has its usage, and nothing is left to count', async () => {
      const { result } = await played(wire, opening, content('One'), ending);
      assert.deepEqual([result.usage?.inputUncached, result.usage?.output, result.streamed], [9, 3, undefined]);
    });

    test('that is cut can be counted from its beginning, whatever usage was told before', async () => {
      const { result } = await played(wire, opening, content('One'), content(' two'));
      assert.equal(result.kind, 'broken');
      assert.equal(answerText(result.streamed!.sample.toString()), 'One two');
      assert.equal(result.streamed!.bytes, (opening + content('One') + content(' two')).length);
    });

    test('that is cut keeps no more of it than 16 KiB, and knows how long it was', async () => {
      const { result } = await played(wire, opening, content('x'.repeat(1000)), content('y'.repeat(100_000)));
      assert.ok(result.streamed!.sample.length === 16 * 1024);
      assert.ok(result.streamed!.bytes > 101_000);
    });

    test('that fails before its first token has nothing to count', async () => {
      const { result } = await played(wire, opening);
      assert.deepEqual([result.kind, result.streamed], ['refused', undefined]);
    });
  });
