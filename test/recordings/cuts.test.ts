// What real providers have streamed, cut short: no client, of the same dialect or the other, takes a part for the whole.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { deliver } from '#test/support/attempts.ts';
import { assertTruthful, cutsOf } from '#test/support/cuts.ts';
import { frontends, relayBetween, type Wire } from '#test/support/relays.ts';

const root = path.join(import.meta.dirname, '../../../shared/recordings');
const skip = !existsSync(root) && 'the recordings (../shared/recordings) are not here';
const files = (pattern: string): string[] => (skip ? [] : globSync(pattern, { cwd: root }).sort());
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** `*.chunks.txt` has the payloads of the `data:` lines, one a line. */
const payloadsIn = (file: string): string[] =>
  textOf(file)
    .split('\n')
    .filter(line => line.trim() !== '');

type Recording = { readonly name: string; readonly wire: Wire; readonly body: string };

const recordings: readonly Recording[] = [
  ...files('ai-sdk/{openai/chat,azure,groq,mistral,deepseek,openai-compatible}/**/*.chunks.txt').map(name => ({
    name,
    wire: 'openai' as const,
    body: `${payloadsIn(name)
      .map(line => `data: ${line}\n\n`)
      .join('')}data: [DONE]\n\n`,
  })),
  ...files('ai-sdk/anthropic/*.chunks.txt')
    .filter(name => !name.includes('spliced'))
    .map(name => ({
      name,
      wire: 'anthropic' as const,
      body: payloadsIn(name)
        .map(line => `event: ${JSON.parse(line).type}\ndata: ${line}\n\n`)
        .join(''),
    })),
  ...files('vllm/chat-stream*.http').map(name => ({
    name,
    wire: 'openai' as const,
    body: textOf(name).split('\r\n\r\n').slice(1).join('\r\n\r\n'),
  })),
].filter(({ wire, body }) => wire === 'anthropic' || body.includes('"chat.completion.chunk"'));

/** The two ends of a long stream, where all that is not plain content stands. */
function shortened(body: string): Buffer {
  const frames = body.split(/(?<=\n\r?\n)/);
  return Buffer.from(frames.length <= 24 ? body : [...frames.slice(0, 12), ...frames.slice(-12)].join(''));
}

describe('a recorded stream that is cut', { skip }, () => {
  test('is there', () => assert.ok(recordings.length >= 15, `${recordings.length} streams`));

  for (const { name, wire, body } of recordings)
    for (const frontend of frontends)
      test(`${name} for ${frontend.dialect} never looks whole unless it is`, async () => {
        for (const sent of cutsOf(shortened(body), 120))
          assertTruthful(wire, frontend, sent, await deliver(relayBetween(frontend, wire), { chunks: [sent] }));
      });
});
