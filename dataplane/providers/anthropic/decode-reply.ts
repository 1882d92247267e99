// A whole answer of Anthropic's as the neutral reply, and the facts the same-dialect path needs of it.
import { readAnthropicCitation } from '#core/chat/citations/anthropic.ts';
import type { Citation } from '#core/chat/citations/citation.ts';
import type { ChatReply, Finish, FinishReason } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { ReplyFacts } from '../provider.ts';
import { countOf, entryOf, recordsOf, textOf } from '../wire.ts';
import { failureOfErrorObject } from './errors.ts';
import { ShownTools } from './tools.ts';
import { usageOf } from './usage.ts';

export function decodeReply(body: unknown): Parsed<ChatReply> {
  const message = messageOf(body);
  if (!message.ok) return message;
  const { content, usage, ...wire } = message.value;
  return ok({
    id: textOf(wire.id),
    model: textOf(wire.model),
    parts: recordsOf(content).flatMap(partsOf),
    finish: finishOf(wire) ?? { reason: 'stop', isAssumed: true },
    ...(isRecord(usage) && { usage: usageOf(usage, shownIn(content)) }),
  });
}

function shownIn(content: unknown): ShownTools {
  const shown = new ShownTools();
  for (const block of recordsOf(content)) shown.note(block);
  return shown;
}

export function inspectReply(body: unknown): Parsed<ReplyFacts> {
  const message = messageOf(body);
  if (!message.ok) return message;
  const { id, model, usage, content, stop_reason: reason } = message.value;
  const filtered = reason === 'refusal';
  return ok({
    ...(isRecord(usage) && { usage: usageOf(usage, shownIn(content)) }),
    ...(typeof id === 'string' && { id }),
    ...(typeof model === 'string' && { model }),
    filtered,
    empty: !filtered && !recordsOf(content).some(saysSomething) && !(isRecord(usage) && countOf(usage.output_tokens) > 0),
  });
}

function messageOf(body: unknown): Parsed<JsonRecord> {
  if (!isRecord(body)) return refuse('upstream_bad_response');
  if (isRecord(body.error)) return { ok: false, failure: failureOfErrorObject(body) };
  return Array.isArray(body.content) ? ok(body) : refuse('upstream_bad_response');
}

/** Any block but an empty text: a tool call, thinking, a result of a server tool. */
const saysSomething = (block: JsonRecord): boolean => block.type !== 'text' || textOf(block.text) !== '';

const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop-sequence',
  max_tokens: 'length',
  model_context_window_exceeded: 'context-length',
  tool_use: 'tool-calls',
  refusal: 'refusal',
  pause_turn: 'pause',
  // The context was compacted and the client asked to be told before the answer goes on (beta compact-2026-01-12).
  compaction: 'pause',
};

/** Of a message or of the delta of `message_delta`; undefined before the end is known. */
export function finishOf(wire: JsonRecord): Finish | undefined {
  const reason = textOf(wire.stop_reason);
  if (!reason) return undefined;
  const known = entryOf(finishReasons, reason);
  const sequence = textOf(wire.stop_sequence);
  return { reason: known ?? 'stop', ...(sequence && { stopSequence: sequence }), ...(!known && { isAssumed: true as const }) };
}

type PartReader = (block: JsonRecord) => readonly AssistantPart[];

/**
 * Blocks that only Anthropic knows are left out: server tools and their results, `fallback`, `compaction`, `container_upload`.
 * A client of the same dialect gets them in the bytes that pass through.
 */
const parts: Readonly<Record<string, PartReader>> = {
  text: block => {
    const citations = citationsOf(block.citations);
    return block.text === '' ? [] : [{ kind: 'text', text: textOf(block.text), ...(citations.length > 0 && { citations }) }];
  },
  thinking: block => {
    const signature = textOf(block.signature);
    return [{ kind: 'thinking', text: textOf(block.thinking), ...(signature && { signature }) }];
  },
  redacted_thinking: block => [{ kind: 'redacted-thinking', data: textOf(block.data) }],
  tool_use: block => [{ kind: 'tool-call', id: textOf(block.id), name: textOf(block.name), arguments: argumentsOf(block.input) }],
};

export const leavesOut = (body: unknown): boolean =>
  isRecord(body) &&
  recordsOf(body.content).some(
    ({ type, citations }) => !entryOf(parts, type) || recordsOf(citations).some(citation => !readAnthropicCitation(citation)),
  );

/** A citation is of all of its block. */
const citationsOf = (list: unknown): Citation[] => recordsOf(list).flatMap(citation => readAnthropicCitation(citation) ?? []);

function partsOf(block: JsonRecord): readonly AssistantPart[] {
  return entryOf(parts, block.type)?.(block) ?? [];
}

/** `{}` is the placeholder of a call that has no arguments, which the neutral form writes as the empty text. */
export function argumentsOf(input: unknown): string {
  const isEmpty = input === undefined || input === null || (isRecord(input) && Object.keys(input).length === 0);
  return isEmpty ? '' : JSON.stringify(input);
}
