import type { AssistantPart } from '#core/chat/request.ts';
import type { Usage } from '#core/chat/usage.ts';
import { type Handlers, reducer } from '../encoder.ts';
import type { ReplyContext, StreamEncoder } from '../frontend.ts';
import { Annotated, finishReasonOf, NO_ARGUMENTS, usageOf } from './encode-reply.ts';
import { encodeStreamError } from './errors.ts';

type State = {
  readonly context: ReplyContext;
  id: string;
  model: string;
  /** How many tool calls have begun; the open one has the index below. */
  calls: number;
  readonly content: Annotated;
  readonly kinds: Set<AssistantPart['kind']>;
  openCall: 'none' | 'without-arguments' | 'with-arguments';
  usage: Usage | undefined;
  isOver: boolean;
};

export const TERMINATOR = 'data: [DONE]\n\n';

export function streamEncoder(context: ReplyContext): StreamEncoder {
  const state: State = {
    context,
    id: `chatcmpl-${context.requestId}`,
    model: '',
    calls: 0,
    content: new Annotated(),
    kinds: new Set(),
    openCall: 'none',
    usage: undefined,
    isOver: false,
  };
  return reducer(state, on);
}

const nothing = (): string => '';

const on: Handlers<State> = {
  start(state, event) {
    state.id = event.id || state.id;
    state.model = event.model;
    return delta(state, { role: 'assistant', content: '', refusal: null });
  },
  'text-start'(state) {
    state.content.begin();
    return '';
  },
  'text-delta'(state, { text }) {
    state.content.add(text);
    return text === '' ? '' : delta(state, { content: text });
  },
  citation(state, event) {
    state.content.cite(event.citation);
    return '';
  },
  // Not shown in this dialect: see encode-reply.ts.
  'thinking-start': nothing,
  'thinking-delta': nothing,
  'thinking-signature': nothing,
  'redacted-thinking': nothing,
  'server-tool': nothing,
  'refusal-start'(state) {
    state.kinds.add('refusal');
    return '';
  },
  'refusal-delta': (state, event) => (event.text === '' ? '' : delta(state, { refusal: event.text })),
  'tool-call-start'(state, event) {
    const index = state.calls++;
    state.kinds.add('tool-call');
    state.openCall = 'without-arguments';
    const call = { index, id: event.id, type: 'function', function: { name: event.name, arguments: '' } };
    return delta(state, { tool_calls: [call] });
  },
  'tool-call-delta'(state, event) {
    if (event.json === '') return '';
    state.openCall = 'with-arguments';
    return callArguments(state, event.json);
  },
  'part-end'(state) {
    state.content.end();
    const isBare = state.openCall === 'without-arguments';
    state.openCall = 'none';
    return isBare ? callArguments(state, NO_ARGUMENTS) : '';
  },
  logprobs: (state, event) => chunk(state, [{ index: 0, delta: {}, logprobs: event.logprobs, finish_reason: null }]),
  usage(state, event) {
    state.usage = event.usage;
    return '';
  },
  // All annotations at once: clients keep the last list of them.
  finish(state, event) {
    const { annotations } = state.content;
    const cited = annotations.length > 0 ? delta(state, { annotations }) : '';
    const reason = finishReasonOf(event.finish, state.kinds);
    return cited + chunk(state, [{ index: 0, delta: {}, logprobs: null, finish_reason: reason }]);
  },
  error(state, event) {
    state.isOver = true;
    return encodeStreamError(event.failure, state.context.requestId);
  },
  end(state) {
    state.isOver = true;
    return usageChunk(state) + TERMINATOR;
  },
};

const callArguments = (state: State, json: string): string =>
  delta(state, { tool_calls: [{ index: state.calls - 1, function: { arguments: json } }] });

const delta = (state: State, fields: Record<string, unknown>): string =>
  chunk(state, [{ index: 0, delta: fields, logprobs: null, finish_reason: null }]);

/** OpenAI sends the usage once, after everything else, and only to those who asked. */
function usageChunk(state: State): string {
  return state.context.includeUsage && state.usage ? chunk(state, [], usageOf(state.usage)) : '';
}

function chunk(state: State, choices: readonly unknown[], usage: Record<string, unknown> | null = null): string {
  const { id, model, context } = state;
  const body = { id, object: 'chat.completion.chunk', created: context.createdSeconds, model, choices };
  return `data: ${JSON.stringify(context.includeUsage ? { ...body, usage } : body)}\n\n`;
}
