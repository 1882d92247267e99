// Neutral events as the event stream of a message: a reducer with one handler per event.
import { anthropicCitation } from '#core/chat/citations/anthropic.ts';
import { UNSIGNED } from '#core/chat/foreign.ts';
import type { Finish } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { CitedWords } from '../cited-words.ts';
import { type Handlers, reducer } from '../encoder.ts';
import type { ReplyContext, StreamEncoder } from '../frontend.ts';
import { emptyMessage, emptyText, emptyToolUse, redactedThinking, stopOf, usageOf } from './encode-reply.ts';
import { encodeStreamError } from './errors.ts';

type Json = Readonly<Record<string, unknown>>;

type State = {
  readonly context: ReplyContext;
  id: string;
  model: string;
  hasStarted: boolean;
  /** Index of the next block. */
  blocks: number;
  /** Only what has begun on the wire: a part without content, which would be an empty block, never does. */
  open: 'text' | 'thinking' | 'signed-thinking' | 'tool_use' | undefined;
  readonly cited: CitedWords<Json>;
  readonly kinds: Set<AssistantPart['kind']>;
  usage: Usage | undefined;
  finish: Finish | undefined;
  /** `message_delta` was sent. */
  hasStopped: boolean;
  isOver: boolean;
};

export const TERMINATOR = frame('message_stop', {});

export function streamEncoder(context: ReplyContext): StreamEncoder {
  const state: State = {
    context,
    id: '',
    model: '',
    hasStarted: false,
    blocks: 0,
    open: undefined,
    cited: new CitedWords(),
    kinds: new Set(),
    usage: undefined,
    finish: undefined,
    hasStopped: false,
    isOver: false,
  };
  return reducer(state, on);
}

const nothing = (): string => '';

const on: Handlers<State> = {
  // Held back until something follows: some providers tell the input tokens right after, and they belong into message_start.
  start(state, event) {
    state.id = event.id;
    state.model = event.model;
    return '';
  },
  usage(state, event) {
    state.usage = event.usage;
    // The figure that comes after the finish is the last one.
    return state.finish ? messageDelta(state) : '';
  },

  'text-start': nothing,
  'text-delta': (state, event) => textDelta(state, event.text),
  citation(state, { citation }) {
    const wire = anthropicCitation(citation);
    if (!wire) return '';
    return state.cited.take(wire, citation.span !== undefined, state.open === 'text') ? citationDelta(state, wire) : '';
  },
  // A refusal is said as text; the stop reason tells what it is.
  'refusal-start'(state) {
    state.kinds.add('refusal');
    return '';
  },
  'refusal-delta': (state, event) => textDelta(state, event.text),

  'thinking-start': nothing,
  'thinking-delta'(state, { text }) {
    if (text === '') return '';
    return openThinking(state) + delta(state, { type: 'thinking_delta', thinking: text });
  },
  'thinking-signature'(state, { signature }) {
    const opened = openThinking(state);
    state.open = 'signed-thinking';
    return opened + delta(state, { type: 'signature_delta', signature });
  },
  'redacted-thinking': (state, event) => openBlock(state, undefined, redactedThinking(event.data)) + stopBlock(state),

  'tool-call-start'(state, event) {
    state.kinds.add('tool-call');
    return openBlock(state, 'tool_use', emptyToolUse(event.id, event.name));
  },
  'tool-call-delta'(state, { json }) {
    return state.open === 'tool_use' && json !== '' ? delta(state, { type: 'input_json_delta', partial_json: json }) : '';
  },
  'part-end'(state) {
    state.cited.endText();
    return closeBlock(state);
  },
  'server-tool': nothing,

  logprobs: nothing,
  // The usage may still follow: message_delta, which carries both, waits for it or for the end.
  finish(state, event) {
    state.finish = event.finish;
    return closeBlock(state);
  },
  error(state, event) {
    state.isOver = true;
    return encodeStreamError(event.failure, state.context.requestId);
  },
  end(state) {
    const last = closeBlock(state) + messageDelta(state);
    state.isOver = true;
    return last + TERMINATOR;
  },
};

function frame(type: string, fields: Json): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

/** Counts come with message_delta then, but it has no field for the split of what was written to a cache: null is what is known of it. */
const uncounted: Json = { ...usageOf(noUsage), cache_creation: null };

function startMessage(state: State): string {
  if (state.hasStarted) return '';
  state.hasStarted = true;
  const message = {
    ...emptyMessage(state.id, state.model, state.context),
    usage: state.usage ? usageOf(state.usage) : uncounted,
  };
  return frame('message_start', { message });
}

/** Usage counts are cumulative in this dialect, and only here does a client of a provider that counts at the end learn of its input. */
function messageDelta(state: State): string {
  if (state.hasStopped) return '';
  state.hasStopped = true;
  const stop = stopOf(state.finish ?? { reason: 'stop' }, state.kinds);
  return startMessage(state) + frame('message_delta', { delta: stop, usage: usageOf(state.usage ?? noUsage) });
}

function textDelta(state: State, text: string): string {
  if (text === '') return '';
  const goesOn = state.open === 'text' && state.cited.goesOn(text);
  const opened = goesOn ? '' : openBlock(state, 'text', emptyText());
  const cited = state.cited.early().map(wire => citationDelta(state, wire));
  return opened + cited.join('') + delta(state, { type: 'text_delta', text });
}

const citationDelta = (state: State, citation: Json): string => delta(state, { type: 'citations_delta', citation });

function openThinking(state: State): string {
  if (state.open === 'thinking' || state.open === 'signed-thinking') return '';
  return openBlock(state, 'thinking', { type: 'thinking', thinking: '', signature: '' });
}

function openBlock(state: State, open: State['open'], content_block: Json): string {
  const before = startMessage(state) + closeBlock(state);
  state.open = open;
  return before + frame('content_block_start', { index: state.blocks, content_block });
}

/** Thinking that nobody signed gets our mark, by which the next turn's history is cleaned. */
function closeBlock(state: State): string {
  if (!state.open) return '';
  const mark = state.open === 'thinking' ? delta(state, { type: 'signature_delta', signature: UNSIGNED }) : '';
  return mark + stopBlock(state);
}

function stopBlock(state: State): string {
  state.open = undefined;
  state.cited.closeBlock();
  return frame('content_block_stop', { index: state.blocks++ });
}

const delta = (state: State, content: Json): string => frame('content_block_delta', { index: state.blocks, delta: content });
