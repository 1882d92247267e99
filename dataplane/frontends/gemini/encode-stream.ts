// Neutral events as chunks of a streamed answer, each a `GenerateContentResponse` of its own: a reducer with one handler per event.
import type { Citation } from '#core/chat/citations/citation.ts';
import { groundingOf, type Supported } from '#core/chat/citations/google.ts';
import { Measure } from '#core/chat/citations/measure.ts';
import type { Finish } from '#core/chat/reply.ts';
import type { Usage } from '#core/chat/usage.ts';
import { failure } from '#core/failure.ts';
import { type Handlers, reducer } from '../encoder.ts';
import type { ReplyContext, StreamEncoder } from '../frontend.ts';
import { finishReasonOf, logprobsResult, PartWriter, segmentOf, usageOf } from './encode-reply.ts';
import { encodeStreamError } from './errors.ts';

type Json = Readonly<Record<string, unknown>>;
type OpenCall = { readonly id: string; readonly name: string; readonly pieces: string[] };

type State = {
  readonly context: ReplyContext;
  readonly writer: PartWriter;
  id: string;
  model: string;
  /** Its arguments are one value here: they are held until they are whole. */
  call: OpenCall | undefined;
  heldChars: number;
  /** Of all words so far: the pieces of a stream count as one part. */
  readonly measure: Measure;
  /** The open text, where it began, and what is cited for it. */
  text: string;
  textStart: number;
  open: Citation[];
  readonly cited: Supported[];
  usage: Usage | undefined;
  finish: Finish | undefined;
  isOver: boolean;
};

/** Arguments that are longer than a line of a stream may be (attempt.ts) are no arguments. */
const HELD_MAX_CHARS = 8 * 1024 * 1024;

export function streamEncoder(context: ReplyContext): StreamEncoder {
  const state: State = {
    context,
    writer: new PartWriter(),
    id: context.requestId,
    model: '',
    call: undefined,
    heldChars: 0,
    measure: new Measure('bytes'),
    text: '',
    textStart: 0,
    open: [],
    cited: [],
    usage: undefined,
    finish: undefined,
    isOver: false,
  };
  return reducer(state, on);
}

const nothing = (): string => '';

const on: Handlers<State> = {
  start(state, event) {
    state.id = event.id || state.id;
    state.model = event.model;
    return '';
  },
  'text-start'(state) {
    state.text = '';
    state.textStart = state.measure.length;
    return '';
  },
  'text-delta'(state, { text }) {
    state.text += text;
    return words(state, text);
  },
  // Google tells at the end what the words of an answer rest on.
  citation(state, { citation }) {
    state.open.push(citation);
    return '';
  },
  'refusal-start': nothing,
  'refusal-delta': (state, { text }) => words(state, text),
  'thinking-start': nothing,
  'thinking-delta': (state, { text }) => chunk(state, state.writer.thinking({ text })),
  'thinking-signature': (state, { signature }) => chunk(state, state.writer.thinking({ text: '', signature })),
  'redacted-thinking': (state, event) => chunk(state, state.writer.partsOf(event)),
  'server-tool': nothing,
  'tool-call-start'(state, { id, name }) {
    state.call = { id, name, pieces: [] };
    return '';
  },
  'tool-call-delta'(state, { json }) {
    state.call?.pieces.push(json);
    state.heldChars += json.length;
    if (state.heldChars <= HELD_MAX_CHARS) return '';
    state.isOver = true;
    return encodeStreamError(
      failure('upstream_bad_response', { message: 'The arguments of a call are too long.' }),
      state.context.requestId,
    );
  },
  'part-end'(state) {
    const { call, text, measure, textStart } = state;
    for (const citation of state.open.splice(0))
      state.cited.push({ ...citation, segment: segmentOf(citation, text, measure, textStart) });
    if (!call) return '';
    state.call = undefined;
    state.heldChars = 0;
    return chunk(state, [state.writer.call({ id: call.id, name: call.name, arguments: call.pieces.join('') })]);
  },
  logprobs: (state, { logprobs }) => frame(state, { candidates: [{ index: 0, logprobsResult: logprobsResult(logprobs) }] }),
  // The last chunk carries both, so the finish waits for the usage, or for the end.
  usage(state, event) {
    state.usage = event.usage;
    return '';
  },
  finish(state, event) {
    state.finish = event.finish;
    return '';
  },
  error(state, event) {
    state.isOver = true;
    return encodeStreamError(event.failure, state.context.requestId);
  },
  end(state) {
    state.isOver = true;
    const [last = { text: '' }] = state.writer.rest();
    const groundingMetadata = groundingOf(state.cited);
    const candidate = {
      content: { parts: [last], role: 'model' },
      finishReason: finishReasonOf(state.finish ?? { reason: 'stop' }),
      index: 0,
      ...(groundingMetadata && { groundingMetadata }),
    };
    return frame(state, { candidates: [candidate], ...(state.usage && { usageMetadata: usageOf(state.usage) }) });
  },
};

function words(state: State, text: string): string {
  if (text === '') return '';
  state.measure.add(text);
  return chunk(state, [state.writer.text(text)]);
}

const chunk = (state: State, parts: readonly Json[]): string =>
  parts.length === 0 ? '' : frame(state, { candidates: [{ content: { parts, role: 'model' }, index: 0 }] });

const frame = ({ id, model }: State, fields: Json): string =>
  `data: ${JSON.stringify({ ...fields, modelVersion: model, responseId: id })}\r\n\r\n`;
