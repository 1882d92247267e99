// The event stream of the Responses wire as neutral events: a reducer with one handler for each wire event.
// Events as in the types of openai 7.57 for Node, and as vLLM 0.32 sends them.
import { converted } from '#core/chat/citations/citation.ts';
import { Measure } from '#core/chat/citations/measure.ts';
import { readAnnotation } from '#core/chat/citations/openai.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { type Failure, failure } from '#core/failure.ts';
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';
import type { SseMessage, StreamDecoder } from '../../provider.ts';
import { entryOf, recordOf, recordsOf, textOf } from '../../wire.ts';
import { inBandFailure } from '../errors.ts';
import { failureOf, finishOf } from './finish.ts';
import { PARAGRAPH, signatureOfItem, thoughtOf } from './items.ts';
import { logprobsOf } from './logprobs.ts';
import { Parts } from './parts.ts';
import { ShownTools } from './tools.ts';
import { usageIn } from './usage.ts';

/** Frames that the same-dialect path has to read: the end of a response in all its forms, errors, and calls of tools that are billed. */
export const notable =
  /"response\.(?:completed|incomplete|failed|cancelled)"|"error"|"(?:web_search|x_search|file_search|code_interpreter|shell|image_generation)_call"/;

type State = {
  readonly parts: Parts;
  readonly shown: ShownTools;
  phase: 'before-start' | 'answering' | 'over';
  /** There was a call of a function. */
  hasCalls: boolean;
  leftOut: boolean;
  /** Texts by the keys of their parts, with how many annotations they have had. */
  readonly texts: Map<string, Text>;
};

type Text = { readonly measure: Measure; annotations: number };
type Handler = (state: State, event: JsonRecord) => ChatEvent[];

export function streamDecoder(): StreamDecoder {
  const state: State = {
    parts: new Parts(),
    shown: new ShownTools(),
    phase: 'before-start',
    hasCalls: false,
    leftOut: false,
    texts: new Map(),
  };
  return {
    push: message => (state.phase === 'over' ? [] : guarded(state, reduce(state, message))),
    close: () => (state.phase === 'over' ? [] : failed(state, failure('upstream_stream_truncated'))),
    leftOut: () => state.leftOut,
  };
}

function reduce(state: State, { data }: SseMessage): ChatEvent[] {
  const text = data.trim();
  // No server of this wire needs `[DONE]`; some send it.
  if (text === '' || text === '[DONE]') return [];
  const event = parseRecord(text);
  if (!event) return failed(state, failure('upstream_bad_response', { message: 'An event of the stream is not JSON.' }));
  const broken = event.type === undefined || event.type === 'error' ? inBandFailure(asError(event)) : undefined;
  return broken ? failed(state, broken) : (entryOf(on, event.type)?.(state, event) ?? []);
}

/** The error stands in the event itself, or in a field of it. */
const asError = (event: JsonRecord): JsonRecord => (isRecord(event.error) ? event : { ...event, error: event });

const started: Handler = (state, { response }) => {
  if (state.phase !== 'before-start') return [];
  state.phase = 'answering';
  const { id, model } = recordOf(response);
  return [{ kind: 'start', id: textOf(id), model: textOf(model) }];
};

const over: Handler = (state, event) => {
  if (!isRecord(event.response)) return failed(state, failure('upstream_bad_response'));
  const { response } = event;
  const usage = usageIn(response);
  const start = started(state, event);
  const counted: ChatEvent[] = usage ? [{ kind: 'usage', usage, alone: false }] : [];
  const broken = failureOf(response);
  if (broken) return [...start, ...counted, ...failed(state, broken)];
  const finish = finishOf(response, state.hasCalls);
  if (!finish) return failed(state, failure('upstream_bad_response'));
  const rest = state.parts.endAll();
  state.phase = 'over';
  return [...start, ...rest, ...counted, { kind: 'finish', finish }, { kind: 'end' }];
};

const on: Readonly<Record<string, Handler>> = {
  'response.created': started,
  'response.queued': started,
  'response.in_progress': started,
  'response.completed': over,
  'response.incomplete': over,
  'response.failed': over,
  'response.cancelled': over,

  'response.output_item.added': (state, { output_index: at, item }) => begun(state, itemKey(at), recordOf(item)),
  'response.output_item.done': (state, { output_index: at, item }) => ended(state, itemKey(at), recordOf(item)),

  'response.content_part.added'(state, event) {
    const kind = textKind(recordOf(event.part).type);
    return kind ? state.parts.begin(partKey(event), { kind: `${kind}-start` }) : [];
  },
  'response.content_part.done'(state, event) {
    const key = partKey(event);
    return [...annotated(state, key, recordOf(event.part)), ...state.parts.end(key)];
  },

  'response.output_text.delta': (state, event) => [...textDelta(state, event, 'text'), ...logprobsOf(event.logprobs)],
  'response.refusal.delta': (state, event) => textDelta(state, event, 'refusal'),
  'response.output_text.annotation.added': (state, event) => cited(state, partKey(event), recordOf(event.annotation)),

  'response.reasoning_summary_part.added'(state, event) {
    const key = itemKey(event.output_index);
    return state.parts.hasContent(key) ? state.parts.add(key, { kind: 'thinking-delta', text: PARAGRAPH }) : [];
  },
  'response.reasoning_summary_text.delta': thought,
  'response.reasoning_text.delta': thought,

  'response.function_call_arguments.delta'(state, event) {
    const json = textOf(event.delta);
    return json === '' ? [] : state.parts.add(itemKey(event.output_index), { kind: 'tool-call-delta', json });
  },
};

const itemKey = (outputIndex: unknown): string => String(outputIndex ?? 0);
const partKey = ({ output_index: item, content_index: content }: JsonRecord): string => `${itemKey(item)}.${content ?? 0}`;

const textKind = (type: unknown): 'text' | 'refusal' | undefined =>
  type === 'output_text' ? 'text' : type === 'refusal' ? 'refusal' : undefined;

/** Not every server tells of a part before its first piece. */
function textDelta(state: State, event: JsonRecord, kind: 'text' | 'refusal'): ChatEvent[] {
  const { parts } = state;
  const [key, text] = [partKey(event), textOf(event.delta)];
  if (text === '') return [];
  if (kind === 'text') textAt(state, key).measure.add(text);
  return [...parts.begin(key, { kind: `${kind}-start` }), ...parts.add(key, { kind: `${kind}-delta`, text })];
}

function textAt({ texts }: State, key: string): Text {
  const text = texts.get(key) ?? { measure: new Measure('code-points'), annotations: 0 };
  texts.set(key, text);
  return text;
}

function cited(state: State, key: string, wire: JsonRecord): ChatEvent[] {
  const text = textAt(state, key);
  text.annotations += 1;
  const citation = readAnnotation(wire);
  state.leftOut ||= !citation;
  return citation
    ? state.parts.add(key, { kind: 'citation', citation: converted(citation, at => text.measure.placeOf(at)) })
    : [];
}

/** Those that a whole part has and no event has told. */
const annotated = (state: State, key: string, { annotations }: JsonRecord): ChatEvent[] =>
  recordsOf(annotations)
    .slice(textAt(state, key).annotations)
    .flatMap(annotation => cited(state, key, annotation));

function thought({ parts }: State, { output_index: at, delta }: JsonRecord): ChatEvent[] {
  const [key, text] = [itemKey(at), textOf(delta)];
  if (text === '') return [];
  return [...parts.begin(key, { kind: 'thinking-start' }), ...parts.add(key, { kind: 'thinking-delta', text })];
}

function begun(state: State, key: string, item: JsonRecord): ChatEvent[] {
  switch (item.type) {
    case 'message':
      return [];
    case 'reasoning':
      return state.parts.begin(key, { kind: 'thinking-start' });
    case 'function_call':
      state.hasCalls = true;
      return state.parts.begin(key, { kind: 'tool-call-start', id: textOf(item.call_id), name: textOf(item.name) });
    default:
      state.leftOut = true;
      return [{ kind: 'server-tool' }];
  }
}

/** What came in no pieces comes now, from the whole item. */
function ended(state: State, key: string, item: JsonRecord): ChatEvent[] {
  const { parts } = state;
  switch (item.type) {
    case 'message':
      return endedMessage(state, key, item);
    case 'reasoning': {
      const text = parts.hasContent(key) ? '' : thoughtOf(item);
      const signature = signatureOfItem(item);
      return [
        ...begun(state, key, item),
        ...(text === '' ? [] : parts.add(key, { kind: 'thinking-delta', text })),
        ...(signature === undefined ? [] : parts.add(key, { kind: 'thinking-signature', signature })),
        ...parts.end(key),
      ];
    }
    case 'function_call': {
      const json = parts.hasContent(key) ? '' : textOf(item.arguments);
      return [
        ...begun(state, key, item),
        ...(json === '' ? [] : parts.add(key, { kind: 'tool-call-delta', json })),
        ...parts.end(key),
      ];
    }
    default: {
      state.leftOut = true;
      const billed = state.shown.note(item);
      return billed ? [{ kind: 'server-tool', billed }] : [];
    }
  }
}

function endedMessage(state: State, key: string, item: JsonRecord): ChatEvent[] {
  const { parts } = state;
  return recordsOf(item.content).flatMap((part, index) => {
    const kind = textKind(part.type);
    const its = `${key}.${index}`;
    if (!kind || parts.hasBegun(its)) return [...annotated(state, its, part), ...parts.end(its)];
    const text = textOf(kind === 'text' ? part.text : part.refusal);
    if (kind === 'text') textAt(state, its).measure.add(text);
    return [
      ...parts.begin(its, { kind: `${kind}-start` }),
      ...parts.add(its, { kind: `${kind}-delta`, text }),
      ...logprobsOf(part.logprobs),
      ...annotated(state, its, part),
      ...parts.end(its),
    ];
  });
}

function failed(state: State, broken: Failure): ChatEvent[] {
  state.phase = 'over';
  return [{ kind: 'error', failure: broken }];
}

function guarded(state: State, events: ChatEvent[]): ChatEvent[] {
  if (!state.parts.isTooMuch) return events;
  return failed(state, failure('upstream_bad_response', { message: 'The stream of the provider interleaves too much.' }));
}
