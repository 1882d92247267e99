// Every recorded stream of a conversation, whatever its wire, as the provider wrote it. Empty where the recordings are not beside the project.
import { EventStreamCodec } from '@smithy/core/event-streams';
import { anthropic } from '#dataplane/providers/anthropic/index.ts';
import { converse } from '#dataplane/providers/bedrock/converse.ts';
import { generateContent } from '#dataplane/providers/gemini/index.ts';
import { compatibleProfile, openAIDialect, responsesWire } from '#dataplane/providers/openai/index.ts';
import type { Provider } from '#dataplane/providers/provider.ts';
import {
  asData,
  asEvent,
  asGoogleData,
  exchangesIn,
  files,
  payloadsIn,
  type RecordedText,
  rawAnswersIn,
  streamsIn,
} from './recordings.ts';

type Wire = Pick<Provider, 'dialect' | 'streamDecoder' | 'framing'>;

export type Recording = { readonly name: string; readonly wire: Wire; readonly bytes: Buffer };

const responses: Wire = responsesWire(compatibleProfile, 'other', () => ({ origin: '', path: '', headers: {} }));

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

/** The AI SDK kept the events of AWS's frames, `{"<type>": {…}}`: a frame of one of them. */
export function asAwsFrame(payload: string): Buffer {
  const [[type, event]] = Object.entries(JSON.parse(payload)) as [[string, unknown]];
  return eventFrame('event', type, event);
}

const over =
  (wire: Wire) =>
  ({ name, body }: RecordedText): Recording => ({ name, wire, bytes: Buffer.from(body) });

function wireOf(uri: string, text: string): Wire | undefined {
  if (text.includes('"chat.completion.chunk"')) return openAIDialect;
  if (text.includes('"response.created"')) return responses;
  if (/^event: ?message_start/.test(text)) return anthropic;
  return uri.includes(':streamGenerateContent') ? generateContent : undefined;
}

const recordedCalls = (): Recording[] =>
  exchangesIn('pydantic-ai/*/*.yaml').flatMap(({ name, uri, text, bytes }): Recording[] => {
    if (bytes && uri.includes('bedrock-runtime') && uri.endsWith('converse-stream'))
      return [{ name, wire: converse as Wire, bytes }];
    const wire = text === undefined ? undefined : wireOf(uri, text);
    return wire ? [over(wire)({ name, body: text! })] : [];
  });

const chats = 'ai-sdk/{openai/chat,azure,groq,mistral,deepseek,openai-compatible}/**/*.chunks.txt';

export const everyRecording = (): readonly Recording[] => [
  ...streamsIn(chats, asData, asData('[DONE]'))
    .filter(({ body }) => body.includes('"chat.completion.chunk"'))
    .map(over(openAIDialect)),
  ...streamsIn('ai-sdk/{openai/responses,azure}/*.chunks.txt', asEvent)
    .filter(({ body }) => body.includes('"response.created"'))
    .map(over(responses)),
  ...streamsIn('ai-sdk/anthropic/*.chunks.txt', asEvent).map(over(anthropic as Wire)),
  ...streamsIn('ai-sdk/google/*.chunks.txt', asGoogleData).map(over(generateContent as Wire)),
  ...files('ai-sdk/amazon-bedrock/*.chunks.txt').map(name => ({
    name,
    wire: converse as Wire,
    bytes: Buffer.concat(payloadsIn(name).map(asAwsFrame)),
  })),
  ...recordedCalls(),
  ...rawAnswersIn('vllm/chat-stream*.http').map(over(openAIDialect)),
];
