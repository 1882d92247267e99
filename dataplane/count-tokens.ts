// Counting a prompt's tokens for a target that cannot count them itself: the gateway answers, with its own estimate.
import { tokens } from '#core/units.ts';
import { answerCount, answerFailure } from './answer.ts';
import { estimateInputTokens } from './frontends/index.ts';
import type { Ports } from './ports.ts';
import { wireFor } from './providers/index.ts';
import type { ChatTrip } from './trip.ts';

/** @returns false: not a count, or one that the target makes itself */
export async function answerOwnCount(trip: ChatTrip, ports: Ports): Promise<boolean> {
  const { exchange, call, candidate } = trip;
  const { encodeCount, frontend } = exchange;
  const wire = wireFor(frontend.dialect, candidate);
  const counts = wire?.dialect === frontend.dialect && (!wire.tokenCount || wire.tokenCount(candidate.model));
  if (!encodeCount || counts) return false;
  const request = frontend.decode(call.body);
  if (request.ok) answerCount(trip, encodeCount(tokens(await estimateInputTokens(request.value, ports.estimateTokens))), ports);
  else answerFailure(exchange, request.failure);
  return true;
}
