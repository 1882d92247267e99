// A request at the cache: served from it before any upstream is asked, its own answer kept afterwards, and an answer that has expired as
// the last resort. What is found, and what is kept, is decided behind the port `answers`.

import { written } from '#core/accounting/cost-record.ts';
import { failure } from '#core/failure.ts';
import { modelOf } from '#core/plan/backends.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import { type EpochMillis, nanoUsd } from '#core/units.ts';
import { answerFailure, successHead } from './answer.ts';
import { writeDown } from './attempt-over.ts';
import type { CachedAnswer } from './cache/store.ts';
import type { Answers, Ports } from './ports.ts';
import { piecesOf, writePieces } from './replay.ts';
import { keptRow, reportedCost } from './settle.ts';
import type { ChatTrip, Trip } from './trip.ts';
import type { Heard, KeptAnswer } from './visit.ts';

/** What keeps answers for the trip's route; a request of any other route is not held up, nor one that is to fail on purpose. */
export const cacheOf = ({ plan, exchange, call }: ChatTrip, { answers }: Ports): Answers | undefined =>
  plan.route?.cache && exchange.action === 'generate' && !call.envelope.controls.mock ? answers : undefined;

/** @returns true: the client has its answer, or is gone */
export async function answerFromCache(trip: ChatTrip, answers: Answers, ports: Ports): Promise<boolean> {
  const { exchange, call } = trip;
  const visit = await answers.visit(exchange, call);
  trip.visit = visit;
  if (exchange.client.gone) {
    trip.failure = failure('client_closed');
    return true;
  }
  if (!visit.serves) return false;
  await answerKept(trip, visit.serves, visit.state === 'stale' ? 'stale' : 'hit', ports);
  return true;
}

/** An answer that was kept, in the client's dialect, streamed or whole as it asked. A hit counts in the limits of its key, and costs nothing. */
export async function answerKept(trip: ChatTrip, kept: KeptAnswer, state: 'hit' | 'stale', ports: Ports): Promise<void> {
  const { exchange, call } = trip;
  const candidate = whoAnswered(trip, kept);
  const begun = { exchange, call, candidate, attempt: trip.attempts, isFirst: trip.isFirst(candidate), cache: state };
  const row = written(
    keptRow({ ...begun, at: ports.now() as EpochMillis }, { similarity: kept.similarity, saved: kept.cost ?? nanoUsd(0) }),
  );
  const refusal = await trip.hold.coverFree(row);
  trip.failure = refusal;
  if (refusal) {
    answerFailure(exchange, refusal, trip);
    return;
  }
  writeDown(row, ports);
  await send(trip, kept, candidate, state, ports);
}

async function send(trip: ChatTrip, kept: KeptAnswer, candidate: Candidate, state: 'hit' | 'stale', ports: Ports): Promise<void> {
  const { exchange, call } = trip;
  const { client, frontend, id } = exchange;
  const { stream, includeUsage } = call.envelope;
  const context = { requestId: id, createdSeconds: Math.floor(ports.now() / 1000), includeUsage, body: call.body };
  // The provider's id is that of the first answer: two answers of one id would be one to those who collect them.
  const reply = { ...kept.reply, id: '' };
  const told = { key: kept.key, similarity: call.key.entry.exposeSimilarity ? kept.similarity : undefined };
  const head = successHead(trip, ports.monotonic(), { candidate, cost: nanoUsd(0), cache: state, kept: told });
  if (!stream) {
    head.push('content-type', 'application/json');
    client.whole(200, head, frontend.encodeReply(reply, context).body);
    return;
  }
  trip.firstTokenMs ??= ports.monotonic() - exchange.startedAt;
  client.startStream(head);
  const pieces = piecesOf(reply, frontend.streamEncoder(context), call.plan.route?.cache?.replay ?? 'Instant');
  if (!(await writePieces(client, pieces))) trip.failure = failure('client_closed');
}

/** Who made it, as far as it is still there. */
function whoAnswered({ call, plan }: Trip, kept: KeptAnswer): Candidate {
  const provider = call.config.snapshot.providers[kept.provider];
  const model = provider && modelOf(provider, kept.model);
  return provider && model ? { backend: 'cache', provider, model, priority: 0, weight: 1 } : plan.candidates[0]!;
}

/** When the client has its answer: what of it may be kept, is. */
export function keepAnswer(trip: Trip): void {
  const { visit, heard, failure } = trip;
  visit?.end(heard && !failure ? answerOf(trip, heard) : undefined, failure?.class === 'client_closed');
  heard?.forget();
}

function answerOf({ candidate }: Trip, heard: Heard): CachedAnswer | undefined {
  const reply = heard.reply();
  if (!reply || heard.hasMore) return undefined;
  const cost = reportedCost(candidate, reply.usage);
  return { reply, provider: candidate.provider.id, model: candidate.model.name, ...(cost != null && { cost }) };
}
