// Every recorded stream of a conversation, whatever its wire, as the provider wrote it. Empty where the recordings are not beside the project.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { parse } from 'yaml';
import type { ChatEvent } from '#core/chat/reply.ts';
import { messagesOf, SseBlocks } from '#dataplane/http/sse.ts';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { compatibleProfile, openAIDialect, responsesWire } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';

type Wire = Pick<Provider, 'dialect' | 'streamDecoder' | 'framing'>;

export type Recording = { readonly name: string; readonly wire: Wire; readonly bytes: Buffer };

const responses: Wire = responsesWire(compatibleProfile, 'other', () => ({ origin: '', path: '', headers: {} }));

const root = path.join(import.meta.dirname, '../../../shared/recordings');
const files = (pattern: string): string[] => (existsSync(root) ? globSync(pattern, { cwd: root }).sort() : []);
const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const codec = new EventStreamCodec(
  bytes => Buffer.from(bytes).toString(),
  text => Buffer.from(text),
);

/** A message of AWS's framing. */
export function eventFrame(kind: 'event' | 'exception', type: string, body: unknown): Buffer {
  const header = (value: string) => ({ type: 'string' as const, value });
  const headers = { ':message-type': header(kind), [`:${kind}-type`]: header(type) };
  return Buffer.from(codec.encode({ headers, body: Buffer.from(JSON.stringify(body)) }));
}

/** The AI SDK kept the payloads, one a line: their frames are put back. */
type Framing = (line: string) => Buffer | string;
const plain: Framing = line => `data: ${line}\n\n`;
const named: Framing = line => `event: ${JSON.parse(line).type}\ndata: ${line}\n\n`;
const google: Framing = line => `data: ${line}\r\n\r\n`;
const binary: Framing = line => {
  const [[type, event]] = Object.entries(JSON.parse(line)) as [[string, unknown]];
  return eventFrame('event', type, event);
};

const chunkFiles = (pattern: string, wire: Wire, frame: Framing, end = ''): Recording[] =>
  files(pattern).map(name => {
    const lines = textOf(name)
      .split('\n')
      .filter(line => line.trim() !== '');
    return { name, wire, bytes: Buffer.concat([...lines.map(line => Buffer.from(frame(line))), Buffer.from(end)]) };
  });

type Interaction = {
  readonly request?: { readonly uri: string };
  /** Absent in the gRPC cassettes of xAI. */
  readonly response?: { readonly body?: { readonly string?: unknown } };
};

function wireOf(uri: string, text: string): Wire | undefined {
  if (text.includes('"chat.completion.chunk"')) return openAIDialect;
  if (text.includes('"response.created"')) return responses;
  if (/^event: ?message_start/.test(text)) return anthropic;
  return uri.includes(':streamGenerateContent') ? generateContent : undefined;
}

const cassettes = (): Recording[] =>
  files('pydantic-ai/*/*.yaml').flatMap(file => {
    const { interactions = [] } = parse(textOf(file)) as { interactions?: Interaction[] };
    return interactions.flatMap(({ request, response }, i): Recording[] => {
      const body = response?.body?.string;
      const name = `${file} #${i}`;
      const uri = request?.uri ?? '';
      if (body instanceof Uint8Array) {
        const isStream = uri.includes('bedrock-runtime') && uri.endsWith('converse-stream');
        return isStream ? [{ name, wire: converse as Wire, bytes: Buffer.from(body) }] : [];
      }
      const wire = typeof body === 'string' ? wireOf(uri, body) : undefined;
      return wire ? [{ name, wire, bytes: Buffer.from(String(body)) }] : [];
    });
  });

const engines = (): Recording[] =>
  files('vllm/chat-stream*.http').map(name => ({
    name,
    wire: openAIDialect,
    bytes: Buffer.from(textOf(name).split('\r\n\r\n').slice(1).join('\r\n\r\n')),
  }));

export const everyRecording = (): readonly Recording[] => [
  ...[
    ...chunkFiles(
      'ai-sdk/{openai/chat,azure,groq,mistral,deepseek,openai-compatible}/**/*.chunks.txt',
      openAIDialect,
      plain,
      'data: [DONE]\n\n',
    ),
  ].filter(({ bytes }) => bytes.includes('"chat.completion.chunk"')),
  ...chunkFiles('ai-sdk/{openai/responses,azure}/*.chunks.txt', responses, named).filter(({ bytes }) =>
    bytes.includes('"response.created"'),
  ),
  ...chunkFiles('ai-sdk/anthropic/*.chunks.txt', anthropic as Wire, named),
  ...chunkFiles('ai-sdk/google/*.chunks.txt', generateContent as Wire, google),
  ...chunkFiles('ai-sdk/amazon-bedrock/*.chunks.txt', converse as Wire, binary),
  ...cassettes(),
  ...engines(),
];

/** The events of a stream that comes in these pieces. */
export function eventsOf({ framing, streamDecoder }: Wire, pieces: Iterable<Buffer>): ChatEvent[] {
  const reframer = framing?.reframer();
  const blocks = new SseBlocks(8 << 20);
  const decoder = streamDecoder();
  const events: ChatEvent[] = [];
  for (const piece of pieces) {
    const block = blocks.push(reframer ? reframer.push(piece) : piece);
    if (block === 'too-long') throw new Error('a frame is too long');
    if (block) for (const message of messagesOf(block)) events.push(...decoder.push(message));
  }
  return [...events, ...decoder.close()];
}
