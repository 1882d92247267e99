// The story of a decision: for one request, what every route and every backend said. The same functions decide in the data plane.
import type { KeyEntry, RouteEntry, Snapshot } from '../snapshot/snapshot.ts';
import { nothingKnown, type PlanContext } from './context.ts';
import { type Plan, planRoute, type Score } from './plan.ts';
import { invisible, matchRoute, mismatch, type RequestFacts, routeIndex } from './route-index.ts';

export type RouteStory = {
  readonly route: string;
  readonly taken: boolean;
  /** Why not, one line for each item of `match`; for the one that is taken, empty. */
  readonly reasons: readonly string[];
};

export type Explanation = {
  readonly routes: readonly RouteStory[];
  readonly plan?: Plan;
  /** What the route's strategy saw of each candidate. */
  readonly scores: readonly Score[];
};

/** @param context what is not given is not known */
export function explainRoutes(
  snapshot: Snapshot,
  key: KeyEntry,
  facts: RequestFacts,
  context: Partial<PlanContext>,
): Explanation {
  const taken = matchRoute(routeIndex(snapshot.routes), key, facts);
  const routes = snapshot.routes.map(route => ({
    route: route.id,
    taken: route === taken,
    reasons: whyNot(route, taken, key, facts),
  }));
  const scores: Score[] = [];
  const plan = taken && planRoute(snapshot, taken, facts.model, { ...nothingKnown, ...context }, 'none', scores);
  return { routes, ...(plan && { plan }), scores };
}

function whyNot(route: RouteEntry, taken: RouteEntry | undefined, key: KeyEntry, facts: RequestFacts): readonly string[] {
  if (route === taken) return [];
  const hidden = invisible(route, key);
  if (hidden !== undefined) return [`not seen by the key: ${hidden}`];
  const reasons = route.match.map(match => mismatch(match, facts));
  if (route.catchAll || reasons.includes(undefined)) return [`matches too, but ${taken?.id} comes first`];
  return reasons.filter(reason => reason !== undefined);
}
