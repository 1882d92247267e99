// Log probabilities of the Responses wire in the form of the chat wire, which the neutral model has: the same records in one more object.
import type { ChatEvent } from '#core/chat/reply.ts';

export const logprobsOf = (list: unknown): ChatEvent[] =>
  Array.isArray(list) && list.length > 0 ? [{ kind: 'logprobs', logprobs: { content: list, refusal: null } }] : [];
