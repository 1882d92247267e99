import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { failure } from '#core/failure.ts';
import { parseRecord } from '#core/json/record.ts';
import { asksForResponse, errorEvent, eventOf, modelsAskedBy, toldBy } from './events.ts';

const audio = `{"type":"response.output_audio.delta","delta":"${'A'.repeat(3200)}"}`;

describe("a server's event", () => {
  const cases: readonly (readonly [text: string, told: ReturnType<typeof toldBy>])[] = [
    ['{"type":"response.created","response":{}}', { kind: 'began' }],
    ['{"event_id":"event_1","type":"response.created"}', { kind: 'began' }],
    [audio, { kind: 'output', tokens: audio.length / 3200 }],
    ['{"type":"response.output_text.delta","delta":"Hello"}', { kind: 'output', tokens: 53 / 4 }],
    ['{"type":"response.done","response":{"id":"resp_1","usage":null}}', { kind: 'ended', usage: undefined, id: 'resp_1' }],
    [
      '{"type":"session.updated","session":{"audio":{"input":{"transcription":{"model":"w"}}}}}',
      { kind: 'session', transcriber: 'w' },
    ],
    ['{"type":"session.created","session":{"input_audio_transcription":{"model":"w"}}}', { kind: 'session', transcriber: 'w' }],
    ['{"type":"error","error":{"code":"x","event_id":null}}', { kind: 'error', about: undefined }],
    ['{"type":"error","error":{"code":"x","event_id":"e_1"}}', { kind: 'error', about: 'e_1' }],
    ['{"type":"rate_limits.updated","rate_limits":[]}', { kind: 'other' }],
    ['no JSON', { kind: 'other' }],
    ['[]', { kind: 'other' }],
  ];
  for (const [text, told] of cases) test(text.slice(0, 80), () => assert.deepEqual(toldBy(text), told));

  test('that ends a response tells what it used', () => {
    const usage = { input_tokens: 10, output_tokens: 5, output_token_details: { audio_tokens: 4 } };
    const told = toldBy(JSON.stringify({ type: 'response.done', response: { id: 'r', usage } }));
    assert.ok(told.kind === 'ended' && told.usage);
    assert.deepEqual([told.usage.inputUncached, told.usage.output, told.usage.audioOutput], [10, 5, 4]);
  });
});

describe("a client's event", () => {
  test('asks for models wherever that stands, and whatever stands before it', () => {
    const text =
      '{"session":{"type":"realtime","model":"m","audio":{"input":{"transcription":{"model":"w"}}}},"type":"session.update"}';
    assert.deepEqual(modelsAskedBy(parseRecord(text)!), { session: 'm', transcribers: ['w'] });
    assert.deepEqual(modelsAskedBy(parseRecord('{"type":"response.create","session":{"model":"m"}}')!), { transcribers: [] });
    const both = { audio: { input: { transcription: { model: 'a' } } }, input_audio_transcription: { model: 'b' } };
    assert.deepEqual(modelsAskedBy({ type: 'session.update', session: both }).transcribers, ['a', 'b']);
  });
  test('is one that all who read it read alike', () => {
    const read = (text: string, isBinary = false) => eventOf(Buffer.from(text), isBinary);
    const event = read('{"response":{"type":"x"},"type":"response.create"}');
    assert.equal(event.ok && asksForResponse(event.value), true);
    for (const text of [
      '{"type":"input_audio_buffer.append","type":"response.create"}',
      '{"type":"response.create","x":NaN}',
      '{"type":"response.create",}',
      '[{"type":"response.create"}]',
      '\ufeff{"type":"response.create"}',
      '{"Type":"response.create"}',
      'no JSON',
    ])
      assert.equal(read(text).ok, false, text);
    assert.equal(read('{"type":"response.create"}', true).ok, false);
  });
});

test('an error is told as the API tells its own', () => {
  const { type, error } = JSON.parse(errorEvent(failure('budget_exceeded')));
  assert.deepEqual([type, error.code, error.message], ['error', 'budget_exceeded', 'The budget is spent.']);
});
