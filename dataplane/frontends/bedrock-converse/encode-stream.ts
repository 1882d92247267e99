// Neutral events as the event stream of ConverseStream, in SSE text: an event's name is the frame's, its data the payload (framing.ts makes
// frames of it). A reducer with one handler per event.
import { converseCitation } from '#core/chat/citations/converse.ts';
import { UNSIGNED } from '#core/chat/foreign.ts';
import type { Finish } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import type { Usage } from '#core/chat/usage.ts';
import { CitedWords } from '../cited-words.ts';
import { type Handlers, reducer } from '../encoder.ts';
import type { ReplyContext, StreamEncoder } from '../frontend.ts';
import { type Json, sealed, stopReasonOf, toolStart, usageOf } from './encode-reply.ts';
import { encodeStreamError } from './errors.ts';

type State = {
  readonly context: ReplyContext;
  hasStarted: boolean;
  /** Index of the next block. */
  blocks: number;
  /** Only what has begun on the wire: a part without content never does. */
  open: 'text' | 'thinking' | 'signed-thinking' | 'tool-call' | undefined;
  readonly cited: CitedWords<Json>;
  readonly kinds: Set<AssistantPart['kind']>;
  usage: Usage | undefined;
  finish: Finish | undefined;
  isOver: boolean;
};

export function streamEncoder(context: ReplyContext): StreamEncoder {
  const state: State = {
    context,
    hasStarted: false,
    blocks: 0,
    open: undefined,
    cited: new CitedWords(),
    kinds: new Set(),
    usage: undefined,
    finish: undefined,
    isOver: false,
  };
  return reducer(state, on);
}

const nothing = (): string => '';

const on: Handlers<State> = {
  start: startMessage,
  // Told with the metadata, which is the last event.
  usage(state, event) {
    state.usage = event.usage;
    return '';
  },

  'text-start': nothing,
  'text-delta': (state, { text }) => textDelta(state, text),
  citation(state, { citation }) {
    const wire = converseCitation(citation);
    return state.cited.take(wire, citation.span !== undefined, state.open === 'text') ? delta(state, { citation: wire }) : '';
  },
  // A refusal is said as text; the stop reason tells what it is.
  'refusal-start': nothing,
  'refusal-delta': (state, { text }) => textDelta(state, text),

  'thinking-start': nothing,
  'thinking-delta'(state, { text }) {
    return text === '' ? '' : openThinking(state) + delta(state, { reasoningContent: { text } });
  },
  'thinking-signature'(state, { signature }) {
    const opened = openThinking(state);
    state.open = 'signed-thinking';
    return opened + delta(state, { reasoningContent: { signature } });
  },
  'redacted-thinking'(state, { data }) {
    return (
      openBlock(state, 'signed-thinking') +
      delta(state, { reasoningContent: { redactedContent: sealed(data) } }) +
      closeBlock(state)
    );
  },

  'tool-call-start'(state, { id, name }) {
    state.kinds.add('tool-call');
    const before = openBlock(state, 'tool-call');
    return before + frame('contentBlockStart', { contentBlockIndex: state.blocks, start: { toolUse: toolStart(id, name) } });
  },
  'tool-call-delta'(state, { json }) {
    return state.open === 'tool-call' && json !== '' ? delta(state, { toolUse: { input: json } }) : '';
  },
  'part-end'(state) {
    state.cited.endText();
    return closeBlock(state);
  },

  logprobs: nothing,
  'server-tool': nothing,
  finish(state, event) {
    state.finish = event.finish;
    return closeBlock(state);
  },
  error(state, event) {
    state.isOver = true;
    return encodeStreamError(event.failure, state.context.requestId);
  },
  end(state) {
    state.isOver = true;
    const stopReason = stopReasonOf(state.finish ?? { reason: 'stop' }, state.kinds);
    const usage = state.usage && { usage: usageOf(state.usage) };
    return startMessage(state) + closeBlock(state) + frame('messageStop', { stopReason }) + frame('metadata', { ...usage });
  },
};

const frame = (event: string, data: Json): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

function startMessage(state: State): string {
  if (state.hasStarted) return '';
  state.hasStarted = true;
  return frame('messageStart', { role: 'assistant' });
}

function textDelta(state: State, text: string): string {
  if (text === '') return '';
  const goesOn = state.open === 'text' && state.cited.goesOn(text);
  const opened = goesOn ? '' : openBlock(state, 'text');
  const cited = state.cited.early().map(citation => delta(state, { citation }));
  return opened + cited.join('') + delta(state, { text });
}

const openThinking = (state: State): string =>
  state.open === 'thinking' || state.open === 'signed-thinking' ? '' : openBlock(state, 'thinking');

function openBlock(state: State, open: State['open']): string {
  const before = startMessage(state) + closeBlock(state);
  state.open = open;
  return before;
}

/** Thinking that nobody signed gets our mark, by which the next turn's history is cleaned. */
function closeBlock(state: State): string {
  if (!state.open) return '';
  const mark = state.open === 'thinking' ? delta(state, { reasoningContent: { signature: UNSIGNED } }) : '';
  state.open = undefined;
  state.cited.closeBlock();
  return mark + frame('contentBlockStop', { contentBlockIndex: state.blocks++ });
}

const delta = (state: State, content: Json): string =>
  frame('contentBlockDelta', { contentBlockIndex: state.blocks, delta: content });
