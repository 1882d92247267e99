// Session affinity: the first choice of a session stays the same while it is healthy. Every process picks it by the same hash, so nothing
// is shared; what a process remembers of its sessions (sessions.ts) keeps them where they are when a better-placed backend returns.
import type { RouteEntry } from '../snapshot/snapshot.ts';
import type { PlanContext } from './context.ts';
import { hashText, rendezvous } from './hash.ts';
import { move } from './strategies/order.ts';
import type { Standing } from './strategies/strategy.ts';

/** Brings the session's own backend to the front of the first choices, which are healthy and in the order of the strategy. */
export function keepSession(standings: Standing[], { needs, sessions, now }: PlanContext, route: RouteEntry): void {
  if (!route.affinity || standings.length === 0) return;
  const session = needs.session(route.affinity.header);
  if (session === undefined) return;
  const hash = hashText(session, hashText(route.id));
  // 52 bits for who remembers; 32 are enough to choose by.
  const id = hash * 2 ** 20 + (hashText(session) >>> 12);
  const last = sessions?.last(id, now);
  let index = last === undefined ? -1 : standings.findIndex(s => s.candidate.backend === last);
  if (index < 0) index = ownOf(standings, hash);
  move(standings, index, 0);
  sessions?.went(id, standings[0]!.candidate.backend, now + route.affinity.ttl);
}

/** By configured weights: what is measured differs from process to process. */
function ownOf(standings: readonly Standing[], session: number): number {
  let own = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (const [index, { candidate, hash }] of standings.entries()) {
    const rank = rendezvous(session, hash, candidate.weight);
    if (rank < lowest) [own, lowest] = [index, rank];
  }
  return own;
}
