// Requests as the words of a script, in the order scripts/includes/request.lua reads them; and the memo by which an expired
// reservation can be settled. Plain text and joins: this runs twice for each request.
import type { BudgetDemand, Demand, LimitDemand, Settlement } from '#core/admission/demand.ts';
import { type EpochMillis, epochMillis, nanoUsd } from '#core/units.ts';
import type { RowCopy } from './counters.ts';

/** `words`: first the keys, so many, then the arguments. */
export type Encoded = { readonly keys: number; readonly words: readonly string[] };

const letters = { requests: 'r', tokens: 't', concurrency: 'c' } as const satisfies Record<LimitDemand['kind'], string>;
const kinds = { r: 'requests', t: 'tokens', c: 'concurrency' } as const satisfies Record<string, LimitDemand['kind']>;

type Holding = { readonly leaseUntil: EpochMillis; readonly limitsAlone?: boolean };

export function requestArgs(
  prefix: string,
  request: Settlement | Demand,
  rows: readonly RowCopy[],
  holding?: Holding,
  memo = '',
): Encoded {
  const { id, limits, budgets } = request;
  const words = [
    `${prefix}spend`,
    `${prefix}open`,
    `${prefix}leases`,
    `${prefix}slots`,
    `${prefix}copies`,
    `${prefix}copied`,
    `${prefix}done:${id}`,
  ];
  for (const limit of limits) if (limit.kind !== 'concurrency') words.push(`${prefix}window:${limit.id}`);
  const keys = words.length;
  words.push(
    id,
    holding === undefined ? '' : String(holding.leaseUntil),
    String(request.cost),
    String(request.tokens),
    holding?.limitsAlone ? '1' : '0',
    memo,
    String(rows.length),
    String(limits.length),
    String(budgets.length),
  );
  for (const row of rows) words.push(String(row.attempt), row.json);
  for (const limit of limits) words.push(letters[limit.kind], String(limit.max), limit.id);
  for (const budget of budgets) {
    const blocks = budget.onExhausted === 'Block' ? '1' : '0';
    words.push(budget.account, String(budget.period), String(budget.amount), blocks, budget.warnAt.join(','));
  }
  return { keys, words };
}

const ENTRY = '\x1e';
const FIELD = '\x1f';
const PART = '\x1d';

export function memoOf(limits: readonly LimitDemand[], budgets: readonly BudgetDemand[]): string {
  let memo = '';
  for (const { kind, max, id } of limits) memo += `${letters[kind]}${FIELD}${max}${FIELD}${id}${ENTRY}`;
  memo += PART;
  for (const b of budgets) {
    memo += `${b.account}${FIELD}${b.period}${FIELD}${b.resetAt ?? ''}${FIELD}${b.amount}${FIELD}${b.onExhausted}${FIELD}${b.scope}${FIELD}`;
    memo += `${b.warnAt.join(',')}${FIELD}${b.name}${ENTRY}`;
  }
  return memo;
}

/** @param held account, period, account, period, ...: those a rebuild found, which no memo knows, come back as budgets that only count */
export function readMemo(memo: string, held: readonly string[]): Pick<Settlement, 'limits' | 'budgets'> {
  const [limits = '', budgets = ''] = memo.split(PART);
  const remembered = entries(budgets).map(readBudget);
  const others: BudgetDemand[] = [];
  for (let i = 0; i + 1 < held.length; i += 2) {
    const [account, period] = [held[i]!, epochMillis(Number(held[i + 1]))];
    if (!remembered.some(b => b.account === account && b.period === period)) others.push(countingOnly(account, period));
  }
  return { limits: entries(limits).map(readLimit), budgets: [...remembered, ...others] };
}

/** An account that a request was found to hold by a rebuild: enough to settle it, no word on what the budget is. */
export function countingOnly(account: string, period: EpochMillis): BudgetDemand {
  return { name: account, scope: 'Tenant', account, period, amount: nanoUsd(0), onExhausted: 'Warn', warnAt: [] };
}

const entries = (text: string): string[][] =>
  text
    .split(ENTRY)
    .slice(0, -1)
    .map(entry => entry.split(FIELD));

function readLimit([kind, max, id]: string[]): LimitDemand {
  return { id: id!, kind: kinds[kind as keyof typeof kinds], max: Number(max) };
}

function readBudget([account, period, resetAt, amount, onExhausted, scope, warnAt, name]: string[]): BudgetDemand {
  return {
    name: name!,
    scope: scope as BudgetDemand['scope'],
    account: account!,
    period: epochMillis(Number(period)),
    ...(resetAt !== '' && { resetAt: epochMillis(Number(resetAt)) }),
    amount: nanoUsd(Number(amount)),
    onExhausted: onExhausted as BudgetDemand['onExhausted'],
    warnAt: warnAt === '' ? [] : warnAt!.split(',').map(at => nanoUsd(Number(at))),
  };
}
