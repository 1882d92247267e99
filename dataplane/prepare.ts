// From a call and a candidate to one upstream request: bytes passed through where both sides speak the same dialect, else decoded
// once and encoded for the target.
import { isUnbounded } from '#core/admission/tool-bound.ts';
import { withCacheMarks } from '#core/chat/cache-marks.ts';
import type { ChatReply } from '#core/chat/reply.ts';
import type { AssistantPart } from '#core/chat/request.ts';
import type { ServiceAsked } from '#core/chat/service.ts';
import type { ToolsAsked } from '#core/chat/tools-asked.ts';
import { noUsage } from '#core/chat/usage.ts';
import { type Failure, ok, type Parsed, refuse } from '#core/failure.ts';
import { editObject } from '#core/json/edit.ts';
import { isRecord } from '#core/json/record.ts';
import { tokens } from '#core/units.ts';
import type { ReadReply } from './attempt.ts';
import type { Call } from './call.ts';
import { type ChatExchange, isChat } from './exchange.ts';
import type { ReplyContext } from './frontends/frontend.ts';
import { preparePassed } from './prepare-passed.ts';
import { prepareUnary } from './prepare-unary.ts';
import { continuingWireFor, wireFor } from './providers/index.ts';
import type { Provider, RequestFields, StreamDecoder, Target, TokenCount } from './providers/provider.ts';
import { passthroughRelay } from './relay/passthrough.ts';
import type { Relay } from './relay/relay.ts';
import { resumedRelay, translateRelay } from './relay/translate.ts';
import type { Continuation } from './trip.ts';
import {
  addConfigured,
  configuredBody,
  edited,
  type Preparation,
  type Prepared,
  parseJson,
  post,
  targetOf,
} from './upstream-request.ts';

export type { Preparation, Prepared } from './upstream-request.ts';

/** What preparing one attempt goes by. */
type Task = {
  readonly exchange: ChatExchange;
  readonly call: Call;
  readonly provider: Provider;
  readonly target: Target;
  readonly context: ReplyContext;
  readonly filteredIsFailure: boolean;
  /** The answer may have no more tokens than this, whatever the client asked for. */
  readonly outputLimit: number | undefined;
  /** Another stream may go on with this one, should it break off. */
  readonly mayResume: boolean;
  readonly continuation: Continuation | undefined;
};

export function prepare(preparation: Preparation): Parsed<Prepared> {
  const { exchange } = preparation;
  if (isChat(exchange)) return prepareChat(preparation, exchange);
  return exchange.action === 'pass' ? preparePassed(preparation, exchange) : prepareUnary(preparation, exchange);
}

function prepareChat(
  { call, candidate, endpoint, createdSeconds, continuation, ...preparation }: Preparation,
  exchange: ChatExchange,
): Parsed<Prepared> {
  const outputLimit = shorter(preparation.outputLimit, continuation?.outputLimit);
  const { dialect } = exchange.frontend;
  const provider = (continuation && continuingWireFor(dialect, candidate)) ?? wireFor(dialect, candidate);
  const target = targetOf(call, candidate, endpoint);
  const task: Task = {
    exchange,
    call,
    provider,
    target,
    context: { requestId: exchange.id, createdSeconds, includeUsage: call.envelope.includeUsage, body: call.body },
    filteredIsFailure: call.plan.route?.fallback.on.includes('ContentFiltered') === true,
    outputLimit,
    mayResume: call.envelope.stream && call.plan.route?.fallback.midStream === 'Continue',
    continuation,
  };
  const same = provider.dialect === exchange.frontend.dialect && !provider.isForeign(call.body.bytes);
  return same ? passThrough(task) : translate(task);
}

const shorter = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);

/** How the provider is made to go on with what the client has; nothing where it answers anew. */
function continuationEdits(
  { provider, target, continuation }: Task,
  body: RequestFields,
): Parsed<ReadonlyMap<string, string | null>> {
  if (!continuation) return ok(nothing);
  const edits = provider.continuation?.(body, target);
  return edits ? ok(edits) : refuse('unsupported_parameter', { message: 'The target cannot go on with an answer.' });
}

const nothing: ReadonlyMap<string, string | null> = new Map();

// ---------------------------------------------------------------- equal dialects

function passThrough(task: Task): Parsed<Prepared> {
  const { exchange, call, provider, target, filteredIsFailure } = task;
  const { stream } = call.envelope;
  const edits = passthroughEdits(task);
  const goOn = continuationEdits(task, edited(call.body, edits));
  if (!goOn.ok) return goOn;
  for (const [name, value] of goOn.value) edits.set(name, value);
  const sent = edited(call.body, edits);
  for (const [name, value] of toolLimits(task, sent)) edits.set(name, value);
  const address = provider.address(target, { stream, action: exchange.action, client: exchange.headers });
  const body = editObject(call.body, edits);
  const count = exchange.action === 'count-tokens' ? provider.tokenCount?.(target.model) : undefined;
  return ok({
    provider,
    chat: provider,
    target,
    request: post(address, count ? JSON.stringify(count.body(JSON.parse(body.toString()))) : body, target),
    dropped: [],
    output: provider.outputAsked(sent),
    tools: toolsIn(task, sent),
    service: serviceIn(task, sent),
    read: bytes =>
      exchange.action === 'generate' ? readPassedThrough(provider, bytes, filteredIsFailure) : readCount(bytes, count),
    relay: stream ? sameDialectRelay(task) : undefined,
  });
}

/** What the provider runs by itself. */
const toolsIn = ({ exchange, provider, target: { model } }: Task, body: RequestFields): ToolsAsked | undefined =>
  exchange.action === 'generate' ? provider.toolsAsked?.(body, model) : undefined;

const serviceIn = ({ exchange, provider }: Task, body: RequestFields): ServiceAsked | undefined =>
  exchange.action === 'generate' ? provider.serviceAsked?.(body) : undefined;

/** Where the request does not bound that and the price does, the provider is told so as well. */
function toolLimits(task: Task, body: RequestFields): ReadonlyMap<string, string | null> {
  const { provider, target } = task;
  const most = target.model.price?.maxToolCalls;
  const asked = most === undefined ? undefined : toolsIn(task, body);
  return (asked && isUnbounded(asked) && provider.toolLimit?.(body, most!)) || nothing;
}

function sameDialectRelay(task: Task): Relay {
  const { exchange, call, provider, target, context, filteredIsFailure, mayResume, continuation } = task;
  const { frontend } = exchange;
  const decoder = provider.streamDecoder(call.body, target.model);
  if (continuation) return resumedRelay(decoder, continuation);
  const resume = {
    decoder: () => provider.streamDecoder(undefined, target.model),
    encoder: () => frontend.streamEncoder(context),
  };
  return passthroughRelay({
    decoder,
    notable: provider.notable,
    hideUsage: !context.includeUsage,
    terminator: frontend.terminator,
    filteredIsFailure,
    ...(mayResume && { resume }),
  });
}

/** All edits that invariant 5 allows: the model's name, our controls, `include_usage`, and what `parameters` ask for. */
function passthroughEdits(task: Task): Map<string, string | null> {
  const { exchange, call, provider, target, outputLimit } = task;
  const { model } = target;
  const edits = new Map(call.envelope.edits);
  for (const [name, value] of provider.passthroughEdits(call.body, call.envelope.stream, exchange.headers))
    edits.set(name, value);
  if (cachesAutomatically(task)) for (const [name, value] of cachingEdits(task)) edits.set(name, value);
  addConfigured(edits, target);
  if (outputLimit !== undefined) edits.set(...limitEdit(call.body, provider.outputLimitField(call.body, model), outputLimit));
  if (!provider.modelInPath && model.upstreamName !== call.envelope.model) edits.set('model', JSON.stringify(model.upstreamName));
  return edits;
}

const cachesAutomatically = ({ exchange, target }: Task): boolean =>
  target.provider.parameters.promptCaching === 'Automatic' && exchange.action === 'generate';

/** In the client's own dialect nothing is added to messages. */
function cachingEdits({ call, provider }: Task): ReadonlyMap<string, string | null> {
  const { automaticCaching } = provider;
  return automaticCaching && !call.body.bytes.includes(automaticCaching.mark) ? automaticCaching.edits : nothing;
}

/** Where the limit stands inside of a field, the rest of what that holds stays. */
function limitEdit(body: RequestFields, path: string, limit: number): [field: string, json: string] {
  const dot = path.indexOf('.');
  if (dot < 0) return [path, String(limit)];
  const field = path.slice(0, dot);
  const settings = body.get(field);
  return [field, JSON.stringify({ ...(isRecord(settings) && settings), [path.slice(dot + 1)]: limit })];
}

function readPassedThrough(provider: Provider, bytes: Buffer, filteredIsFailure: boolean): ReadReply {
  const parsed = parseJson(bytes);
  return parsed.ok ? wholeReply(provider, parsed.value, bytes, filteredIsFailure) : parsed;
}

/** A provider's count of tokens says nothing about usage, and costs none. */
function readCount(bytes: Buffer, count: TokenCount | undefined): ReadReply {
  const parsed = parseJson(bytes);
  if (!parsed.ok) return parsed;
  const told = count?.reply(parsed.value);
  if (count && !told) return refuse('upstream_bad_response');
  const body = told ? JSON.stringify(told) : bytes;
  return ok({ body, usage: noUsage, said: undefined, model: undefined, upstreamId: undefined });
}

function wholeReply(provider: Provider, json: unknown, bytes: Buffer, filteredIsFailure: boolean): ReadReply {
  const inspected = provider.inspectReply(json);
  if (!inspected.ok) return inspected;
  const { empty, filtered, usage, model, id } = inspected.value;
  if (filtered && filteredIsFailure) return { ...refuse('content_filtered'), usage };
  if (empty) return { ...refuse('upstream_empty_answer'), usage };
  return ok({ body: bytes, usage, said: usage ? undefined : saidIn(provider, json), model, upstreamId: id });
}

/** What the model wrote, where there is one answer and no count of it. */
function saidIn(provider: Provider, json: unknown): string | undefined {
  const { choices } = json as { choices?: readonly unknown[] };
  const reply = Array.isArray(choices) && choices.length > 1 ? undefined : provider.decodeReply(json);
  return reply?.ok ? reply.value.parts.map(textOfPart).join('\n') : undefined;
}

function textOfPart(part: AssistantPart): string {
  if (part.kind === 'tool-call') return `${part.name}\n${part.arguments}`;
  return 'text' in part ? part.text : '';
}

// ---------------------------------------------------------------- different dialects

/** What no other dialect can say is no fault of the request: another target may take it. */
function atTarget(failure: Failure, { exchange, target }: Task): Failure {
  if (failure.class !== 'unsupported_parameter') return failure;
  const { type } = target.provider.connection;
  const { dialect } = exchange.frontend;
  return { ...failure, message: `${failure.message} ${type} does not speak ${dialect} for this model.` };
}

function translate(task: Task): Parsed<Prepared> {
  const { exchange, call, provider, target, context, outputLimit } = task;
  const { frontend, action } = exchange;
  const decoded = frontend.decode(call.body);
  if (!decoded.ok) return { ok: false, failure: atTarget(decoded.failure, task) };
  const asked = outputLimit === undefined ? decoded.value : { ...decoded.value, maxOutputTokens: tokens(outputLimit) };
  const request = cachesAutomatically(task) ? withCacheMarks(asked) : asked;
  const encoded = provider.encode(request, target);
  if (!encoded.ok) return encoded;
  const { stream } = call.envelope;
  // A history that was cleaned for its own dialect keeps the client's version and betas.
  const sameDialect = provider.dialect === frontend.dialect && { client: exchange.headers };
  const body = configuredBody(encoded.value.body, target);
  const fields: RequestFields = { has: name => Object.hasOwn(body, name), get: name => body[name] };
  const goOn = continuationEdits(task, fields);
  if (!goOn.ok) return goOn;
  for (const [name, value] of goOn.value) body[name] = value === null ? undefined : JSON.parse(value);
  // And so does its body, which was cleaned and not built anew.
  if (sameDialect)
    for (const [name, value] of [
      ...provider.passthroughEdits(fields, stream, exchange.headers),
      ...(cachesAutomatically(task) ? cachingEdits(task) : nothing),
      ...(outputLimit === undefined ? [] : [limitEdit(fields, provider.outputLimitField(fields, target.model), outputLimit)]),
      ...toolLimits(task, fields),
    ])
      body[name] = value === null ? undefined : JSON.parse(value);
  const decoder = stream ? provider.streamDecoder(undefined, target.model) : undefined;
  const count = action === 'count-tokens' ? provider.tokenCount?.(target.model) : undefined;
  return ok({
    provider,
    chat: provider,
    target,
    request: post(
      provider.address(target, { stream, action, request, ...sameDialect }),
      JSON.stringify(count ? count.body(body) : body),
      target,
    ),
    dropped: encoded.value.dropped,
    output: provider.outputAsked(fields),
    tools: toolsIn(task, fields),
    service: serviceIn(task, fields),
    read: bytes =>
      action === 'generate'
        ? readTranslated(task, bytes, reply => frontend.encodeReply(reply, context).body)
        : readCount(bytes, count),
    relay: decoder && otherDialectRelay(task, decoder),
  });
}

function otherDialectRelay(
  { exchange, context, filteredIsFailure, mayResume, continuation }: Task,
  decoder: StreamDecoder,
): Relay {
  if (continuation) return resumedRelay(decoder, continuation);
  return translateRelay({ decoder, encoder: exchange.frontend.streamEncoder(context), filteredIsFailure, mayResume });
}

function readTranslated(
  { provider, target, filteredIsFailure }: Task,
  bytes: Buffer,
  encode: (reply: ChatReply) => string,
): ReadReply {
  const parsed = parseJson(bytes);
  if (!parsed.ok) return parsed;
  const read = wholeReply(provider, parsed.value, bytes, filteredIsFailure);
  if (!read.ok) return read;
  const reply = provider.decodeReply(parsed.value, target.model);
  return reply.ok ? ok({ ...read.value, body: encode(reply.value) }) : reply;
}
