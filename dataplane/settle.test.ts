// The usage that an attempt is settled with: the provider's last word, or, where that never came, a count of what was streamed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { failure } from '#core/failure.ts';
import { millis, nanoUsd } from '#core/units.ts';
import { deliver } from '#test/support/attempts.ts';
import { frontends, relayBetween, type Wire } from '#test/support/relays.ts';
import { anthropicStream, openaiStream, type ScriptedStream } from '#test/support/wires.ts';
import type { AttemptResult } from './attempt.ts';
import { anthropic } from './providers/anthropic/index.ts';
import { openAI } from './providers/openai/index.ts';
import { type Begun, openRow, settledRow } from './settle.ts';

/** A token a word, so that the test can count as well. */
const words = async (text: string): Promise<number> => text.split(/\s+/).filter(word => word !== '').length;

async function settled(wire: Wire, chunks: readonly string[]): Promise<CostRecord> {
  const { result } = await deliver(relayBetween(frontends[0]!, wire), { chunks: chunks.map(chunk => Buffer.from(chunk)) });
  const frontend = { ...frontends[0]!, decode: () => ({ ok: false, failure: failure('invalid_request') }) };
  const begun = {
    exchange: { id: 'r-1', frontend },
    call: {
      body: { bytes: Buffer.from('four words were asked') },
      key: { entry: { tenant: 't', id: 'k', tags: {} } },
      envelope: { controls: {}, model: 'm', stream: true },
      plan: {},
      tags: {},
    },
    candidate: { provider: { id: 'p' }, model: { name: 'm', upstreamName: 'm' } },
    chat: wire === 'openai' ? openAI : anthropic,
  } as unknown as Begun;
  return settledRow(begun, openRow(begun, nanoUsd(0)), result, undefined, words);
}

const wires: readonly (readonly [Wire, ScriptedStream, input: number])[] = [
  ['openai', openaiStream, 4],
  // message_start has told it.
  ['anthropic', anthropicStream, 9],
];

for (const [wire, { opening, content, ending }, input] of wires)
  describe(`a stream of ${wire}`, () => {
    test('that is whole is settled with what the provider counted', async () => {
      const { usage, estimated } = await settled(wire, [opening, content('one two'), ending]);
      assert.deepEqual([usage.inputUncached, usage.output, estimated], [9, 3, false]);
    });

    test('that was cut is settled with the words that came, however they came, and marked as estimated', async () => {
      const said = content('one two three four ').repeat(5);
      for (const chunks of [[opening, said], [opening + said]]) {
        const { usage, estimated } = await settled(wire, chunks);
        assert.deepEqual([usage.inputUncached, usage.output, estimated], [input, 20, true]);
      }
    });

    test('that was cut inside one huge frame counts by its size', async () => {
      const { usage } = await settled(wire, [opening, content('x'.repeat(80_000))]);
      assert.ok(usage.output > 10_000 && usage.output < 11_000, String(usage.output));
    });
  });

describe('an answer that its client did not wait for', () => {
  const unseen = async (stream: boolean, duration: number, maxOutputTokens?: number) => {
    const frontend = { ...frontends[0]!, decode: () => ({ ok: true, value: { messages: [], tools: [], maxOutputTokens } }) };
    const begun = {
      exchange: { id: 'r-1', frontend, action: 'generate' },
      call: {
        body: { bytes: Buffer.from('') },
        key: { entry: { tenant: 't', id: 'k', tags: {} } },
        envelope: { controls: {}, model: 'm', stream },
        plan: {},
        tags: {},
      },
      candidate: { provider: { id: 'p' }, model: { name: 'm', upstreamName: 'm', maxOutputTokens: 600 } },
      chat: openAI,
    } as unknown as Begun;
    const left = { kind: 'abandoned', upstreamStatus: 0, duration: millis(duration) } as unknown as AttemptResult;
    return settledRow(begun, openRow(begun, nanoUsd(0)), left, undefined, words);
  };

  test('costs what a model writes in that time, as much as the request allowed, and is marked as estimated', async () => {
    for (const [duration, asked, output] of [
      [3000, 1000, 300],
      [3000, 40, 40],
      [9000, undefined, 600],
      [0, 40, 0],
    ] as const) {
      const { usage, estimated } = await unseen(false, duration, asked);
      assert.deepEqual([usage.output, estimated], [output, true]);
    }
  });
  test('costs its input where it would have been a stream: that shows when a model begins', async () => {
    assert.equal((await unseen(true, 3000, 1000)).usage.output, 0);
  });
});
