// Google's answers as neutral events: each frame of a stream is an answer of its own with the next parts. A whole reply is read as a stream
// of one frame, so both mean the same by construction.
import { type Citation, converted } from '#core/chat/citations/citation.ts';
import { type FoundCitation, readFetched, readGrounding, saysMore } from '#core/chat/citations/google.ts';
import { Measure } from '#core/chat/citations/measure.ts';
import { fold } from '#core/chat/fold.ts';
import { signedBy } from '#core/chat/foreign.ts';
import type { ChatEvent, ChatReply, Finish } from '#core/chat/reply.ts';
import type { Usage } from '#core/chat/usage.ts';
import { type Failure, failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord, type JsonRecord, parseRecord } from '#core/json/record.ts';
import type { ReplyFacts, RequestFields, SseMessage, StreamDecoder } from '../provider.ts';
import { countOf, recordOf, recordsOf, textOf } from '../wire.ts';
import { failureOfErrorObject } from './errors.ts';
import { finishOf, finishReasonOf, isBlocked, isBroken } from './finish.ts';
import { logprobsOf } from './logprobs.ts';
import { PartialArgs } from './partial-args.ts';
import { ShownTools } from './tools.ts';
import { usageOf } from './usage.ts';

type Events = readonly ChatEvent[];
type OpenCall = { readonly args: PartialArgs };

type State = {
  phase: 'before-start' | 'answering' | 'finished' | 'over';
  open: 'text' | 'thinking' | 'none';
  /** A call whose arguments come in pieces. */
  call: OpenCall | undefined;
  id: string;
  calls: number;
  hasContent: boolean;
  readonly shown: ShownTools;
  /** Some servers put a reason to end on every frame: only the end of the stream tells which was the last. */
  hasGoneOn: boolean;
  /** The latest, until it was told. */
  usage: Usage | undefined;
  /** How many candidates were asked for, and the indices of those that have ended. */
  readonly choices: number;
  readonly ended: Set<number>;
  finish: Finish | undefined;
  leftOut: boolean;
  /** The open text. */
  text: string;
  measure: Measure;
  /** Citations that were told: frames repeat them. */
  readonly cited: Set<string>;
  /** Addresses that Google read for the answer. */
  readonly fetched: Set<string>;
};

const newState = (choices: number): State => ({
  phase: 'before-start',
  open: 'none',
  call: undefined,
  id: '',
  calls: 0,
  hasContent: false,
  shown: new ShownTools(),
  hasGoneOn: false,
  usage: undefined,
  choices,
  ended: new Set(),
  finish: undefined,
  leftOut: false,
  text: '',
  measure: new Measure('bytes'),
  cited: new Set(),
  fetched: new Set(),
});

export function streamDecoder(request?: RequestFields): StreamDecoder {
  const state = newState(choicesOf(request));
  return {
    push: ({ data }) => (state.phase === 'over' || data.trim() === '' ? [] : read(state, data)),
    close: () => (state.phase === 'over' ? [] : closing(state)),
    leftOut: () => state.leftOut,
  };
}

export const choicesOf = (request: RequestFields | undefined): number => {
  const config = recordOf(request?.get('generationConfig') ?? request?.get('generation_config'));
  return Math.max(1, countOf(config.candidateCount ?? config.candidate_count));
};

function read(state: State, data: SseMessage['data']): Events {
  const answer = parseRecord(data);
  return answer
    ? onAnswer(state, answer)
    : failed(state, failure('upstream_bad_response', { message: 'A chunk of the stream is not JSON.' }));
}

function onAnswer(state: State, answer: JsonRecord): Events {
  if (isRecord(answer.error)) return failed(state, failureOfErrorObject(answer));
  const candidate = recordsOf(answer.candidates).find(({ index }) => (index ?? 0) === 0);
  const begun = onStart(state, answer);
  if (candidate && state.finish && saysSomething(candidate)) goOn(state);
  const said = candidate && state.finish === undefined ? onCandidate(state, candidate) : [];
  state.shown.note(answer);
  state.usage = usageOf(answer.usageMetadata, state.shown) ?? state.usage;
  return [...begun, ...said, ...told(state), ...onEnds(state, answer)];
}

/** The usage, told once, before the finish; not while words still come after a reason to end, as the last frame has the whole usage. */
function told(state: State): Events {
  const { usage } = state;
  if (!usage || state.hasGoneOn) return [];
  state.usage = undefined;
  return [{ kind: 'usage', usage, alone: false }];
}

/** What seemed to be the end was not. */
function goOn(state: State): void {
  state.hasGoneOn = true;
  state.phase = 'answering';
  state.finish = undefined;
  state.ended.delete(0);
}

function onStart(state: State, answer: JsonRecord): ChatEvent[] {
  if (state.phase !== 'before-start') return [];
  state.phase = 'answering';
  state.id = textOf(answer.responseId);
  return [{ kind: 'start', id: state.id, model: textOf(answer.modelVersion) }];
}

function onCandidate(state: State, candidate: JsonRecord): Events {
  const parts = recordsOf(recordOf(candidate.content).parts);
  const lastText = parts.findLastIndex(isWords);
  const starts: number[] = [];
  const events = parts.flatMap((part, index) => {
    starts.push(state.text.length);
    // What follows the words, a signature or a call, ends their part, and the sources are of that.
    const sources = index === lastText + 1 ? onSources(state, candidate, starts) : [];
    return [...sources, ...onPart(state, part)];
  });
  const sources = lastText === parts.length - 1 ? onSources(state, candidate, starts) : [];
  const logprobs = logprobsOf(candidate.logprobsResult);
  return [...events, ...sources, ...(logprobs ? [{ kind: 'logprobs', logprobs } as const] : [])];
}

const isWords = ({ text, thought }: JsonRecord): boolean => textOf(text) !== '' && thought !== true;

/** Addresses that were only read are told at the end, where nothing else has cited them. */
function onSources(state: State, candidate: JsonRecord, starts: readonly number[]): Events {
  state.leftOut ||= saysMore(candidate);
  const found = readGrounding(candidate).map(citation => placed(state, citation, starts));
  for (const { source } of found) if (source.kind === 'url') state.fetched.delete(source.url);
  for (const url of readFetched(candidate))
    if (!found.some(({ source }) => source.kind === 'url' && source.url === url)) state.fetched.add(url);
  const fetched = finishReasonOf(candidate) === undefined ? [] : [...state.fetched];
  return [...found, ...fetched.map((url): Citation => ({ source: { kind: 'url', url } }))].flatMap(citation =>
    cite(state, citation),
  );
}

function cite(state: State, citation: Citation): Events {
  const key = JSON.stringify(citation);
  if (state.cited.has(key)) return [];
  state.cited.add(key);
  if (state.open === 'text') return [{ kind: 'citation', citation }];
  state.leftOut = true;
  return [];
}

/**
 * In units of the open text. The pieces of a streamed answer count as one part; of a whole one each part counts for itself.
 * @param starts of the parts of this frame
 */
function placed({ text, measure }: State, { part, words, ...citation }: FoundCitation, starts: readonly number[]): Citation {
  const from = (start: number) => {
    const base = measure.before(start) ?? 0;
    return converted(citation, bytes => measure.placeOf(base + bytes));
  };
  const found = [from(0), from(starts[part] ?? 0)].find(
    ({ span }) => span && (words === undefined || text.slice(span.start, span.end) === words),
  );
  return found ?? converted(citation, () => undefined);
}

function onPart(state: State, part: JsonRecord): Events {
  if (isRecord(part.functionCall)) return onCall(state, part.functionCall, signatureOf(part));
  if (typeof part.text !== 'string') return onOther(state, part);
  return part.thought === true ? onThought(state, part.text, signatureOf(part)) : onText(state, part.text, signatureOf(part));
}

/** Code that Google runs, a search, an image: what has no neutral form. */
function onOther(state: State, { thoughtSignature, ...part }: JsonRecord): Events {
  if (Object.keys(part).length === 0) return signed(state, textOf(thoughtSignature));
  state.leftOut = true;
  state.hasContent = true;
  return [{ kind: 'server-tool' }];
}

const signatureOf = ({ thoughtSignature }: JsonRecord): string => textOf(thoughtSignature);

function onThought(state: State, text: string, signature: string): Events {
  if (text === '' && !signature) return [];
  state.hasContent = true;
  return [...open(state, 'thinking'), { kind: 'thinking-delta', text }, ...signed(state, signature)];
}

/** Google signs the part that comes after its thoughts, or an empty text at the end; what is signed is the thinking. */
function onText(state: State, text: string, signature: string): Events {
  const before = signature ? signed(state, signature) : [];
  if (text === '') return before;
  state.hasContent = true;
  const opened = open(state, 'text');
  state.text += text;
  state.measure.add(text);
  return [...before, ...opened, { kind: 'text-delta', text }];
}

function signed(state: State, signature: string): Events {
  if (!signature) return [];
  return [
    ...open(state, 'thinking'),
    { kind: 'thinking-signature', signature: signedBy('google', signature) },
    ...closePart(state),
  ];
}

function onCall(state: State, call: JsonRecord, signature: string): Events {
  const name = textOf(call.name);
  if (!name) return onCallPiece(state, call);
  const before = [...closeCall(state), ...signed(state, signature), ...closePart(state)];
  state.hasContent = true;
  const start: ChatEvent = { kind: 'tool-call-start', id: textOf(call.id) || ownId(state), name };
  state.calls += 1;
  if (call.willContinue === true) {
    state.call = { args: new PartialArgs() };
    return [...before, start, ...onCallPiece(state, call)];
  }
  const json = argumentsOf(call.args);
  return [...before, start, ...(json ? [{ kind: 'tool-call-delta' as const, json }] : []), { kind: 'part-end' }];
}

/** Models before Gemini 3 give their calls no ids, and without one a result could not say what it answers. */
const ownId = ({ id, calls }: State): string => `call_${id.replace(/[^a-zA-Z0-9]/g, '').slice(-24)}_${calls}`;

function onCallPiece(state: State, piece: JsonRecord): Events {
  state.call?.args.add(piece.partialArgs);
  if (state.call?.args.isBroken)
    return failed(state, failure('upstream_bad_response', { message: 'The arguments of a call make no sense.' }));
  return piece.willContinue === true ? [] : closeCall(state);
}

function closeCall(state: State): Events {
  if (!state.call) return [];
  const json = state.call.args.json();
  state.call = undefined;
  return [...(json === '{}' ? [] : [{ kind: 'tool-call-delta' as const, json }]), { kind: 'part-end' }];
}

/** `{}` says nothing, which the neutral form writes as the empty text. */
const argumentsOf = (args: unknown): string => (isRecord(args) && Object.keys(args).length > 0 ? JSON.stringify(args) : '');

function open(state: State, kind: 'text' | 'thinking'): Events {
  if (state.open === kind) return [];
  const before = [...closeCall(state), ...closePart(state)];
  state.open = kind;
  state.text = '';
  state.measure = new Measure('bytes');
  return [...before, { kind: `${kind}-start` }];
}

function closePart(state: State): Events {
  if (state.open === 'none') return [];
  state.open = 'none';
  return [{ kind: 'part-end' }];
}

/** The answer is over when all its candidates are. */
function onEnds(state: State, answer: JsonRecord): Events {
  if (state.phase !== 'answering') return [];
  if (isBlocked(answer)) return finished(state, { reason: 'content-filter' });
  for (const candidate of recordsOf(answer.candidates)) {
    const reason = finishReasonOf(candidate);
    if (reason === undefined) continue;
    const index = countOf(candidate.index);
    if (index === 0 && isBroken(reason)) return failed(state, brokenAnswer(candidate));
    if (index === 0) state.finish = finishOf(reason, state.calls > 0);
    if (state.ended.size < state.choices) state.ended.add(index);
  }
  return state.finish && state.ended.size >= state.choices ? finished(state, state.finish) : [];
}

const brokenAnswer = ({ finishReason }: JsonRecord): Failure =>
  failure('upstream_bad_response', { message: `The model gave no answer: ${textOf(finishReason)}.`, possiblyBilled: true });

function finished(state: State, finish: Finish): Events {
  state.phase = 'finished';
  return [...closeCall(state), ...closePart(state), { kind: 'finish', finish }];
}

/** There is no terminator: the end of the stream is the end of the answer, if that was over. */
function closing(state: State): Events {
  const isWhole = state.phase === 'finished';
  state.phase = 'over';
  state.hasGoneOn = false;
  return [...told(state), isWhole ? { kind: 'end' } : { kind: 'error', failure: failure('upstream_stream_truncated') }];
}

function failed(state: State, reason: Failure): Events {
  state.phase = 'over';
  return [{ kind: 'error', failure: reason }];
}

// ---------------------------------------------------------------- whole replies

export function decodeReply(body: unknown): Parsed<ChatReply> {
  const read = folded(body);
  return read.ok ? ok(read.value.reply) : read;
}

export function inspectReply(body: unknown): Parsed<ReplyFacts> {
  const answer = answerOf(body);
  if (!answer.ok) return answer;
  const { responseId, modelVersion, candidates } = answer.value;
  const shown = new ShownTools();
  shown.note(answer.value);
  const usage = usageOf(answer.value.usageMetadata, shown);
  const all = recordsOf(candidates);
  const isSomething = all.some(saysSomething);
  const filtered =
    isBlocked(answer.value) || all.some(candidate => finishOf(textOf(candidate.finishReason), false).reason === 'content-filter');
  const isWrong = all.length > 0 && all.every(candidate => isBroken(textOf(candidate.finishReason)));
  return ok({
    ...(usage && { usage }),
    ...(typeof responseId === 'string' && { id: responseId }),
    ...(typeof modelVersion === 'string' && { model: modelVersion }),
    filtered: filtered && !isSomething,
    empty: isWrong || (!filtered && !isSomething && (usage?.output ?? 0) === 0),
  });
}

const saysSomething = (candidate: JsonRecord): boolean => recordsOf(recordOf(candidate.content).parts).some(isSaid);

/** Any part but an empty text: a call, an image, what a tool of Google's gave. */
const isSaid = (part: JsonRecord): boolean => typeof part.text !== 'string' || part.text !== '';

export const leavesOut = (body: unknown): boolean => {
  const read = folded(body);
  return read.ok && read.value.leftOut;
};

function folded(body: unknown): Parsed<{ reply: ChatReply; leftOut: boolean }> {
  const answer = answerOf(body);
  if (!answer.ok) return answer;
  const state = newState(1);
  const { reply, failure: broken } = fold(onAnswer(state, answer.value));
  return broken ? { ok: false, failure: broken } : ok({ reply, leftOut: state.leftOut });
}

function answerOf(body: unknown): Parsed<JsonRecord> {
  if (!isRecord(body)) return refuse('upstream_bad_response');
  if (isRecord(body.error)) return { ok: false, failure: failureOfErrorObject(body) };
  return Array.isArray(body.candidates) || isRecord(body.promptFeedback) ? ok(body) : refuse('upstream_bad_response');
}
