// A neutral reply as a `text_completion`, whole or in chunks. There is nothing in this dialect but text: a refusal is said as one.
import type { ChatEvent, ChatReply, Finish, FinishReason } from '#core/chat/reply.ts';
import type { Usage } from '#core/chat/usage.ts';
import type { EncodedReply, ReplyContext, StreamEncoder } from '../frontend.ts';
import { openAIChat, usageOf } from '../openai-chat/index.ts';

export function encodeReply(reply: ChatReply, context: ReplyContext): EncodedReply {
  const text = reply.parts.map(part => (part.kind === 'text' || part.kind === 'refusal' ? part.text : '')).join('');
  const body = {
    ...envelope(reply.id, reply.model, context),
    choices: [choiceOf(text, finishReasons[reply.finish.reason])],
    ...(reply.usage && { usage: usageOf(reply.usage) }),
  };
  return { body: JSON.stringify(body) };
}

const envelope = (id: string, model: string, { requestId, createdSeconds }: ReplyContext) => ({
  id: id || `cmpl-${requestId}`,
  object: 'text_completion',
  created: createdSeconds,
  model,
});

const choiceOf = (text: string, finish_reason: string | null) => ({ text, index: 0, logprobs: null, finish_reason });

const finishReasons = {
  stop: 'stop',
  'stop-sequence': 'stop',
  length: 'length',
  'context-length': 'length',
  'tool-calls': 'stop',
  'content-filter': 'content_filter',
  refusal: 'content_filter',
  pause: 'stop',
} as const satisfies Record<FinishReason, string>;

type State = { readonly context: ReplyContext; id: string; model: string; usage: Usage | undefined; isOver: boolean };

export function streamEncoder(context: ReplyContext): StreamEncoder {
  const state: State = { context, id: '', model: '', usage: undefined, isOver: false };
  return { push: event => (state.isOver ? '' : encode(state, event)) };
}

function encode(state: State, event: ChatEvent): string {
  switch (event.kind) {
    case 'start':
      state.id = event.id;
      state.model = event.model;
      return '';
    case 'text-delta':
    case 'refusal-delta':
      return event.text === '' ? '' : chunk(state, [choiceOf(event.text, null)]);
    case 'usage':
      state.usage = event.usage;
      return '';
    case 'finish':
      return chunk(state, [choiceOf('', finishReasonOf(event.finish))]);
    case 'error':
      state.isOver = true;
      return openAIChat.encodeStreamError(event.failure, state.context.requestId);
    case 'end':
      state.isOver = true;
      return usageChunk(state) + openAIChat.terminator;
    default:
      return '';
  }
}

const finishReasonOf = ({ reason }: Finish): string => finishReasons[reason];

/** Once, after everything else, and only to those who asked. */
function usageChunk(state: State): string {
  return state.context.includeUsage && state.usage ? chunk(state, [], usageOf(state.usage)) : '';
}

function chunk({ id, model, context }: State, choices: readonly unknown[], usage: unknown = null): string {
  const body = { ...envelope(id, model, context), choices };
  return `data: ${JSON.stringify(context.includeUsage ? { ...body, usage } : body)}\n\n`;
}
