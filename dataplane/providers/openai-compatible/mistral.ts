// Mistral's own API: chat completions with names and rules of its own, and no field that it does not know. Read against
// @mistralai/mistralai 2.7 (ChatCompletionRequest).
import { shortToolId } from '#core/chat/foreign.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonRecord } from '#core/json/record.ts';
import { LeavingOut } from '../leaving-out.ts';
import { compatibleProfile, encodeFor } from '../openai/index.ts';
import type { EncodedRequest, Provider, RequestFields } from '../provider.ts';
import { recordsOf } from '../wire.ts';
import type { CompatibleConnection, CompatibleTarget } from './target.ts';

type Body = Record<string, unknown>;

const encodeAsCompatible = encodeFor({ ...compatibleProfile, target: 'Mistral' });

function encode(request: ChatRequest, target: CompatibleTarget): Parsed<EncodedRequest> {
  const limits = new LeavingOut('Mistral', target.provider.parameters.dropUnsupported);
  const { logprobs, ...rest } = request;
  if (logprobs) limits.leaveOut('logprobs');
  if (limits.refusal) return { ok: false, failure: limits.refusal };
  const encoded = encodeAsCompatible(rest, target);
  if (!encoded.ok) return encoded;
  const { body, dropped } = encoded.value;
  return ok({ body: asMistral(body), dropped: [...limits.dropped, ...dropped] });
}

function asMistral({ stream_options: _usage, user: _user, seed, tool_choice: choice, messages, ...body }: Body): Body {
  return {
    ...body,
    ...(seed !== undefined && { random_seed: seed }),
    ...(choice !== undefined && { tool_choice: choice === 'required' ? 'any' : choice }),
    messages: recordsOf(messages).map(messageOf),
  };
}

/** Nobody has a name, and ids are of nine letters and digits. */
function messageOf({ name: _name, tool_calls: calls, tool_call_id: callId, ...message }: JsonRecord): Body {
  return {
    ...message,
    ...(Array.isArray(calls) && { tool_calls: recordsOf(calls).map(call => ({ ...call, id: shortToolId(String(call.id)) })) }),
    ...(callId !== undefined && { tool_call_id: shortToolId(String(callId)) }),
  };
}

/** The same fields in Mistral's words: usage comes with every stream, without being asked for, and nobody is named. */
function passthroughEdits(body: RequestFields): ReadonlyMap<string, string | null> {
  const edits = new Map<string, string | null>();
  for (const name of ['stream_options', 'user']) if (body.has(name)) edits.set(name, null);
  for (const [name, own] of [
    ['seed', 'random_seed'],
    ['max_completion_tokens', 'max_tokens'],
  ] as const) {
    if (!body.has(name)) continue;
    edits.set(name, null);
    if (!body.has(own)) edits.set(own, JSON.stringify(body.get(name)));
  }
  return edits;
}

const CALL_ID = '"tool_call_id"';
/** An id that Mistral's models do not take. Inside a text its quotes would be escaped. */
const foreignId = /"tool_call_id"\s*:\s*"(?![a-zA-Z0-9]{9}")/;

/** A history that another provider's models made. */
const isForeign = (body: Buffer): boolean => body.includes(CALL_ID) && foreignId.test(body.toString('latin1'));

export const mistralOf = (chat: Provider<CompatibleConnection>): Provider<CompatibleConnection> => ({
  ...chat,
  encode,
  passthroughEdits,
  outputLimitField: () => 'max_tokens',
  isForeign,
});
