// A stream that broke off after its first token, gone on with elsewhere: the request anew, with what the client has of the answer as
// its last message, which the next model goes on with.
import type { AttemptPolicy } from '#core/attempt/next-step.ts';
import { failure } from '#core/failure.ts';
import { editObject } from '#core/json/edit.ts';
import { scanObject } from '#core/json/scan.ts';
import type { JsonView } from '#core/json/view.ts';
import type { AttemptResult } from './attempt.ts';
import { InputKnowledge } from './bounds.ts';
import { isChat } from './exchange.ts';
import type { Frontend } from './frontends/index.ts';
import { SCAN_LIMITS } from './open.ts';
import type { Ports } from './ports.ts';
import { continuingWireFor } from './providers/index.ts';
import type { Continuation, Trip } from './trip.ts';

/**
 * undefined: the route does not ask for it, or there is more to the answer than text, which alone can be given to another model as its
 * own words.
 */
export async function continuationOf(
  trip: Trip,
  result: AttemptResult,
  { fallback }: AttemptPolicy,
  ports: Ports,
): Promise<Continuation | undefined> {
  const { spoken } = result;
  const { exchange, call } = trip;
  if (!spoken || !isChat(exchange) || fallback.midStream !== 'Continue') return undefined;
  const request = exchange.frontend.decode(call.body);
  if (!request.ok || (request.value.choices ?? 1) > 1 || request.value.output) return undefined;
  // The client's own prefill and ours would be two messages, with an end between them.
  if (request.value.messages.at(-1)?.role === 'assistant') return undefined;
  const text = spoken.text.trimEnd();
  const body = text === '' ? undefined : withAnswer(call.body, exchange.frontend, text);
  if (!body) return undefined;
  const asked = request.value.maxOutputTokens;
  const left = asked === undefined ? undefined : Math.max(1, asked - (await ports.estimateTokens(spoken.text)));
  return {
    spoken,
    trimmed: spoken.text.slice(text.length),
    call: { ...call, body },
    input: new InputKnowledge(exchange, body, ports.estimateTokens),
    outputLimit: left,
    broken: result.failure ?? failure('upstream_stream_truncated'),
  };
}

/** undefined: the dialect has no turns that stand side by side. */
function withAnswer(body: JsonView, { fields: { turns, spokenTurn } }: Frontend, text: string): JsonView | undefined {
  const field = body.fields.get(turns);
  if (!field || !spokenTurn) return undefined;
  const earlier = body.bytes.toString('utf8', field.start, field.end);
  const edited = editObject(body, new Map([[turns, `${earlier.slice(0, -1)},${JSON.stringify(spokenTurn(text))}]`]]));
  const scanned = scanObject(edited, SCAN_LIMITS);
  return scanned.ok ? scanned.value : undefined;
}

/** Whether models of a backend may be able to: the rest depends on the request. */
export const canContinue = ({ candidates, exchange }: Trip, index: number): boolean =>
  isChat(exchange) && continuingWireFor(exchange.frontend.dialect, candidates[index]!) !== undefined;
