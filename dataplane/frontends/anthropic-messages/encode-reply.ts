// A neutral reply as a `message`.
import { anthropicCitation } from '#core/chat/citations/anthropic.ts';
import type { Citation } from '#core/chat/citations/citation.ts';
import { segmentsOf } from '#core/chat/citations/segments.ts';
import { portableToolId, UNSIGNED } from '#core/chat/foreign.ts';
import type { ChatReply, Finish, FinishReason } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import type { EncodedReply, ReplyContext } from '../frontend.ts';
import { toolInput } from '../tool-input.ts';

type Block = Readonly<Record<string, unknown>>;

export function encodeReply(reply: ChatReply, context: ReplyContext): EncodedReply {
  const kinds = new Set(reply.parts.map(part => part.kind));
  const message = {
    ...emptyMessage(reply.id, reply.model, context),
    content: reply.parts.flatMap(blocksOf),
    ...stopOf(reply.finish, kinds),
    usage: usageOf(reply.usage ?? noUsage),
  };
  return { body: JSON.stringify(message) };
}

/** What a message has before anything was said; also `message_start`'s. Fields as in `Message` of the SDK. */
export function emptyMessage(id: string, model: string, { requestId }: ReplyContext): Block {
  return {
    id: messageId(id || requestId),
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
  };
}

/** Clients know messages by this prefix, and other providers' ids have theirs (`chatcmpl-`). */
const messageId = (id: string): string => (id.startsWith('msg_') ? id : `msg_${id.replace(/[^a-zA-Z0-9]/g, '')}`);

/** An empty text would come back in the next turn, where Anthropic refuses it. */
function blocksOf(part: AssistantPart): readonly Block[] {
  switch (part.kind) {
    case 'text':
      return part.text === '' ? [] : textBlocks(part.text, part.citations ?? []);
    case 'refusal':
      return part.text === '' ? [] : [{ ...emptyText(), text: part.text }];
    case 'thinking':
      return part.text === '' && !part.signature
        ? []
        : [{ type: 'thinking', thinking: part.text, signature: part.signature ?? UNSIGNED }];
    case 'redacted-thinking':
      return [redactedThinking(part.data)];
    case 'tool-call':
      return [{ ...emptyToolUse(part.id, part.name), input: toolInput(part.arguments) }];
  }
}

function textBlocks(text: string, citations: readonly Citation[]): readonly Block[] {
  const said = citations.flatMap(citation => {
    const wire = anthropicCitation(citation);
    return wire ? [{ citation, wire }] : [];
  });
  const wires = new Map(said.map(({ citation, wire }) => [citation, wire]));
  return segmentsOf(text, [...wires.keys()]).map(segment => ({
    ...emptyText(),
    text: segment.text,
    ...(segment.citations.length > 0 && { citations: segment.citations.map(citation => wires.get(citation)) }),
  }));
}

export const emptyText = (): Block => ({ type: 'text', text: '', citations: null });
export const redactedThinking = (data: string): Block => ({ type: 'redacted_thinking', data });
export const emptyToolUse = (id: string, name: string): Block => ({ type: 'tool_use', id: portableToolId(id), name, input: {} });

const stopReasons = {
  stop: 'end_turn',
  'stop-sequence': 'stop_sequence',
  length: 'max_tokens',
  'context-length': 'model_context_window_exceeded',
  'tool-calls': 'tool_use',
  'content-filter': 'refusal',
  refusal: 'refusal',
  pause: 'pause_turn',
} as const satisfies Record<FinishReason, string>;

/** Clients run tools only at `tool_use` and see a refusal only at `refusal`; other dialects end both with a plain stop. */
export function stopOf({ reason, stopSequence }: Finish, kinds: ReadonlySet<AssistantPart['kind']>): Block {
  const plain = reason === 'stop';
  const stop_reason =
    plain && kinds.has('refusal') ? 'refusal' : plain && kinds.has('tool-call') ? 'tool_use' : stopReasons[reason];
  return {
    stop_reason,
    stop_sequence: stopSequence ?? null,
    stop_details: stop_reason === 'refusal' ? { type: 'refusal', category: null, explanation: null } : null,
  };
}

/** Fields as in `Usage` of the SDK; those that only Anthropic could fill are left to be absent. */
export function usageOf(usage: Usage): Block {
  return {
    input_tokens: usage.inputUncached,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite5m, ephemeral_1h_input_tokens: usage.cacheWrite1h },
    output_tokens: usage.output,
    output_tokens_details: { thinking_tokens: usage.reasoning },
  };
}
