// Counting a prompt's tokens for a target that cannot count them itself: the gateway answers, with its own estimate.
import { type Tokens, tokens } from '#core/units.ts';
import { answerCount, answerFailure } from './answer.ts';
import { estimateInputTokens } from './frontends/index.ts';
import type { Ports } from './ports.ts';
import { wireFor } from './providers/index.ts';
import type { ChatTrip } from './trip.ts';

/** @returns false: not a count, or one that the target makes itself */
export function answerOwnCount(trip: ChatTrip, ports: Ports): false | Promise<true> {
  const { encodeCount, frontend } = trip.exchange;
  if (!encodeCount) return false;
  const wire = wireFor(frontend.dialect, trip.candidate);
  const counts = wire.dialect === frontend.dialect && (!wire.tokenCount || wire.tokenCount(trip.candidate.model));
  return counts ? false : count(trip, encodeCount, ports);
}

async function count(trip: ChatTrip, encode: (count: Tokens) => string, ports: Ports): Promise<true> {
  const request = trip.exchange.frontend.decode(trip.call.body);
  if (request.ok) answerCount(trip, encode(tokens(await estimateInputTokens(request.value, ports.estimateTokens))), ports);
  else answerFailure(trip.exchange, request.failure);
  return true;
}
