// What reaches the client of a stream, whatever the upstream's bytes and wherever the network cuts them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openAIChat } from '#dataplane/frontends/openai-chat/index.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { deliver } from '#test/support/attempts.ts';
import { assertTruthful, cutsOf } from '#test/support/cuts.ts';
import { frontends, relayBetween } from '#test/support/relays.ts';
import { anthropicStream, openaiStream, wholeStream } from '#test/support/wires.ts';
import { translateRelay } from './translate.ts';

const openai = wholeStream(openaiStream, 'Grüße', ' "finish_reason": "stop"', ' \u{1f600} [DONE]');
const anthropic = wholeStream(anthropicStream, 'Grüße', ' "type":"message_stop"', ' \u{1f600}');

function splitAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = [...new Set(cuts.map(cut => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...points].map((from, i) => bytes.subarray(from, points[i] ?? bytes.length));
}

describe('a stream of the same dialect', () => {
  const same = [
    [frontends[0]!, 'openai', openai],
    [frontends[1]!, 'anthropic', anthropic],
  ] as const;
  const ending = fc.constantFrom('\n', '\r\n', '\r');
  const comment = fc.constantFrom('', ': ping\n\n', ':\n\n');

  for (const [frontend, wire, body] of same)
    test(`of ${frontend.dialect} reaches the client as its very bytes, however it is cut, but for comments and the byte order mark`, async () => {
      await fc.assert(
        fc.asyncProperty(ending, comment, fc.boolean(), fc.array(fc.nat()), async (line, said, marked, cuts) => {
          const plain = body.replaceAll('\n', line);
          const sent = (marked ? '\ufeff' : '') + body.replaceAll('\n\n', `\n\n${said}`).replaceAll('\n', line);
          const { text, isEnded } = await deliver(relayBetween(frontend, wire), { chunks: splitAt(Buffer.from(sent), cuts) });
          assert.equal(text.replaceAll(said.replaceAll('\n', line) || '\0', ''), plain);
          assert.ok(isEnded);
        }),
      );
    });

  test('at every byte', async () => {
    for (const line of ['\n', '\r\n', '\r'])
      for (const [frontend, wire, body] of same) {
        const bytes = Buffer.from(body.replaceAll('\n', line));
        for (let at = 0; at < bytes.length; at++) {
          const { text } = await deliver(relayBetween(frontend, wire), { chunks: [bytes.subarray(0, at), bytes.subarray(at)] });
          assert.equal(text, bytes.toString(), `cut at ${at}`);
        }
      }
  });

  test('lacks the usage chunk that the client did not ask for, and nothing else', async () => {
    const usageChunk = openai.split('\n\n').find(frame => frame.includes('"usage":{'))!;
    await fc.assert(
      // Of a CR LF that is cut in two behind the usage chunk, the LF is left: one empty line more, which says nothing.
      fc.asyncProperty(fc.constantFrom('\n', '\r'), fc.array(fc.nat()), async (line, cuts) => {
        const chunks = splitAt(Buffer.from(openai.replaceAll('\n', line)), cuts);
        const { text } = await deliver(relayBetween(openAIChat, 'openai', { hideUsage: true }), { chunks });
        assert.equal(text, openai.replace(`${usageChunk}\n\n`, '').replaceAll('\n', line));
      }),
    );
  });
});

describe('a whole stream without its terminator', () => {
  for (const [wire, body] of [
    ['openai', openai],
    ['anthropic', anthropic],
  ] as const)
    for (const frontend of frontends)
      test(`(${wire} for ${frontend.dialect}) ends for the client as its dialect does`, async () => {
        const sent = body.replace(/data: \[DONE\]\n\n$|event: message_stop\n[^\n]*\n\n$/, '');
        assert.notEqual(sent, body);
        const textOf = async (bytes: string) =>
          (await deliver(relayBetween(frontend, wire), { chunks: [Buffer.from(bytes)] })).text;
        assert.equal(await textOf(sent), await textOf(body));
      });
});

describe('a stream whose every frame has a reason to end', () => {
  const frames = ['', 'all ', 'of it'].map((text, output) => {
    const parts = text === '' ? [] : [{ text }];
    const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: output };
    return `data: ${JSON.stringify({ candidates: [{ content: { parts }, finishReason: 'STOP' }], usageMetadata })}\r\n\r\n`;
  });
  for (const frontend of frontends)
    test(`reaches a client of ${frontend.dialect} as a whole`, async () => {
      const decoder = generateContent.streamDecoder();
      const encoder = frontend.streamEncoder({ requestId: 'r', createdSeconds: 0, includeUsage: true });
      const relay = translateRelay({ decoder, encoder, filteredIsFailure: false });
      const { text, isEnded, result } = await deliver(relay, { chunks: frames.map(frame => Buffer.from(frame)) });
      assert.ok(text.includes('"all "') && text.includes('"of it"') && isEnded, text);
      assert.equal(result.usage?.output, 2);
    });
});

describe('a stream that is cut at any byte', () => {
  for (const [wire, body] of [
    ['openai', openai],
    ['anthropic', anthropic],
  ] as const)
    for (const frontend of frontends)
      for (const end of ['end', 'reset'] as const)
        test(`(${wire} for ${frontend.dialect}, ${end}) never looks whole unless it is, and is whole once its finish was seen`, async () => {
          for (const sent of cutsOf(Buffer.from(body)))
            assertTruthful(wire, frontend, sent, await deliver(relayBetween(frontend, wire), { chunks: [sent], end }));
        });
});
