// Recorded streams of the wires that test/support/relays.ts puts together with the dialects of clients.

import { asData, asEvent, type RecordedText, rawAnswersIn, streamsIn } from './recordings.ts';
import type { Wire } from './relays.ts';

export type RecordedStream = RecordedText & { readonly wire: Wire };

const over =
  (wire: Wire) =>
  (stream: RecordedText): RecordedStream => ({ ...stream, wire });

export const recordedStreams: readonly RecordedStream[] = [
  ...[
    ...streamsIn('ai-sdk/{openai/chat,azure,groq,mistral,deepseek,openai-compatible}/**/*.chunks.txt', asData, asData('[DONE]')),
    ...rawAnswersIn('vllm/chat-stream*.http'),
  ]
    .filter(({ body }) => body.includes('"chat.completion.chunk"'))
    .map(over('openai')),
  ...streamsIn('ai-sdk/anthropic/*.chunks.txt', asEvent)
    .filter(({ name }) => !name.includes('spliced'))
    .map(over('anthropic')),
];
