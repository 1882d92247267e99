// The event stream of Anthropic's as neutral events: a reducer with one handler for each wire event. It buffers nothing but the
// input of a tool call that came whole in its first event.
import { readAnthropicCitation } from '#core/chat/citations/anthropic.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { type Failure, failure } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { SseMessage, StreamDecoder } from '../provider.ts';
import { entryOf, recordOf, recordsOf, textOf } from '../wire.ts';
import { argumentsOf, finishOf } from './decode-reply.ts';
import { failureOfErrorObject } from './errors.ts';
import { ShownTools } from './tools.ts';
import { mergeUsage, usageOf } from './usage.ts';

type Events = readonly ChatEvent[];

/** The block that is open. `opaque`: of a kind that only Anthropic knows, left out with all its deltas. */
type OpenBlock = { readonly kind: 'text' | 'thinking' | 'tool-call' | 'opaque'; wholeInput: string };

type State = {
  /** Id of the message; undefined before `message_start`. */
  messageId: string | undefined;
  open: OpenBlock | undefined;
  usage: JsonRecord;
  readonly shown: ShownTools;
  finished: boolean;
  /** An error or the end was told: nothing follows. */
  closed: boolean;
  /** There was a block that only Anthropic knows. */
  leftOut: boolean;
};

type Handler = (state: State, event: JsonRecord) => Events;

export function streamDecoder(): StreamDecoder {
  const state: State = {
    messageId: undefined,
    open: undefined,
    usage: {},
    shown: new ShownTools(),
    finished: false,
    closed: false,
    leftOut: false,
  };
  return {
    push: message => (state.closed ? [] : reduce(state, message)),
    close: () => (state.closed ? [] : closeStream(state)),
    leftOut: () => state.leftOut,
  };
}

function reduce(state: State, { event, data }: SseMessage): Events {
  const wire = parsed(data);
  if (wire === undefined) return data === '' ? [] : fail(state, failure('upstream_bad_response'));
  if (event === 'error' || isRecord(wire.error)) return fail(state, failureOfErrorObject(wire));
  return entryOf(on, textOf(wire.type) || event)?.(state, wire) ?? [];
}

/** By the `type` of the data. Anthropic adds event types without notice and asks clients to ignore them; `ping` means nothing. */
const on: Readonly<Record<string, Handler>> = {
  message_start(state, event) {
    const message = recordOf(event.message);
    const id = textOf(message.id);
    if (state.messageId !== undefined) return secondStart(state, id);
    state.messageId = id;
    return [{ kind: 'start', id, model: textOf(message.model) }, ...usageEvents(state, message.usage)];
  },

  content_block_start(state, event) {
    const block = recordOf(event.content_block);
    const before = closeBlock(state);
    return [...before, ...(entryOf(blockStarts, block.type) ?? opaqueStart)(state, block)];
  },

  content_block_delta(state, event) {
    if (!state.open) return fail(state, failure('upstream_bad_response'));
    const delta = recordOf(event.delta);
    return entryOf(deltas, delta.type)?.(state, delta) ?? [];
  },

  content_block_stop: closeBlock,

  message_delta(state, event) {
    const usage = usageEvents(state, event.usage);
    const finish = finishOf(recordOf(event.delta));
    if (!finish) return usage;
    state.finished = true;
    return [...closeBlock(state), ...usage, { kind: 'finish', finish }];
  },

  message_stop(state) {
    state.closed = true;
    const unsaid: Events = state.finished ? [] : [{ kind: 'finish', finish: { reason: 'stop', isAssumed: true } }];
    return [...closeBlock(state), ...unsaid, { kind: 'end' }];
  },
};

/**
 * Some gateways repeat the frame of one message: ignored. Another id is the stream of a second attempt spliced into the first by an
 * intermediary; both together are no answer, and their signed thinking could not be sent back (vercel/ai#18331).
 */
function secondStart(state: State, id: string): Events {
  return id === state.messageId ? [] : fail(state, failure('upstream_bad_response'));
}

const blockStarts: Readonly<Record<string, Handler>> = {
  text(state, block) {
    state.open = { kind: 'text', wholeInput: '' };
    const cited = recordsOf(block.citations).flatMap(citation => cite(state, citation));
    return [{ kind: 'text-start' }, ...cited, ...textDelta(block.text)];
  },
  thinking(state, block) {
    state.open = { kind: 'thinking', wholeInput: '' };
    return [{ kind: 'thinking-start' }, ...thinkingDelta(block.thinking), ...signature(block.signature)];
  },
  redacted_thinking(state, block) {
    state.open = { kind: 'opaque', wholeInput: '' };
    return [{ kind: 'redacted-thinking', data: textOf(block.data) }];
  },
  // Called by code that Anthropic runs, a tool gets its input whole and no deltas follow.
  tool_use(state, block) {
    state.open = { kind: 'tool-call', wholeInput: argumentsOf(block.input) };
    return [{ kind: 'tool-call-start', id: textOf(block.id), name: textOf(block.name) }];
  },
};

const opaqueStart: Handler = (state, block) => {
  state.leftOut = true;
  state.open = { kind: 'opaque', wholeInput: '' };
  const billed = state.shown.note(block);
  return billed ? [{ kind: 'server-tool', billed }] : [];
};

const deltas: Readonly<Record<string, Handler>> = {
  text_delta: (state, delta) => (state.open?.kind === 'text' ? textDelta(delta.text) : []),
  thinking_delta: (state, delta) => (state.open?.kind === 'thinking' ? thinkingDelta(delta.thinking) : []),
  signature_delta: (state, delta) => (state.open?.kind === 'thinking' ? signature(delta.signature) : []),
  // Before the text that it is of, or among it.
  citations_delta: (state, delta) => (state.open?.kind === 'text' ? cite(state, recordOf(delta.citation)) : []),
  input_json_delta(state, delta) {
    const json = textOf(delta.partial_json);
    if (state.open?.kind !== 'tool-call' || json === '') return [];
    state.open.wholeInput = '';
    return [{ kind: 'tool-call-delta', json }];
  },
};

function cite(state: State, wire: JsonRecord): Events {
  const citation = readAnthropicCitation(wire);
  state.leftOut ||= !citation;
  return citation ? [{ kind: 'citation', citation }] : [];
}

const textDelta = (text: unknown): Events => (textOf(text) ? [{ kind: 'text-delta', text: textOf(text) }] : []);
const thinkingDelta = (text: unknown): Events => (textOf(text) ? [{ kind: 'thinking-delta', text: textOf(text) }] : []);
const signature = (value: unknown): Events => (textOf(value) ? [{ kind: 'thinking-signature', signature: textOf(value) }] : []);

function usageEvents(state: State, usage: unknown): Events {
  if (!isRecord(usage)) return [];
  state.usage = mergeUsage(state.usage, usage);
  return [{ kind: 'usage', usage: usageOf(state.usage, state.shown), alone: false }];
}

function closeBlock(state: State): Events {
  const { open } = state;
  state.open = undefined;
  if (!open || open.kind === 'opaque') return [];
  const input: Events = open.wholeInput ? [{ kind: 'tool-call-delta', json: open.wholeInput }] : [];
  return [...input, { kind: 'part-end' }];
}

function closeStream(state: State): Events {
  if (!state.finished) return fail(state, failure('upstream_stream_truncated'));
  state.closed = true;
  return [...closeBlock(state), { kind: 'end' }];
}

function fail(state: State, reason: Failure): Events {
  state.closed = true;
  return [{ kind: 'error', failure: reason }];
}

function parsed(data: string): JsonRecord | undefined {
  try {
    return recordOf(JSON.parse(data));
  } catch {
    return undefined;
  }
}
