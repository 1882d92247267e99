// What a client reads when its tenant's counters said no. The amounts are those that /key/info shows, to the nano-dollar.
import { formatUsd } from '../accounting/money.ts';
import { type Failure, failure } from '../failure.ts';
import { type EpochMillis, millis } from '../units.ts';
import type { Admission, BudgetDemand, BudgetLevel, Demand, LimitDemand } from './demand.ts';

export type Refusal = Extract<Admission, { kind: 'limited' | 'exhausted' }>;

/** @param demand the one that was refused */
export function refusalOf(refusal: Refusal, demand: Pick<Demand, 'limits' | 'budgets' | 'cost'>, now: EpochMillis): Failure {
  return refusal.kind === 'limited'
    ? limited(demand.limits[refusal.limit]!, refusal.retryAfter)
    : exhausted(demand.budgets[refusal.budget]!, refusal.levels[refusal.budget]!, demand.cost, now);
}

const allowed: Readonly<Record<LimitDemand['kind'], string>> = {
  requests: 'make {max} requests a minute',
  tokens: 'use {max} tokens a minute',
  concurrency: 'have {max} requests open at the same time',
};

function limited({ id, kind, max }: LimitDemand, retryAfter: number): Failure {
  // Behind the key's namespace and name: `rpm`, `tpm/gpt-4*`.
  const [name, ...pattern] = id.split('/').slice(2);
  const models = pattern.length > 0 ? ` for ${pattern.join('/')}` : '';
  return failure('rate_limit_exceeded', {
    message: `Rate limit exceeded (${name}): this key may ${allowed[kind].replace('{max}', String(max))}${models}.`,
    param: [name, ...pattern].join('/'),
    ...(Number.isFinite(retryAfter) && { retryAfter: millis(Math.max(0, Math.ceil(retryAfter))) }),
  });
}

/** The beginning is LiteLLM's, which clients look for. */
function exhausted(budget: BudgetDemand, level: BudgetLevel, cost: Demand['cost'], now: EpochMillis): Failure {
  const { name, scope, amount, period, resetAt } = budget;
  const since = period > 0 ? ` since ${iso(period)}` : '';
  const details = [
    `budget ${name} of the ${scope === 'Key' ? 'key' : 'tenant'}${since}`,
    `reserved for requests in progress: ${formatUsd(level.reserved)}`,
    `this request may cost up to: ${formatUsd(cost)}`,
    ...(resetAt === undefined ? [] : [`resets at ${iso(resetAt)}`]),
  ];
  return failure('budget_exceeded', {
    message: `Budget has been exceeded! Current cost: ${formatUsd(level.settled)}, Max budget: ${formatUsd(amount)} (${details.join('; ')})`,
    param: name,
    ...(resetAt !== undefined && { retryAfter: millis(Math.max(0, resetAt - now)) }),
  });
}

const iso = (at: EpochMillis): string => new Date(at).toISOString();
