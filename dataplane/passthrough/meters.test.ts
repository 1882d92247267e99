import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { promptTokens } from '#core/chat/usage.ts';
import { type Asked, meterOf } from './meters.ts';

const asked = (body: Asked['body'], more: Partial<Asked> = {}): Asked => ({ body, bytes: 1000, files: 0, ...more });

describe('what a reply says it used', () => {
  test('images: tokens where it tells them, else the pictures', () => {
    const { usageIn } = meterOf('images');
    const told = usageIn(
      { usage: { input_tokens: 50, output_tokens: 4160, input_tokens_details: { text_tokens: 10, image_tokens: 40 } } },
      asked({}),
    );
    assert.deepEqual([told!.inputUncached, told!.output, told!.audioOutput, told!.units], [50, 4160, 4160, undefined]);
    const worded = usageIn(
      { usage: { output_tokens: 4200, output_tokens_details: { image_tokens: 4160, text_tokens: 40 } } },
      asked({}),
    );
    assert.deepEqual([worded!.output, worded!.audioOutput], [4200, 4160]);
    assert.equal(usageIn({ data: [{}, {}] }, asked({ n: 2 }))!.units, 2);
    assert.equal(usageIn({ type: 'image_generation.partial_image' }, asked({})), undefined);
  });

  test('audio: seconds, or tokens of audio and of text; rounded up, and never below nothing', () => {
    const { usageIn } = meterOf('transcription');
    assert.equal(usageIn({ usage: { type: 'duration', seconds: 3.2 } }, asked({}))!.units, 4);
    assert.equal(usageIn({ duration: 8.5 }, asked({}))!.units, 9);
    const told = usageIn(
      {
        usage: { type: 'tokens', input_tokens: 14, input_token_details: { text_tokens: 4, audio_tokens: 10 }, output_tokens: 45 },
      },
      asked({}),
    )!;
    assert.deepEqual([told.inputUncached, told.audioInput, told.output], [14, 10, 45]);
    assert.equal(usageIn({ text: 'no usage' }, asked({})), undefined);
    assert.deepEqual(promptTokens(usageIn({ usage: { input_tokens: -5, output_tokens: 'x' } }, asked({}))!), 0);
  });

  test('realtime: cached audio is paid as cached, and what is spoken as audio', () => {
    const usage = {
      input_tokens: 132,
      output_tokens: 121,
      input_token_details: {
        text_tokens: 119,
        audio_tokens: 13,
        cached_tokens: 64,
        cached_tokens_details: { text_tokens: 60, audio_tokens: 4 },
      },
      output_token_details: { text_tokens: 30, audio_tokens: 91 },
    };
    const told = meterOf('realtime').usageIn({ usage }, asked({}))!;
    assert.deepEqual([told.inputUncached, told.cacheRead, told.audioInput, told.output, told.audioOutput], [68, 64, 9, 121, 91]);
  });
});

describe('what a request may use', () => {
  test('is not known where readers could differ about how many pictures it asks for', () => {
    const { unclear, bound } = meterOf('images');
    const units = (n: unknown) => (unclear!(asked({ n })) ? unclear!(asked({ n }))!.param : bound(asked({ n })).units);
    for (const [n, wanted] of [
      [undefined, 1],
      [null, 1],
      [3, 3],
      ['10', 10],
    ] as const)
      assert.equal(units(n), wanted, String(n));
    for (const n of [0, -1, 1.5, 101, 1e9, true, [10], ['1', '10'], {}, '', ' 10', '010', '0x10', '1e2', '١٠', '10.0'])
      assert.equal(units(n), 'n', JSON.stringify(n));
  });

  test('is that of all texts of one name', () => {
    const { bound } = meterOf('images');
    assert.ok(bound(asked({ prompt: ['a', 'b'.repeat(1000)] })).bytes >= 1001);
  });

  test('is more than what it is told or estimated to use', () => {
    const cases = [
      ['images', asked({ prompt: 'a cat', n: 3 }), { usage: { input_tokens: 12, output_tokens: 3 * 6240 } }],
      ['speech', asked({ input: 'Hello there.' }, { bytes: 100 }), undefined],
      ['transcription', asked({}, { bytes: 100_000 }), { usage: { type: 'duration', seconds: 50 } }],
    ] as const;
    for (const [name, of, reply] of cases) {
      const meter = meterOf(name);
      const { bytes, units = 0, output } = meter.bound(of);
      for (const used of [meter.estimate(of), ...(reply ? [meter.usageIn(reply, of)!] : [])]) {
        assert.ok(promptTokens(used) <= bytes, name);
        assert.ok(used.output <= output.maxTokens! * output.choices, name);
        assert.ok((used.units ?? 0) <= units, name);
      }
    }
  });
});
