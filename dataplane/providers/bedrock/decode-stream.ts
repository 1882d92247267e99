// The event stream of ConverseStream as neutral events: a reducer with one handler for each wire event.
import { readConverseCitation } from '#core/chat/citations/converse.ts';
import type { ChatEvent } from '#core/chat/reply.ts';
import { type BilledTool, toolCallsIn } from '#core/chat/usage.ts';
import { type Failure, failure } from '#core/failure.ts';
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';
import type { SseMessage, StreamDecoder } from '../provider.ts';
import { entryOf, recordOf, textOf } from '../wire.ts';
import { finishOf, isClientTool } from './decode-reply.ts';
import { troubleIn } from './errors.ts';
import { unwrapped } from './redacted.ts';
import { serviceIn } from './service.ts';
import { calledIn } from './tools.ts';
import { usageOf } from './usage.ts';

type Events = readonly ChatEvent[];

/** The block that is open. `opaque`: of a kind that has no neutral form, left out with all its deltas. */
type OpenBlock = {
  readonly kind: 'text' | 'thinking' | 'tool-call' | 'redacted' | 'opaque';
  readonly index: unknown;
  /** Of a redacted one, as far as it came. */
  blob: string;
};

type State = {
  readonly model: string;
  started: boolean;
  /** Of tools that Bedrock runs. */
  readonly calls: [BilledTool, number][];
  open: OpenBlock | undefined;
  finished: boolean;
  /** An error or the end was told: nothing follows. */
  closed: boolean;
  leftOut: boolean;
};

type Handler = (state: State, event: JsonRecord) => Events;

/** @param model the wire has no name of it, and no id */
export function streamDecoder(_request?: unknown, model?: ModelEntry): StreamDecoder {
  const state: State = {
    model: model?.upstreamName ?? '',
    started: false,
    calls: [],
    open: undefined,
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

function reduce(state: State, message: SseMessage): Events {
  const trouble = troubleIn(message);
  if (trouble) return fail(state, trouble);
  const handler = entryOf(on, message.event);
  if (!handler) return [];
  const event = parseRecord(message.data);
  return event ? handler(state, event) : fail(state, failure('upstream_bad_response'));
}

/** By the name of the frame. What AWS adds later is passed over. */
const on: Readonly<Record<string, Handler>> = {
  messageStart: start,

  contentBlockStart(state, { start: block, contentBlockIndex: index }) {
    return [...start(state), ...closeBlock(state), ...openStarted(state, recordOf(block), index)];
  },

  // Texts and thinking begin with their first delta.
  contentBlockDelta(state, { delta, contentBlockIndex: index }) {
    const before = [...start(state), ...(state.open && state.open.index !== index ? closeBlock(state) : [])];
    return [...before, ...deltaEvents(state, recordOf(delta), index)];
  },

  contentBlockStop: closeBlock,

  messageStop(state, event) {
    const finish = finishOf(textOf(event.stopReason)) ?? { reason: 'stop' as const, isAssumed: true as const };
    if ('class' in finish) return fail(state, finish);
    state.finished = true;
    return [...start(state), ...closeBlock(state), { kind: 'finish', finish }];
  },

  /** The last event. */
  metadata(state, { usage, ...rest }) {
    const told: Events = isRecord(usage)
      ? [{ kind: 'usage', usage: { ...usageOf(usage), ...toolCallsIn(state.calls), ...serviceIn(rest) }, alone: true }]
      : [];
    if (!state.finished) return [...start(state), ...told];
    state.closed = true;
    return [...told, { kind: 'end' }];
  },
};

function start(state: State): Events {
  if (state.started) return [];
  state.started = true;
  return [{ kind: 'start', id: '', model: state.model }];
}

function openStarted(state: State, block: JsonRecord, index: unknown): Events {
  if (isClientTool(block.toolUse)) {
    const { toolUseId, name } = block.toolUse;
    state.open = { kind: 'tool-call', index, blob: '' };
    return [{ kind: 'tool-call-start', id: textOf(toolUseId), name: textOf(name) }];
  }
  // A block that says at its start what it is has no neutral form but for a tool call; one that does not is told by its deltas.
  if (Object.keys(block).length === 0) return [];
  openOpaque(state, index);
  const billed = calledIn(block);
  if (billed) state.calls.push([billed, 1]);
  return isRecord(block.toolUse) ? [{ kind: 'server-tool', ...(billed && { billed }) }] : [];
}

function openOpaque(state: State, index: unknown): void {
  state.leftOut = true;
  state.open = { kind: 'opaque', index, blob: '' };
}

function deltaEvents(state: State, delta: JsonRecord, index: unknown): Events {
  if (state.open?.kind === 'opaque') return [];
  if (typeof delta.text === 'string') return said(state, 'text', delta.text, index);
  if (isRecord(delta.reasoningContent)) return thought(state, delta.reasoningContent, index);
  if (isRecord(delta.toolUse)) {
    const json = textOf(delta.toolUse.input);
    if (state.open?.kind !== 'tool-call') return fail(state, failure('upstream_bad_response'));
    return json === '' ? [] : [{ kind: 'tool-call-delta', json }];
  }
  if (isRecord(delta.citation)) return cited(state, delta.citation, index);
  if (!state.open) openOpaque(state, index);
  return [];
}

/** Before the text that it is of, or after it. */
function cited(state: State, wire: JsonRecord, index: unknown): Events {
  const citation = readConverseCitation(wire);
  state.leftOut ||= !citation;
  return citation ? [...openedAs(state, 'text', index), { kind: 'citation', citation }] : [];
}

function said(state: State, kind: 'text' | 'thinking', text: string, index: unknown): Events {
  const opened = openedAs(state, kind, index);
  return text === '' ? opened : [...opened, { kind: `${kind}-delta`, text }];
}

function thought(state: State, { text, signature, redactedContent }: JsonRecord, index: unknown): Events {
  if (typeof redactedContent === 'string') {
    const opened = openedAs(state, 'redacted', index);
    state.open!.blob += unwrapped(redactedContent);
    return opened;
  }
  if (typeof signature !== 'string') return said(state, 'thinking', textOf(text), index);
  const opened = openedAs(state, 'thinking', index);
  return signature === '' ? opened : [...opened, { kind: 'thinking-signature', signature }];
}

/** The block that a delta of this kind belongs to, begun if it was not. */
function openedAs(state: State, kind: 'text' | 'thinking' | 'redacted', index: unknown): Events {
  if (state.open?.kind === kind) return [];
  const before = closeBlock(state);
  state.open = { kind, index, blob: '' };
  return kind === 'redacted' ? before : [...before, { kind: `${kind}-start` }];
}

function closeBlock(state: State): Events {
  const { open } = state;
  state.open = undefined;
  switch (open?.kind) {
    case undefined:
    case 'opaque':
      return [];
    case 'redacted':
      return [{ kind: 'redacted-thinking', data: open.blob }];
    default:
      return [{ kind: 'part-end' }];
  }
}

function closeStream(state: State): Events {
  if (!state.finished) return fail(state, failure('upstream_stream_truncated'));
  state.closed = true;
  return [{ kind: 'end' }];
}

function fail(state: State, reason: Failure): Events {
  state.closed = true;
  return [{ kind: 'error', failure: reason }];
}
