// A neutral reply as the answer of Converse. Nothing that Bedrock itself would not send: what the client gets comes back to us in the next turn.
import type { Citation } from '#core/chat/citations/citation.ts';
import { converseCitation } from '#core/chat/citations/converse.ts';
import { segmentsOf } from '#core/chat/citations/segments.ts';
import { portableToolId, UNSIGNED } from '#core/chat/foreign.ts';
import type { ChatReply, Finish, FinishReason } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { promptTokens, type Usage } from '#core/chat/usage.ts';
import type { EncodedReply } from '../frontend.ts';
import { toolInput } from '../tool-input.ts';

export type Json = Readonly<Record<string, unknown>>;

export function encodeReply({ parts, finish, usage }: ChatReply): EncodedReply {
  const body = {
    output: { message: { role: 'assistant', content: parts.flatMap(blocksOf) } },
    stopReason: stopReasonOf(finish, new Set(parts.map(({ kind }) => kind))),
    ...(usage && { usage: usageOf(usage) }),
  };
  return { body: JSON.stringify(body) };
}

/** A part without content is none. */
function blocksOf(part: AssistantPart): readonly Json[] {
  switch (part.kind) {
    case 'text':
      return part.text === '' ? [] : textBlocks(part.text, part.citations ?? []);
    case 'refusal':
      return part.text === '' ? [] : [{ text: part.text }];
    case 'thinking':
      return part.text === '' && !part.signature
        ? []
        : [{ reasoningContent: { reasoningText: { text: part.text, signature: part.signature ?? UNSIGNED } } }];
    case 'redacted-thinking':
      return [{ reasoningContent: { redactedContent: sealed(part.data) } }];
    case 'tool-call':
      return [{ toolUse: { ...toolStart(part.id, part.name), input: toolInput(part.arguments) } }];
  }
}

const textBlocks = (text: string, citations: readonly Citation[]): readonly Json[] =>
  segmentsOf(text, citations).map(({ text, citations }) =>
    citations.length === 0 ? { text } : { citationsContent: { content: [{ text }], citations: citations.map(converseCitation) } },
  );

/** Bytes are base64 in this dialect, so a text that is base64 already is so twice. */
export const sealed = (data: string): string => Buffer.from(data, 'latin1').toString('base64');

export const toolStart = (id: string, name: string): Json => ({ toolUseId: portableToolId(id), name });

const stopReasons = {
  stop: 'end_turn',
  'stop-sequence': 'stop_sequence',
  length: 'max_tokens',
  'context-length': 'model_context_window_exceeded',
  'tool-calls': 'tool_use',
  'content-filter': 'content_filtered',
  refusal: 'content_filtered',
  pause: 'end_turn',
} as const satisfies Record<FinishReason, string>;

/** Clients run tools only at `tool_use`; other dialects end with a plain stop. */
export const stopReasonOf = ({ reason }: Finish, kinds: ReadonlySet<AssistantPart['kind']>): string =>
  reason === 'stop' && kinds.has('tool-call') ? 'tool_use' : stopReasons[reason];

export function usageOf(usage: Usage): Json {
  const { inputUncached, cacheRead, cacheWrite5m, cacheWrite1h, output } = usage;
  const written = [
    { ttl: '1h', inputTokens: cacheWrite1h },
    { ttl: '5m', inputTokens: cacheWrite5m },
  ].filter(({ inputTokens }) => inputTokens > 0);
  return {
    inputTokens: inputUncached,
    outputTokens: output,
    totalTokens: promptTokens(usage) + output,
    cacheReadInputTokens: cacheRead,
    cacheWriteInputTokens: cacheWrite5m + cacheWrite1h,
    ...(written.length > 0 && { cacheDetails: written }),
  };
}
