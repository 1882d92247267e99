// OpenAI's chunks and whole replies as neutral events: one handler for each thing that a chunk can hold. A whole reply is read as
// a stream of one chunk, so both mean the same by construction.
import type { Citation } from '#core/chat/citations/citation.ts';
import { readSources } from '#core/chat/citations/openai.ts';
import { fold } from '#core/chat/fold.ts';
import type { ChatEvent, ChatReply, Finish, Logprobs } from '#core/chat/reply.ts';
import { type Failure, failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';
import type { ReplyFacts, RequestFields, SseMessage, StreamDecoder } from '../provider.ts';
import { contentOf, hasMoreThanContent, type Piece } from './content.ts';
import { inBandFailure } from './errors.ts';
import { breakOf, finishOf, finishReasonOf } from './finish.ts';
import { PartSequence } from './parts.ts';
import { serviceIn } from './service.ts';
import { usageOf } from './usage.ts';

/** `"error"` in any place: `{"error":…}`, `{"object":"error"}`, `{"type":"error"}`, and OpenRouter's `"finish_reason":"error"`. */
export const notable = /"finish_reason"\s*:\s*"|"usage"\s*:\s*\{|"error"|"x_groq"|\[DONE\]/;

type State = {
  readonly parts: PartSequence;
  phase: 'before-start' | 'answering' | 'finished' | 'over';
  /** How many answers were asked for, and the indices of those that have ended. */
  readonly choices: number;
  readonly ended: Set<unknown>;
  /** Of choice 0, once it has ended. */
  finish: Finish | undefined;
  leftOut: boolean;
  /** What the answer rests on, as some servers say beside each piece of it: the last list counts. */
  sources: readonly Citation[];
};

const none: readonly Citation[] = [];

const newState = (choices: number): State => ({
  parts: new PartSequence(),
  phase: 'before-start',
  choices,
  ended: new Set(),
  finish: undefined,
  leftOut: false,
  sources: none,
});

export function streamDecoder(request?: RequestFields): StreamDecoder {
  const state = newState(choicesOf(request));
  return {
    push: message => (state.phase === 'over' ? [] : guarded(state, read(state, message))),
    close: () => (state.phase === 'over' ? [] : closing(state)),
    leftOut: () => state.leftOut || state.parts.hasUncited,
  };
}

function read(state: State, { data }: SseMessage): ChatEvent[] {
  const text = data.trim();
  if (text === '') return [];
  if (text === '[DONE]') return terminator(state);
  const chunk = parseRecord(text);
  return chunk
    ? onChunk(state, chunk)
    : failed(state, failure('upstream_bad_response', { message: 'A chunk of the stream is not JSON.' }));
}

function onChunk(state: State, chunk: JsonRecord): ChatEvent[] {
  const broken = inBandFailure(chunk);
  if (broken) return failed(state, broken);
  const choice = firstChoice(chunk);
  state.sources = readSources(chunk) ?? state.sources;
  return [
    ...onStart(state, chunk),
    ...(choice ? onChoice(state, choice) : []),
    ...onEnds(state, chunk),
    ...onUsage(state, chunk),
  ];
}

/** Azure's first chunk has filter results, no choice, and '' for id and model: it starts nothing. */
function onStart(state: State, chunk: JsonRecord): ChatEvent[] {
  if (state.phase !== 'before-start' || !(textIn(chunk.id) || textIn(chunk.model) || firstChoice(chunk))) return [];
  state.phase = 'answering';
  return [{ kind: 'start', id: textIn(chunk.id), model: textIn(chunk.model) }];
}

function onChoice(state: State, choice: JsonRecord): ChatEvent[] {
  if (state.phase !== 'answering' || state.finish) return [];
  // Some answer a streamed request with whole messages.
  const delta = choice.delta ?? choice.message;
  if (isRecord(delta) && hasMoreThanContent(delta)) state.leftOut = true;
  const content = isRecord(delta) ? contentOf(delta).flatMap(piece => onPiece(state.parts, piece)) : [];
  return [...content, ...onLogprobs(choice), ...onFinish(state, choice)];
}

function onPiece(parts: PartSequence, piece: Piece): ChatEvent[] {
  switch (piece.kind) {
    case 'call':
      return parts.call(piece);
    case 'citation':
      return parts.cite(piece.citation);
    default:
      return parts.text(piece.kind, piece.text);
  }
}

function onLogprobs({ logprobs }: JsonRecord): ChatEvent[] {
  return isRecord(logprobs) ? [{ kind: 'logprobs', logprobs: logprobs as Logprobs }] : [];
}

function onFinish(state: State, choice: JsonRecord): ChatEvent[] {
  const reason = finishReasonOf(choice);
  if (reason === undefined) return [];
  const broken = breakOf(reason);
  if (broken) return failed(state, failure(broken));
  state.finish = finishOf(reason, choice, state.parts.hasCalls);
  return [...state.sources.flatMap(source => state.parts.cite(source)), ...state.parts.finish()];
}

/** The answer is over when all its choices are: the connection may break between the end of one and the end of the next. */
function onEnds(state: State, { choices }: JsonRecord): ChatEvent[] {
  if (state.phase !== 'answering' || !Array.isArray(choices)) return [];
  for (const choice of choices)
    if (isRecord(choice) && finishReasonOf(choice) !== undefined && state.ended.size < state.choices)
      state.ended.add(choice.index ?? 0);
  return state.finish && state.ended.size >= state.choices ? finished(state, state.finish) : [];
}

function finished(state: State, finish: Finish): ChatEvent[] {
  state.phase = 'finished';
  return [{ kind: 'finish', finish }];
}

/** Groq's streams have it in `x_groq`, and of late at the top as well. */
function onUsage(state: State, chunk: JsonRecord): ChatEvent[] {
  const usage = usageOf(chunk.usage) ?? (isRecord(chunk.x_groq) ? usageOf(chunk.x_groq.usage) : undefined);
  if (!usage || state.phase === 'before-start' || state.phase === 'over') return [];
  return [{ kind: 'usage', usage: { ...usage, ...serviceIn(chunk) }, alone: !firstChoice(chunk) }];
}

/** `[DONE]` proves that the answer is whole, also where no finish reason came. */
function terminator(state: State): ChatEvent[] {
  const start = onStart(state, { choices: [{}] });
  const finish = state.phase === 'answering' ? [...state.parts.finish(), ...finished(state, state.finish ?? unsaid(state))] : [];
  state.phase = 'over';
  return [...start, ...finish, { kind: 'end' }];
}

const unsaid = (state: State): Finish => ({ ...finishOf('stop', {}, state.parts.hasCalls), isAssumed: true });

/** A stream may end without `[DONE]` once the finish reason has come. */
function closing(state: State): ChatEvent[] {
  if (state.phase !== 'finished') return failed(state, failure('upstream_stream_truncated'));
  state.phase = 'over';
  return [{ kind: 'end' }];
}

function failed(state: State, broken: Failure): ChatEvent[] {
  state.phase = 'over';
  return [{ kind: 'error', failure: broken }];
}

function guarded(state: State, events: ChatEvent[]): ChatEvent[] {
  if (!state.parts.isTooMuch) return events;
  return failed(state, failure('upstream_bad_response', { message: 'The stream of the provider interleaves too much.' }));
}

/** OpenAI takes no larger `n`. */
const CHOICES_MAX = 128;

function choicesOf(request: RequestFields | undefined): number {
  const n = request?.get('n');
  return typeof n === 'number' && n > 1 ? Math.min(n, CHOICES_MAX) : 1;
}

/** Choice 0 of the answer; of the others of `n` only their end is read. */
function firstChoice({ choices }: JsonRecord): JsonRecord | undefined {
  if (!Array.isArray(choices)) return undefined;
  return choices.find(choice => isRecord(choice) && (choice.index ?? 0) === 0) as JsonRecord | undefined;
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

// ---------------------------------------------------------------- whole replies

export function decodeReply(body: unknown): Parsed<ChatReply> {
  const reply = wholeReply(body);
  if (!reply.ok) return reply;
  const state = newState(1);
  const events = onChunk(state, reply.value);
  const folded = fold([...events, ...(state.phase === 'over' ? [] : terminator(state))]);
  return folded.failure ? { ok: false, failure: folded.failure } : ok(folded.reply);
}

export function leavesOut(body: unknown): boolean {
  const message = isRecord(body) && firstChoice(body)?.message;
  return isRecord(message) && hasMoreThanContent(message);
}

export function inspectReply(body: unknown): Parsed<ReplyFacts> {
  const reply = wholeReply(body);
  if (!reply.ok) return reply;
  const { id, model, usage: counts } = reply.value;
  const choice = firstChoice(reply.value);
  const reason = choice && finishReasonOf(choice);
  const broken = reason === undefined ? undefined : breakOf(reason);
  if (broken) return refuse(broken);
  const counted = usageOf(counts);
  const usage = counted && { ...counted, ...serviceIn(reply.value) };
  return ok({
    empty: !(choice && saysSomething(choice)) && !(usage && usage.output > 0),
    filtered: reason !== undefined && choice !== undefined && finishOf(reason, choice, false).reason === 'content-filter',
    ...(usage && { usage }),
    ...(typeof model === 'string' && { model }),
    ...(typeof id === 'string' && { id }),
  });
}

const saysSomething = ({ message }: JsonRecord): boolean =>
  isRecord(message) &&
  contentOf(message).some(piece => piece.kind === 'call' || (piece.kind !== 'citation' && piece.text !== ''));

function wholeReply(body: unknown): Parsed<JsonRecord> {
  if (!isRecord(body)) return refuse('upstream_bad_response');
  const broken = inBandFailure(body);
  if (broken) return { ok: false, failure: broken };
  return Array.isArray(body.choices) ? ok(body) : refuse('upstream_bad_response');
}
