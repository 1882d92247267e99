// Whether an object can serve requests now, for its Ready condition: engines by the pods' counts, budgets by their levels, routes by
// their providers.
import { periodOf } from '../accounting/periods.ts';
import type { BudgetEntry, RouteEntry } from '../snapshot/snapshot.ts';
import type { EpochMillis } from '../units.ts';
import { type Readiness, timeText } from './conditions.ts';

/** The endpoints of an engine provider, by state; each counts once. */
export type EndpointCounts = {
  readonly total: number;
  readonly ready: number;
  readonly saturated: number;
  readonly sleeping: number;
  readonly wedged: number;
  readonly stale: number;
  readonly loading: number;
};

/** States that a pod tells of an endpoint. Of several pods the one that lets fewer requests pass is believed, but `stale` and `loading` last. */
export type EndpointStateName = 'ready' | 'saturated' | 'sleeping' | 'wedged' | 'stale' | 'loading' | 'draining' | 'unknown';

const GRAVITY: readonly EndpointStateName[] = [
  'wedged',
  'sleeping',
  'saturated',
  'ready',
  'stale',
  'loading',
  'draining',
  'unknown',
];

/**
 * @param endpoints those that the provider has
 * @param reports of each pod, by endpoint
 */
export function endpointCounts(
  endpoints: readonly string[],
  reports: readonly ReadonlyMap<string, EndpointStateName>[],
): EndpointCounts {
  const counts = { total: 0, ready: 0, saturated: 0, sleeping: 0, wedged: 0, stale: 0, loading: 0 };
  for (const endpoint of new Set(endpoints)) {
    counts.total++;
    const said = reports.flatMap(report => report.get(endpoint) ?? []);
    const state = GRAVITY.find(name => said.includes(name)) ?? 'unknown';
    if (state in counts) counts[state as Exclude<keyof EndpointCounts, 'total'>]++;
    // Nothing is known of it: it gets requests, and they decide.
    else if (state === 'unknown') counts.ready++;
  }
  return counts;
}

const notReady = (reason: string, message: string): Readiness => ({ ready: false, reason, message });
const READY: Readiness = { ready: true };

/**
 * @param counts of engine providers; undefined: it has no endpoints of its own
 * @param authFailed the provider refuses its credential, also after that was read again
 */
export function providerReadiness(counts: EndpointCounts | undefined, authFailed: boolean): Readiness {
  if (authFailed) return notReady('AuthFailed', 'the provider refuses the credential');
  if (counts === undefined || counts.ready > 0) return READY;
  if (counts.saturated > 0) return notReady('AllSaturated', 'every engine is at its limit');
  if (counts.wedged > 0) return notReady('EngineWedged', 'engines stand still: they have requests and produce no tokens');
  if (counts.stale > 0) return notReady('MetricsStale', 'no engine answers when its metrics are read');
  return notReady('NoReadyEndpoints', 'no engine is ready');
}

/** @param isReady by provider id */
export function routeReadiness(route: Pick<RouteEntry, 'backends'>, isReady: (provider: string) => boolean): Readiness {
  return route.backends.some(({ provider }) => isReady(provider))
    ? READY
    : notReady('NoHealthyBackend', 'no provider of its backends is ready');
}

export type BudgetLevelName = 'OK' | 'Warn' | 'Exhausted';
/** As a status has it. */
export type BudgetStanding = { readonly name: string; readonly level: BudgetLevelName; readonly resetAt?: string };

/** @param used share of the amount, from 0 */
export function budgetLevel(used: number, warnAtPercent: readonly number[]): BudgetLevelName {
  if (used >= 1) return 'Exhausted';
  return warnAtPercent.some(percent => used * 100 >= percent) ? 'Warn' : 'OK';
}

/**
 * When it starts anew is told of a budget that is running out, which is when somebody wants to know: of all, it would be a write for
 * every key at the end of every period.
 */
export function budgetStanding(
  { name, period, timeZone }: Pick<BudgetEntry, 'name' | 'period' | 'timeZone'>,
  level: BudgetLevelName,
  now: EpochMillis,
): BudgetStanding {
  const { end } = periodOf(period, timeZone, now);
  return { name, level, ...(level !== 'OK' && end !== undefined && { resetAt: timeText(end) }) };
}

/** @param budgets of the key and of its tenant, each with its level */
export function keyReadiness(
  budgets: readonly { readonly budget: Pick<BudgetEntry, 'name' | 'onExhausted' | 'models'>; readonly level: BudgetLevelName }[],
): Readiness {
  // One that counts some models leaves the others.
  const spent = budgets.find(
    ({ budget, level }) => level === 'Exhausted' && budget.onExhausted === 'Block' && budget.models.length === 0,
  );
  return spent ? notReady('BudgetExhausted', `the budget ${spent.budget.name} is spent`) : READY;
}
