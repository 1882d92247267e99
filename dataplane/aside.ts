// Questions of the gateway's own to a model: what a judge is asked. An attempt as any other carries them: let in, written down, paid.
import type { ChatReply } from '#core/chat/reply.ts';
import type { ChatRequest } from '#core/chat/request.ts';
import { scanObject } from '#core/json/scan.ts';
import { modelOf } from '#core/plan/backends.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { ModelAt } from '#core/snapshot/snapshot.ts';
import type { Call } from './call.ts';
import { dispatch } from './dispatch.ts';
import type { ChatExchange } from './exchange.ts';
import { chat } from './frontends/index.ts';
import { HeldAnswer } from './held-answer.ts';
import { SCAN_LIMITS } from './open.ts';
import type { Ports } from './ports.ts';
import { asChat } from './providers/index.ts';
import { type Leg, Trip } from './trip.ts';

export type Aside = { readonly exchange: ChatExchange; readonly call: Call };

/**
 * A question about a request, as a call in the dialect that the gateway asks in, whatever the client's is.
 *
 * @param question what the model is asked, by its name
 * @returns undefined: there is no such model to be had
 */
export function asideOf(
  { exchange, call }: Aside,
  backend: string,
  at: ModelAt,
  question: (model: string) => ChatRequest,
): Aside | undefined {
  const provider = call.config.snapshot.providers[at.provider];
  const model = provider && modelOf(provider, at.model);
  if (!provider || !model) return undefined;
  const encoded = asChat(question(model.name), { provider, model });
  if (!encoded.ok) return undefined;
  const body = scanObject(Buffer.from(JSON.stringify(encoded.value.body)), SCAN_LIMITS);
  if (!body.ok) return undefined;
  const { metadata, tags, user } = call.envelope.controls;
  return {
    exchange: { ...exchange, frontend: chat },
    call: {
      ...call,
      body: body.value,
      envelope: {
        model: call.envelope.model,
        stream: false,
        includeUsage: true,
        controls: { metadata, tags, disableFallbacks: true, ...(user !== undefined && { user }) },
        edits: new Map(),
      },
      plan: onlyAt(call, { backend, provider, model, priority: 0, weight: 1 }),
    },
  };
}

export const onlyAt = ({ plan }: Call, candidate: Candidate): Call['plan'] => ({
  ...plan,
  candidates: [candidate],
  excluded: [],
});

/** Asks when nobody waits for it any more. @returns undefined: there is no answer */
export async function askAside({ exchange, call }: Aside, purpose: Leg['purpose'], ports: Ports): Promise<ChatReply | undefined> {
  const own = { ...exchange, id: ports.newRequestId(), startedAt: ports.monotonic() };
  const trip = new Trip(own, call, ports);
  const answer = new HeldAnswer(nobody, trip.candidate.model, false);
  try {
    const result = await dispatch(trip, { index: 0, purpose, client: answer }, ports, answer);
    return result.kind === 'answered' ? answer.reply() : undefined;
  } finally {
    await trip.settle();
  }
}

const nobody = { gone: false, listener: undefined };
