// Budgets and limits of a key in LiteLLM's few numbers, laid over those that a TenantKey has.
import { formatUsd } from '#core/accounting/money.ts';
import type { TenantKeySpec } from '#core/resources/tenant-key.ts';
import type { BudgetEntry } from '#core/snapshot/snapshot.ts';
import type { NanoUsd } from '#core/units.ts';

type Budget = TenantKeySpec['budgets'][number];
type Period = BudgetEntry['period'];

/** What a body says of budgets; undefined: nothing, null: no such budget. */
export type BudgetAsk = {
  max?: NanoUsd | null | undefined;
  soft?: NanoUsd | null | undefined;
  duration?: { readonly period: Period; readonly text: string } | null | undefined;
  timeZone?: string;
  limits?: readonly { readonly period: Period; readonly amount: NanoUsd }[];
  models?: readonly { readonly model: string; readonly period: Period; readonly amount: NanoUsd }[];
};

const MAX = 'max-budget';
const SOFT = 'soft-budget';
const LIMIT = 'limit-';
const MODEL = 'model-';

/** The budget that is `max_budget` to LiteLLM: the one it made, else the first that blocks all models of the key. */
export const mainBudget = <B extends Pick<BudgetEntry, 'name' | 'scope' | 'models' | 'onExhausted'>>(
  budgets: readonly B[],
): B | undefined =>
  budgets.find(b => b.name === MAX) ??
  budgets.find(b => b.scope === 'Key' && b.models.length === 0 && b.onExhausted === 'Block' && !b.name.startsWith(LIMIT));

export const softBudget = <B extends Pick<Budget, 'name'>>(budgets: readonly B[]): B | undefined =>
  budgets.find(b => b.name === SOFT);

export const limitBudgets = (budgets: readonly Budget[]): readonly Budget[] => budgets.filter(b => b.name.startsWith(LIMIT));
export const modelBudgets = (budgets: readonly Budget[]): readonly Budget[] =>
  budgets.filter(b => b.scope === 'Key' && b.models.length === 1 && b.onExhausted === 'Block');

/** The whole list as it is to be; undefined where nothing is asked. `duration alone`: a period and no amount. */
export function budgetsFor(ask: BudgetAsk, before: readonly Budget[]): readonly unknown[] | undefined | 'duration alone' {
  if (Object.keys(ask).length === 0) return undefined;
  const main = mainBudget(before);
  const soft = softBudget(before);
  const hasAmount = ask.max === undefined ? main !== undefined || ask.soft : ask.max !== null || ask.soft;
  if (ask.duration && !hasAmount) return 'duration alone';
  const zone = ask.timeZone ?? main?.timeZone;
  const period = ask.duration === undefined ? (main?.period ?? soft?.period ?? 'Total') : (ask.duration?.period ?? 'Total');
  const calendar = { period, ...(zone && { timeZone: zone }) };
  const others = before.filter(
    b => b !== main && b !== soft && !(ask.limits && b.name.startsWith(LIMIT)) && !(ask.models && b.name.startsWith(MODEL)),
  );
  return [
    ...amended(main, MAX, ask.max, calendar, {}),
    ...amended(soft, SOFT, ask.soft, calendar, { onExhausted: 'Warn' }),
    ...others.map(lean),
    ...(ask.limits ?? []).map(limit => ({
      name: `${LIMIT}${limit.period.toLowerCase()}`,
      amount: formatUsd(limit.amount),
      ...calendar,
      period: limit.period,
    })),
    ...(ask.models ?? []).map((limit, index) => ({
      name: modelBudgetName(limit.model, index),
      amount: formatUsd(limit.amount),
      ...calendar,
      period: limit.period,
      models: [limit.model],
    })),
  ];
}

function amended(
  before: Budget | undefined,
  name: string,
  amount: NanoUsd | null | undefined,
  calendar: object,
  extra: object,
): readonly unknown[] {
  if (amount === null || (amount === undefined && !before)) return [];
  const text = amount === undefined ? before!.amount : formatUsd(amount);
  return [before ? { ...lean(before), amount: text, ...calendar } : { name, amount: text, ...calendar, ...extra }];
}

/** A label: what of the model's name may be in one, and a number, since two may look alike then. */
const modelBudgetName = (model: string, index: number): string => {
  const plain = model
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${MODEL}${plain ? `${plain}-` : ''}${index + 1}`;
};

/** Without what would be the same if it were not there. */
function lean({ name, amount, period, timeZone, scope, models, warnAtPercent, onExhausted }: Budget): object {
  return {
    name,
    amount,
    period,
    ...(timeZone !== 'UTC' && { timeZone }),
    ...(scope !== 'Key' && { scope }),
    ...(models.length > 0 && { models }),
    ...(warnAtPercent.length > 0 && { warnAtPercent }),
    ...(onExhausted !== 'Block' && { onExhausted }),
  };
}

// ---------------------------------------------------------------- limits

export type ModelLimits = {
  rpm?: number | null;
  tpm?: number | null;
  maxConcurrency?: number | null;
  perModel?: { rpm?: Readonly<Record<string, number>>; tpm?: Readonly<Record<string, number>> };
};

type Limits = NonNullable<TenantKeySpec['limits']>;

/** The limits as they are to be: what is not asked for stays. */
export function asLimits(ask: ModelLimits, before: Limits | undefined): unknown {
  const perModel = new Map<string, Record<string, unknown>>((before?.perModel ?? []).map(limit => [limit.model, { ...limit }]));
  for (const field of ['rpm', 'tpm'] as const) {
    const asked = ask.perModel?.[field];
    if (!asked) continue;
    for (const limit of perModel.values()) delete limit[field];
    for (const [model, max] of Object.entries(asked)) perModel.set(model, { model, ...perModel.get(model), [field]: max });
  }
  const models = [...perModel.values()].filter(limit => Object.keys(limit).length > 1);
  const rates = (['rpm', 'tpm', 'maxConcurrency'] as const).flatMap(field => {
    const max = ask[field] === undefined ? before?.[field] : ask[field];
    return max === undefined || max === null ? [] : [[field, max]];
  });
  const limits = { ...Object.fromEntries(rates), ...(models.length > 0 && { perModel: models }) };
  return Object.keys(limits).length > 0 ? limits : undefined;
}
