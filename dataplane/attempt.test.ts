// What an attempt tells about a stream besides delivering it: the usage, and what to count tokens in where that was not told to the end.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliver } from '#test/support/attempts.ts';
import { frontends, relayBetween, type Wire } from '#test/support/relays.ts';
import { answerText } from '#test/support/sse.ts';
import { anthropicStream, openaiStream, type ScriptedStream } from '#test/support/wires.ts';

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
