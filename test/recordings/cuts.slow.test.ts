// What real providers have streamed over OpenAI's chat wire and Anthropic's, cut short: no client, of the same dialect or the other, takes a part
// for the whole.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliver } from '#test/support/attempts.ts';
import { assertTruthful, cutsOf } from '#test/support/cuts.ts';
import { recordedStreams } from '#test/support/recorded-streams.ts';
import { shortened, withoutRecordings } from '#test/support/recordings.ts';
import { frontends, relayBetween } from '#test/support/relays.ts';

describe('a recorded stream that is cut', { skip: withoutRecordings }, () => {
  test('is there', () => assert.ok(recordedStreams.length >= 15, `${recordedStreams.length} streams`));

  for (const { name, wire, body } of recordedStreams)
    for (const frontend of frontends)
      test(`${name} for ${frontend.dialect} never looks whole unless it is`, async () => {
        for (const sent of cutsOf(Buffer.from(shortened(body)), 120))
          assertTruthful(wire, frontend, sent, await deliver(relayBetween(frontend, wire), { chunks: [sent] }));
      });
});
