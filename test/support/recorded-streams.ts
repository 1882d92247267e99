// Streams of real providers, from the recordings beside the project. Empty where they are not there.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Wire } from './relays.ts';

const root = path.join(import.meta.dirname, '../../../shared/recordings');

/** For the `skip` of a test: why there are none, or false. */
export const withoutRecordings: string | false = !existsSync(root) && 'the recordings (../shared/recordings) are not here';

export type RecordedStream = { readonly name: string; readonly wire: Wire; readonly body: string };

const files = (pattern: string): string[] => (withoutRecordings ? [] : globSync(pattern, { cwd: root }).sort());
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** `*.chunks.txt` has the payloads of the `data:` lines, one a line. */
const payloadsIn = (file: string): string[] =>
  textOf(file)
    .split('\n')
    .filter(line => line.trim() !== '');

export const recordedStreams: readonly RecordedStream[] = [
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
export function shortened(body: string): string {
  const frames = body.split(/(?<=\n\r?\n)/);
  return frames.length <= 24 ? body : [...frames.slice(0, 12), ...frames.slice(-12)].join('');
}
