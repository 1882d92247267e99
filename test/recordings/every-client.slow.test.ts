// Every recorded stream, split at every byte, for clients of every dialect: their official SDKs read the same content. And the same with what
// networks and proxies add, or with an error in its middle. The recordings stand beside the project.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fold } from '#core/chat/fold.ts';
import { anthropicMessages } from '#dataplane/frontends/anthropic-messages/index.ts';
import { bedrockConverse, eventStream } from '#dataplane/frontends/bedrock-converse/index.ts';
import type { Frontend } from '#dataplane/frontends/frontend.ts';
import { gemini } from '#dataplane/frontends/gemini/index.ts';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { openAICompletions } from '#dataplane/frontends/openai-completions/index.ts';
import { openAIResponses } from '#dataplane/frontends/openai-responses/index.ts';
import { messagesOf } from '#dataplane/http/sse.ts';
import { encodedFor, eventsIn, oneByOne } from '#test/support/decoding.ts';
import { eventFrame, everyRecording, type Recording } from '#test/support/every-recording.ts';
import { meant, type Read, readAWS, readCompletions, readGoogle, readStream } from '#test/support/read-by-sdk.ts';
import { withoutRecordings } from '#test/support/recordings.ts';

type Client = {
  readonly frontend: Frontend;
  read(sse: string): Promise<Read>;
  /** What of an answer the dialect can say. */
  told?(answer: Read): Read;
};

/** Without a word for refusals they are text. */
const asText = (answer: Read): Read => ({ ...answer, text: answer.text + answer.refusal, refusal: '' });

const clients: readonly Client[] = [
  ...[openAIChat, openAIResponses, anthropicMessages].map(frontend => ({
    frontend,
    read: (sse: string) => readStream(frontend.dialect, sse),
  })),
  { frontend: gemini({ model: 'm', stream: true }), read: readGoogle, told: asText },
  {
    frontend: bedrockConverse({ model: 'm', stream: true }),
    read: sse => readAWS(eventStream(messagesOf).frames(sse) as Buffer),
    told: asText,
  },
  { frontend: openAICompletions, read: readCompletions, told: answer => ({ ...asText(answer), calls: [], addresses: [] }) },
];

const recordings = everyRecording();
const isBinary = ({ wire }: Recording): boolean => wire.framing !== undefined;

describe('every recorded stream', { skip: withoutRecordings }, () => {
  test('is here, of every kind', () => {
    for (const who of [
      'openai/responses',
      'google',
      'bedrock',
      'groq',
      'mistral',
      'deepseek',
      'openrouter',
      'anthropic',
      'azure',
      'vllm',
    ])
      assert.ok(
        recordings.some(({ name }) => name.includes(who)),
        who,
      );
    assert.ok(recordings.length >= 80, `${recordings.length} streams`);
    const citing = recordings.filter(({ wire, bytes }) => eventsIn(wire, [bytes]).some(({ kind }) => kind === 'citation'));
    assert.deepEqual(
      new Set(citing.map(({ wire }) => wire.dialect)),
      new Set(['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']),
      citing.map(({ name }) => name).join(),
    );
  });

  for (const recording of recordings) {
    const { name, wire, bytes } = recording;
    const events = eventsIn(wire, [bytes]);
    const answer = fold(events);

    test(`${name} means the same however the network splits it`, () => assert.deepEqual(eventsIn(wire, oneByOne(bytes)), events));

    for (const { frontend, read, told = (one: Read) => one } of clients)
      test(`${name} says the same to the SDK of ${frontend.dialect}`, async () => {
        const sent = encodedFor(frontend, events);
        if (answer.failure) return assert.rejects(read(sent));
        const { outputTokens, ...content } = await read(sent);
        const { outputTokens: known, ...meaning } = told(meant(answer.reply));
        assert.deepEqual(content, meaning);
        // Some dialects have to say a number where none is known.
        if (known !== undefined) assert.equal(outputTokens, known);
      });

    if (isBinary(recording) || answer.failure) continue;
    test(`${name} means the same with other line ends, comments and a line of 100 kB`, () => {
      const lines = bytes.toString().replaceAll('\r\n', '\n');
      const long = lines.replace(/\}\n/, `,"padding":"${'x'.repeat(100_000)}"}\n`);
      const noisy = long.replaceAll(/\n\n(?!$)/g, '\n\n: PROCESSING\n\n').replaceAll('\n', '\r\n');
      assert.ok(noisy.length > bytes.length + 100_000);
      assert.deepEqual(eventsIn(wire, [Buffer.from(noisy)]), events);
    });
  }
});

const errors: Readonly<Record<string, Buffer | string>> = {
  'openai-chat': 'data: {"error":{"message":"The engine is overloaded","type":"server_error","code":503}}\n\n',
  'openai-responses':
    'event: error\ndata: {"type":"error","sequence_number":9,"error":{"type":"server_error","code":"server_error","message":"no"}}\n\n',
  'anthropic-messages': 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
  gemini: 'data: {"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}\r\n\r\n',
  'bedrock-converse': eventFrame('exception', 'modelStreamErrorException', { message: 'no' }),
};

function framesOf({ bytes, wire }: Recording): Buffer[] {
  if (!wire.framing)
    return bytes
      .toString()
      .split(/(?<=\n\r?\n)/)
      .map(frame => Buffer.from(frame));
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += frames.at(-1)!.length) frames.push(bytes.subarray(at, at + bytes.readUInt32BE(at)));
  return frames;
}

describe('an error in the middle of a recorded stream', { skip: withoutRecordings }, () => {
  for (const recording of recordings)
    for (const { frontend, read } of clients)
      test(`${recording.name} is thrown by the SDK of ${frontend.dialect}`, async () => {
        const { wire } = recording;
        const frames = framesOf(recording);
        const broken = frames.toSpliced(Math.ceil(frames.length / 3), 0, Buffer.from(errors[wire.dialect]!));
        const events = eventsIn(wire, broken);
        assert.ok(fold(events).failure && !fold(events).complete);
        await assert.rejects(read(encodedFor(frontend, events)));
      });
});
