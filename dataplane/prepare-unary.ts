// From a request that is no conversation (embeddings, rerank, moderations) and a candidate to one upstream request: bytes passed through
// where both sides speak the same, else decoded once and encoded for the target. The answer is always whole.
import { isUtf8 } from 'node:buffer';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { editObject } from '#core/json/edit.ts';
import { type ScanLimits, scanObject } from '#core/json/scan.ts';
import type { ReplyTold } from '#core/unary/unary.ts';
import type { ReadReply, WholeReply } from './attempt.ts';
import type { Call } from './call.ts';
import type { UnaryExchange } from './exchange.ts';
import type { ReplyContext, UnaryFrontend } from './frontends/frontend.ts';
import { unaryWireFor } from './providers/index.ts';
import type { Native, OutputAsked, Target, UnaryWire } from './providers/provider.ts';
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

/** What preparing one attempt goes by. */
type Task = {
  readonly exchange: UnaryExchange;
  readonly call: Call;
  readonly wire: UnaryWire;
  readonly target: Target;
  readonly context: ReplyContext;
};

export function prepareUnary(
  { call, candidate, endpoint, createdSeconds }: Preparation,
  exchange: UnaryExchange,
): Parsed<Prepared> {
  const { frontend, id } = exchange;
  const target = targetOf(call, candidate, endpoint);
  const wire = unaryWireFor(frontend.operation, target);
  if (!wire) return refuse('unsupported_parameter', { message: hasNone(frontend, target), param: 'model' });
  const task = { exchange, call, wire, target, context: { requestId: id, createdSeconds, includeUsage: true } };
  const { native } = wire;
  const same = native?.dialect === frontend.dialect && !native.isForeign?.(call.body);
  return same ? passThrough(task, native) : translate(task);
}

const hasNone = ({ operation }: UnaryFrontend, { provider, model }: Target): string =>
  `The model '${model.name}' of provider ${provider.id} (type ${provider.connection.type}) has no ${operation}.`;

/** What comes back is no text of a model: only the input counts. */
const noOutput: OutputAsked = { maxTokens: 0, choices: 1 };

const common = ({ wire, target }: Task) =>
  ({ provider: wire, chat: undefined, target, relay: undefined, output: noOutput }) as const;

// ---------------------------------------------------------------- equal dialects

function passThrough(task: Task, native: Native): Parsed<Prepared> {
  const { call, wire, target } = task;
  const edits = new Map(call.envelope.edits);
  addConfigured(edits, target);
  const { upstreamName } = target.model;
  if (edited(call.body, edits).get('model') !== upstreamName) edits.set('model', JSON.stringify(upstreamName));
  return ok({
    ...common(task),
    request: post(wire.address(target), editObject(call.body, edits), target),
    dropped: [],
    read: bytes => readPassedThrough(native, bytes),
  });
}

/** Vectors are megabytes of numbers: the reply is checked to be whole JSON, and only what stands around them is read. */
function readPassedThrough({ inspectReply }: Native, bytes: Buffer): ReadReply {
  if (bytes.length === 0) return refuse('upstream_empty_answer');
  const scanned = scanObject(bytes, REPLY_LIMITS);
  if (!scanned.ok) return refuse('upstream_bad_response');
  const told = inspectReply(scanned.value);
  return told.ok ? ok(wholeReply(bytes, told.value)) : told;
}

const REPLY_LIMITS: ScanLimits = { maxDepth: 128, interpreted: new Set(), isUtf8 };

const wholeReply = (body: Buffer | string, { usage, model, id }: ReplyTold): WholeReply => ({
  body,
  usage,
  said: undefined,
  model,
  upstreamId: id,
});

// ---------------------------------------------------------------- different dialects

function translate(task: Task): Parsed<Prepared> {
  const { exchange, call, wire, target, context } = task;
  const { translation: client } = exchange.frontend;
  const { translation: upstream } = wire;
  if (!client || !upstream)
    return refuse('unsupported_parameter', { message: hasNone(exchange.frontend, target), param: 'model' });
  const decoded = client.decode(call.body);
  if (!decoded.ok) return decoded;
  const request = decoded.value;
  const encoded = upstream.encode(request, target);
  if (!encoded.ok) return encoded;
  return ok({
    ...common(task),
    request: post(wire.address(target), JSON.stringify(configuredBody(encoded.value.body, target)), target),
    dropped: encoded.value.dropped,
    read: (bytes, headers) => {
      const parsed = parseJson(bytes);
      const reply = parsed.ok ? upstream.decodeReply(parsed.value, request, headers) : parsed;
      return reply.ok ? ok(wholeReply(client.encodeReply(reply.value, request, context).body, reply.value)) : reply;
    },
  });
}
