// What somebody wants to be told, above all about money: thresholds of budgets, budgets that are spent, fallbacks that are dear. Pure:
// each function makes the events of one occasion; whether an event has been told already is decided by its key.
import { costOf } from '../accounting/cost.ts';
import { formatUsd } from '../accounting/money.ts';
import type { Usage } from '../chat/usage.ts';
import type { Candidate } from '../plan/candidate.ts';
import type { RouteEntry } from '../snapshot/snapshot.ts';
import { type EpochMillis, type Millis, millis, type NanoUsd } from '../units.ts';
import type { BudgetDemand, BudgetLevel } from './demand.ts';

export type AlertKind = 'budget_threshold' | 'budget_exhausted' | 'expensive_fallback' | 'engine_wedged';

export type Alert = {
  readonly kind: AlertKind;
  /** One sentence for people. */
  readonly text: string;
  /** The same for programs: names, and amounts as exact decimals. */
  readonly fields: Readonly<Record<string, string | number>>;
  /** Events of one key within `quietFor` of each other are one event. */
  readonly key: string;
  readonly quietFor: Millis;
};

/** Whose budgets, and which request showed it. */
export type Occasion = { readonly tenant: string /** `namespace/name` */; readonly keyName: string; readonly now: EpochMillis };

type Crossed = { readonly budget: number; readonly at: NanoUsd };

/** Thresholds that a settlement was the first to reach; the amount itself is one. */
export function thresholdAlerts(
  occasion: Occasion,
  budgets: readonly BudgetDemand[],
  levels: readonly BudgetLevel[],
  crossed: readonly Crossed[],
): Alert[] {
  return crossed.flatMap(({ budget: index, at }) => {
    const [budget, level] = [budgets[index], levels[index]];
    if (!budget || !level) return [];
    if (at >= budget.amount) return [exhaustedAlert(occasion, budget, level)];
    const percent = Math.floor((at / budget.amount) * 100);
    const text = `${title(occasion, budget)} has reached ${percent}%: ${spent(budget, level)}.`;
    const fields = { ...budgetFields(occasion, budget, level), threshold_percent: percent };
    return [{ kind: 'budget_threshold', text, fields, ...oncePerPeriod(`threshold|${at}`, occasion, budget) }];
  });
}

/** A budget that is spent, or that refused a request which did not fit any more. */
export function exhaustedAlert(occasion: Occasion, budget: BudgetDemand, level: BudgetLevel): Alert {
  return {
    kind: 'budget_exhausted',
    text: `${title(occasion, budget)} is exhausted: ${spent(budget, level)}${consequence[budget.onExhausted]}`,
    fields: { ...budgetFields(occasion, budget, level), on_exhausted: budget.onExhausted },
    ...oncePerPeriod('exhausted', occasion, budget),
  };
}

const consequence = {
  Block: '. Requests that do not fit are refused.',
  Warn: '. Requests go on.',
  Downgrade: '. Requests go to smaller models.',
} as const satisfies Record<BudgetDemand['onExhausted'], string>;

const title = ({ tenant, keyName }: Occasion, { name, scope }: BudgetDemand): string =>
  scope === 'Tenant' ? `Budget ${name} of tenant ${tenant}` : `Budget ${name} of key ${keyName} (tenant ${tenant})`;

const spent = ({ amount, resetAt }: BudgetDemand, { settled, reserved }: BudgetLevel): string => {
  const held = reserved > 0 ? `, ${formatUsd(reserved)} USD held for requests in flight` : '';
  const until = resetAt === undefined ? '' : `, until ${isoTime(resetAt)}`;
  return `${formatUsd(settled)} of ${formatUsd(amount)} USD spent${held}${until}`;
};

function budgetFields({ tenant, keyName }: Occasion, budget: BudgetDemand, { settled, reserved }: BudgetLevel): Alert['fields'] {
  const { name, scope, amount, resetAt } = budget;
  return {
    tenant,
    ...(scope === 'Key' && { key: keyName }),
    budget: name,
    scope,
    amount_usd: formatUsd(amount),
    spent_usd: formatUsd(settled),
    reserved_usd: formatUsd(reserved),
    ...(resetAt !== undefined && { reset_at: isoTime(resetAt) }),
  };
}

/** An amount that is raised makes news again. */
function oncePerPeriod(
  what: string,
  { tenant, now }: Occasion,
  { account, period, amount, resetAt }: BudgetDemand,
): Pick<Alert, 'key' | 'quietFor'> {
  const quietFor = resetAt === undefined ? A_MONTH : millis(Math.max(A_MINUTE, Math.min(A_MONTH, resetAt - now)));
  return { key: JSON.stringify([what, tenant, account, period, amount]), quietFor };
}

const A_MINUTE = 60_000;
const AN_HOUR = millis(3_600_000);
/** A budget without a period is told about once a month. */
const A_MONTH = millis(31 * 24 * 3_600_000);

export type Fallback = {
  readonly route: Pick<RouteEntry, 'id' | 'fallback'>;
  /** The first backend of the plan, and the one that was used in its place. */
  readonly primary: Candidate;
  readonly used: Candidate;
  readonly usage: Usage;
  readonly cost: NanoUsd;
};

/** A fallback that cost more than `maxPriceRatio` times what its primary would have for the same tokens. */
export function dearFallbackAlert({ route, primary, used, usage, cost }: Fallback): Alert | undefined {
  const maxPriceRatio = route.fallback.costGuard?.maxPriceRatio;
  // Time on GPUs that were never used has no price to compare with.
  if (maxPriceRatio === undefined || primary.backend === used.backend || !primary.model.price || primary.model.price.gpu)
    return undefined;
  const primaryCost = costOf(usage, primary.model.price);
  if (cost <= primaryCost * maxPriceRatio) return undefined;
  const [from, to] = [nameOf(primary), nameOf(used)];
  const text = `Route ${route.id} falls back from ${from} to ${to}, which cost ${formatUsd(cost)} USD in place of ${formatUsd(primaryCost)}: more than ${maxPriceRatio} times as much.`;
  return {
    kind: 'expensive_fallback',
    text,
    fields: {
      route: route.id,
      primary: from,
      fallback: to,
      cost_usd: formatUsd(cost),
      primary_cost_usd: formatUsd(primaryCost),
      max_price_ratio: maxPriceRatio,
    },
    key: JSON.stringify(['fallback', route.id, from, to]),
    quietFor: AN_HOUR,
  };
}

/** The fallbacks of a route have come to what they may cost in this hour. */
export function fallbackBudgetAlert(route: string, budget: NanoUsd, onExceeded: 'Deny' | 'Warn', now: number): Alert {
  const consequence = onExceeded === 'Deny' ? 'Further ones are denied until the next hour.' : 'Further ones go on.';
  const hour = Math.floor(now / AN_HOUR);
  return {
    kind: 'expensive_fallback',
    text: `Fallbacks of route ${route} have come to their budget of ${formatUsd(budget)} USD an hour. ${consequence}`,
    fields: { route, budget_usd: formatUsd(budget), on_exceeded: onExceeded },
    key: JSON.stringify(['fallback-budget', route, hour]),
    quietFor: AN_HOUR,
  };
}

const nameOf = ({ provider, model }: Candidate): string => `${provider.id}/${model.name}`;
const isoTime = (at: EpochMillis): string => new Date(at).toISOString().replace('.000Z', 'Z');
