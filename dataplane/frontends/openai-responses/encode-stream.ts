// Neutral events as the event stream of a response: a reducer with one handler per event. Order and fields as in the types of openai 7.57
// for Node, whose own client holds the stream against them.
import type { Citation } from '#core/chat/citations/citation.ts';
import { Measure } from '#core/chat/citations/measure.ts';
import { annotationIn } from '#core/chat/citations/openai.ts';
import type { Finish, Logprobs } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import type { Usage } from '#core/chat/usage.ts';
import { type Failure, policyOf } from '#core/failure.ts';
import { type Handlers, reducer } from '../encoder.ts';
import type { ReplyContext, StreamEncoder } from '../frontend.ts';
import {
  emptyCall,
  emptyMessage,
  emptyResponse,
  endOf,
  itemId,
  type Json,
  NO_ARGUMENTS,
  outputText,
  refusal,
  summaryText,
  usageOf,
} from './encode-reply.ts';
import { sealedOf } from './sealed.ts';

/** A text or a refusal in the open message. `cited`: citations whose words are still to come. */
type OpenContent = {
  readonly kind: 'text' | 'refusal';
  text: string;
  readonly measure: Measure;
  readonly annotations: Json[];
  readonly cited: Citation[];
};
type OpenItem =
  | { readonly kind: 'message'; readonly id: string; readonly content: Json[]; open: OpenContent | undefined }
  | { readonly kind: 'call'; readonly item: Json; json: string }
  | { readonly kind: 'thought'; readonly id: string; text: string; signature: string };

type State = {
  readonly context: ReplyContext;
  sequence: number;
  response: Json;
  /** Items that are whole. */
  readonly output: Json[];
  open: OpenItem | undefined;
  readonly kinds: Set<AssistantPart['kind']>;
  logprobs: Logprobs | undefined;
  usage: Usage | undefined;
  finish: Finish;
  isOver: boolean;
};

export function streamEncoder(context: ReplyContext): StreamEncoder {
  const state: State = {
    context,
    sequence: 0,
    response: emptyResponse('', '', context),
    output: [],
    open: undefined,
    kinds: new Set(),
    logprobs: undefined,
    usage: undefined,
    finish: { reason: 'stop' },
    isOver: false,
  };
  return reducer(state, on);
}

const nothing = (): string => '';

const on: Handlers<State> = {
  start(state, { id, model }) {
    state.response = emptyResponse(id, model, state.context);
    const { response } = state;
    return frame(state, 'response.created', { response }) + frame(state, 'response.in_progress', { response });
  },

  'text-start': state => openContent(state, 'text'),
  'refusal-start'(state) {
    state.kinds.add('refusal');
    return openContent(state, 'refusal');
  },
  'text-delta': (state, { text }) => contentDelta(state, text),
  'refusal-delta': (state, { text }) => contentDelta(state, text),
  citation: (state, { citation }) => cite(state, citation),

  // Begins on the wire with its first word or its signature: the id of the item may come with that.
  'thinking-start'(state) {
    const closed = closeItem(state);
    state.open = { kind: 'thought', id: itemId('rs', state.context, state.output.length), text: '', signature: '' };
    return closed;
  },
  'thinking-delta'(state, { text }) {
    const { open } = state;
    if (open?.kind !== 'thought' || text === '') return '';
    const begun = open.text === '' ? beginThought(state, open.id) : '';
    open.text += text;
    return begun + inItem(state, 'response.reasoning_summary_text.delta', open.id, { summary_index: 0, delta: text });
  },
  'thinking-signature'({ open }, { signature }) {
    if (open?.kind === 'thought') open.signature += signature;
    return '';
  },
  'redacted-thinking'(state, part) {
    const closed = closeItem(state);
    const item = { id: itemId('rs', state.context, state.output.length), type: 'reasoning', summary: [] };
    return closed + added(state, item) + done(state, { ...item, encrypted_content: sealedOf(part).sealed });
  },

  'tool-call-start'(state, call) {
    state.kinds.add('tool-call');
    const closed = closeItem(state);
    const item = emptyCall(itemId('fc', state.context, state.output.length), call);
    state.open = { kind: 'call', item, json: '' };
    return closed + added(state, item);
  },
  'tool-call-delta'(state, { json }) {
    const { open } = state;
    if (open?.kind !== 'call' || json === '') return '';
    open.json += json;
    return inItem(state, 'response.function_call_arguments.delta', open.item.id, { delta: json });
  },

  // A message may go on with another part; all else is over.
  'part-end': state => (state.open?.kind === 'message' ? closeContent(state) : closeItem(state)),
  'server-tool': nothing,

  logprobs(state, { logprobs }) {
    const before = Array.isArray(state.logprobs?.content) ? state.logprobs.content : [];
    state.logprobs = { content: [...before, ...(Array.isArray(logprobs.content) ? logprobs.content : [])] };
    return '';
  },
  usage(state, { usage }) {
    state.usage = usage;
    return '';
  },
  // The usage may still follow: the last event, which carries both, waits for the end.
  finish(state, { finish }) {
    state.finish = finish;
    return closeItem(state);
  },
  error(state, { failure }) {
    state.isOver = true;
    return encodeStreamError(failure, state.context.requestId, state.sequence);
  },
  end(state) {
    const closed = closeItem(state);
    const { response, output, usage, finish, kinds } = state;
    const end = endOf(finish, kinds);
    const last = frame(state, `response.${end.status}`, {
      response: { ...response, ...end, output, usage: usage ? usageOf(usage) : null },
    });
    state.isOver = true;
    return closed + last;
  },
};

// ---------------------------------------------------------------- items

const added = (state: State, item: Json): string =>
  frame(state, 'response.output_item.added', { output_index: state.output.length, item });

function done(state: State, item: Json): string {
  const told = frame(state, 'response.output_item.done', { output_index: state.output.length, item });
  state.output.push(item);
  state.open = undefined;
  return told;
}

/** An event of the open item. */
const inItem = (state: State, type: string, id: unknown, fields: Json): string =>
  frame(state, type, { item_id: id, output_index: state.output.length, ...fields });

function closeItem(state: State): string {
  switch (state.open?.kind) {
    case 'message':
      return closeMessage(state, state.open);
    case 'call':
      return closeCall(state, state.open);
    case 'thought':
      return closeThought(state, state.open);
    case undefined:
      return '';
  }
}

function closeMessage(state: State, { id, content }: Extract<OpenItem, { kind: 'message' }>): string {
  const closed = closeContent(state);
  return closed + done(state, { ...emptyMessage(id), status: 'completed', content });
}

function closeCall(state: State, { item, json }: Extract<OpenItem, { kind: 'call' }>): string {
  const whole = json || NO_ARGUMENTS;
  const bare = json === '' ? inItem(state, 'response.function_call_arguments.delta', item.id, { delta: whole }) : '';
  const told = inItem(state, 'response.function_call_arguments.done', item.id, { name: item.name, arguments: whole });
  return bare + told + done(state, { ...item, status: 'completed', arguments: whole });
}

function beginThought(state: State, id: string): string {
  return (
    added(state, { id, type: 'reasoning', summary: [] }) +
    inItem(state, 'response.reasoning_summary_part.added', id, { summary_index: 0, part: summaryText('') })
  );
}

function closeThought(state: State, { id, text, signature }: Extract<OpenItem, { kind: 'thought' }>): string {
  if (text === '' && signature === '') {
    state.open = undefined;
    return '';
  }
  const { sealed, id: own = id } = sealedOf({ kind: 'thinking', text, ...(signature !== '' && { signature }) });
  const item = { type: 'reasoning', encrypted_content: sealed };
  if (text === '') {
    const empty = { ...item, id: own, summary: [] };
    return added(state, empty) + done(state, empty);
  }
  return (
    inItem(state, 'response.reasoning_summary_text.done', id, { summary_index: 0, text }) +
    inItem(state, 'response.reasoning_summary_part.done', id, { summary_index: 0, part: summaryText(text) }) +
    done(state, { ...item, id, summary: [summaryText(text)] })
  );
}

// ---------------------------------------------------------------- content of the open message

function openContent(state: State, kind: OpenContent['kind']): string {
  const opened = state.open?.kind === 'message' ? closeContent(state) : closeItem(state) + openMessage(state);
  const { open } = state;
  if (open?.kind !== 'message') return opened;
  open.open = { kind, text: '', measure: new Measure('code-points'), annotations: [], cited: [] };
  const part = kind === 'text' ? outputText('') : refusal('');
  return opened + inItem(state, 'response.content_part.added', open.id, { content_index: open.content.length, part });
}

function openMessage(state: State): string {
  const id = itemId('msg', state.context, state.output.length);
  state.open = { kind: 'message', id, content: [], open: undefined };
  return added(state, emptyMessage(id));
}

function contentDelta(state: State, text: string): string {
  const { open } = state;
  if (open?.kind !== 'message' || !open.open || text === '') return '';
  open.open.text += text;
  open.open.measure.add(text);
  const place = { content_index: open.content.length, delta: text };
  return open.open.kind === 'text'
    ? inItem(state, 'response.output_text.delta', open.id, { ...place, logprobs: [] })
    : inItem(state, 'response.refusal.delta', open.id, place);
}

function cite(state: State, citation: Citation): string {
  const content = state.open?.kind === 'message' ? state.open.open : undefined;
  if (content?.kind !== 'text') return '';
  if (citation.span && citation.span.end <= content.measure.length) return annotated(state, content, citation);
  content.cited.push(citation);
  return '';
}

function annotated(state: State, { measure, annotations }: OpenContent, citation: Citation): string {
  const annotation = annotationIn(citation, measure);
  if (!annotation || state.open?.kind !== 'message') return '';
  const place = { content_index: state.open.content.length, annotation_index: annotations.length };
  annotations.push(annotation);
  return inItem(state, 'response.output_text.annotation.added', state.open.id, { ...place, annotation });
}

function closeContent(state: State): string {
  const { open, logprobs } = state;
  if (open?.kind !== 'message' || !open.open) return '';
  const { kind, text, annotations, cited } = open.open;
  const rest = cited.map(citation => annotated(state, open.open!, citation)).join('');
  const place = { content_index: open.content.length };
  const part = kind === 'text' ? outputText(text, logprobs, annotations) : refusal(text);
  const told =
    kind === 'text'
      ? inItem(state, 'response.output_text.done', open.id, { ...place, text, logprobs: part.logprobs })
      : inItem(state, 'response.refusal.done', open.id, { ...place, refusal: text });
  const ended = rest + told + inItem(state, 'response.content_part.done', open.id, { ...place, part });
  open.content.push(part);
  open.open = undefined;
  return ended;
}

// ---------------------------------------------------------------- frames

function frame(state: State, type: string, fields: Json): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields, sequence_number: state.sequence++ })}\n\n`;
}

/** The SDKs throw at this event; `response.failed` they would give to their callers as a response. */
export function encodeStreamError(failure: Failure, requestId: string, sequence = 0): string {
  const { class: code, message, param = null } = failure;
  const error = { type: 'error', code, message, param, error_type: policyOf(failure).openAI, request_id: requestId };
  return `event: error\ndata: ${JSON.stringify({ ...error, sequence_number: sequence })}\n\n`;
}
