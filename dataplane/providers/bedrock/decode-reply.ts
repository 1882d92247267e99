// A whole answer of Converse as the neutral reply, and the facts the same-dialect path needs of it.
import { readCitationsContent, readConverseCitation } from '#core/chat/citations/converse.ts';
import type { ChatReply, Finish, FinishReason } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import type { Usage } from '#core/chat/usage.ts';
import { type Failure, failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import type { ReplyFacts } from '../provider.ts';
import { entryOf, recordOf, recordsOf, textOf } from '../wire.ts';
import { unwrapped } from './redacted.ts';
import { serviceIn } from './service.ts';
import { callsOf } from './tools.ts';
import { usageOf } from './usage.ts';

/** @param model the wire has no name of it, and no id */
export function decodeReply(body: unknown, model?: ModelEntry): Parsed<ChatReply> {
  const answer = answerOf(body);
  if (!answer.ok) return answer;
  const { content, stopReason, usage } = answer.value;
  const finish = finishOf(stopReason) ?? { reason: 'stop', isAssumed: true };
  if ('class' in finish) return { ok: false, failure: finish };
  return ok({
    id: '',
    model: model?.upstreamName ?? '',
    parts: content.flatMap(partsOf),
    finish,
    ...(usage && { usage }),
  });
}

export function inspectReply(body: unknown): Parsed<ReplyFacts> {
  const answer = answerOf(body);
  if (!answer.ok) return answer;
  const { content, stopReason, usage } = answer.value;
  const finish = finishOf(stopReason);
  if (finish && 'class' in finish) return { ok: false, failure: finish };
  const filtered = finish?.reason === 'content-filter';
  return ok({
    ...(usage && { usage }),
    filtered,
    empty: !filtered && !content.some(saysSomething) && (usage?.output ?? 0) === 0,
  });
}

type Answer = { readonly content: readonly JsonRecord[]; readonly stopReason: string; readonly usage: Usage | undefined };

function answerOf(body: unknown): Parsed<Answer> {
  const message = isRecord(body) ? recordOf(recordOf(body.output).message) : {};
  if (!isRecord(body) || !Array.isArray(message.content)) return refuse('upstream_bad_response');
  return ok({
    content: recordsOf(message.content),
    stopReason: textOf(body.stopReason),
    usage: isRecord(body.usage)
      ? { ...usageOf(body.usage), ...callsOf(recordsOf(message.content)), ...serviceIn(body) }
      : undefined,
  });
}

/** Any block but an empty text. */
const saysSomething = (block: JsonRecord): boolean => !('text' in block) || textOf(block.text) !== '';

const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop-sequence',
  max_tokens: 'length',
  model_context_window_exceeded: 'context-length',
  tool_use: 'tool-calls',
  content_filtered: 'content-filter',
  guardrail_intervened: 'content-filter',
  refusal: 'refusal',
};

/** The model wrote what Bedrock could not read: what there is of it is no answer. */
const malformed: Readonly<Record<string, string>> = {
  malformed_model_output: 'The model wrote what its provider could not read.',
  malformed_tool_use: 'The model wrote a tool call that its provider could not read.',
};

/** undefined: it is not said. */
export function finishOf(stopReason: string): Finish | Failure | undefined {
  if (stopReason === '') return undefined;
  const message = entryOf(malformed, stopReason);
  if (message !== undefined) return failure('upstream_bad_response', { message, possiblyBilled: true });
  const reason = entryOf(finishReasons, stopReason);
  return reason ? { reason } : { reason: 'stop', isAssumed: true };
}

/**
 * Blocks without a neutral form are left out: tools that run at the provider and their results, and images. A client of the same dialect
 * gets them in the bytes that pass through.
 */
function partsOf(block: JsonRecord): readonly AssistantPart[] {
  if (typeof block.text === 'string') return block.text === '' ? [] : [{ kind: 'text', text: block.text }];
  if (isRecord(block.reasoningContent)) return thinkingOf(block.reasoningContent);
  if (isRecord(block.citationsContent)) return citedOf(block.citationsContent);
  if (isClientTool(block.toolUse)) {
    const { toolUseId, name, input } = block.toolUse;
    return [{ kind: 'tool-call', id: textOf(toolUseId), name: textOf(name), arguments: argumentsOf(input) }];
  }
  return [];
}

function citedOf(block: JsonRecord): readonly AssistantPart[] {
  const said = readCitationsContent(block);
  return said.text === '' ? [] : [{ kind: 'text', ...said }];
}

function thinkingOf({ reasoningText, redactedContent }: JsonRecord): readonly AssistantPart[] {
  if (typeof redactedContent === 'string') return [{ kind: 'redacted-thinking', data: unwrapped(redactedContent) }];
  const { text, signature } = recordOf(reasoningText);
  return [{ kind: 'thinking', text: textOf(text), ...(textOf(signature) && { signature: textOf(signature) }) }];
}

/** Not one that Bedrock runs itself, such as Nova's code interpreter. The others have no type, or `tool_use`. */
export const isClientTool = (toolUse: unknown): toolUse is JsonRecord => isRecord(toolUse) && toolUse.type !== 'server_tool_use';

export const leavesOut = (body: unknown): boolean => {
  const answer = answerOf(body);
  return (
    answer.ok && answer.value.content.some(block => partsOf(block).length === 0 || hasUnknown(recordOf(block.citationsContent)))
  );
};

const hasUnknown = ({ citations }: JsonRecord): boolean => recordsOf(citations).some(citation => !readConverseCitation(citation));

/** `{}` stands for no arguments too, which the neutral form writes as the empty text. */
export function argumentsOf(input: unknown): string {
  const isEmpty = input === undefined || input === null || (isRecord(input) && Object.keys(input).length === 0);
  return isEmpty ? '' : JSON.stringify(input);
}
