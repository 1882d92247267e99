// From the ledger back to the counters: what each account of a tenant has spent, and what its open requests hold.
import { MAX_USD } from '../accounting/money.ts';
import { isWithin, type Span } from '../accounting/periods.ts';
import { type EpochMillis, epochMillis, type NanoUsd, nanoUsd, uuidTime } from '../units.ts';

/** Sums of a budget in one of its periods, and which costs count in them. */
export type Account = {
  readonly account: string;
  readonly span: Span;
  /** @param keyName `namespace/name` of a TenantKey of the tenant */
  readonly counts: (keyName: string, modelRequested: string) => boolean;
};

/** Sums by the two things that decide which budgets a cost counts in. */
export type SpendSum = { readonly keyName: string; readonly modelRequested: string; readonly settled: NanoUsd };

/** What a tenant spent, as the ledger has it. */
export type TenantSpend = {
  /** Parallel to the moments asked for; rows that are not open. */
  readonly sums: readonly (readonly SpendSum[])[];
  /** Every open row of the tenant. */
  readonly open: readonly {
    readonly requestId: string;
    readonly keyName: string;
    readonly modelRequested: string;
    readonly reserved: NanoUsd;
    readonly leaseUntil: EpochMillis;
  }[];
  /** What `sums` has of requests that may yet be settled: those with an open row, and those that ended since another moment asked for. */
  readonly settledLately: readonly { readonly requestId: string; readonly settled: NanoUsd }[];
};

export type AccountPeriod = { readonly account: string; readonly period: EpochMillis };

/** What counters need to go on where they had left off. */
export type TenantSums = {
  readonly accounts: readonly (AccountPeriod & { readonly settled: NanoUsd })[];
  /** Requests that are open in the ledger, with what they hold in which of the accounts above. */
  readonly open: readonly {
    readonly id: string;
    readonly cost: NanoUsd;
    readonly leaseUntil: EpochMillis;
    readonly accounts: readonly string[];
  }[];
  /** What `accounts` have of requests that may yet be settled, or settled again: only what goes beyond it is added then. */
  readonly settledLately: readonly { readonly id: string; readonly settled: NanoUsd }[];
};

/** The moments to ask the ledger for: where the periods of these accounts start. */
export const startsOf = (accounts: readonly Account[]): readonly EpochMillis[] => [
  ...new Set(accounts.map(account => account.span.start)),
];

/** @param since the moments that `spend.sums` is parallel to; each account's start is one of them */
export function sumsFor(accounts: readonly Account[], since: readonly EpochMillis[], spend: TenantSpend): TenantSums {
  return {
    accounts: accounts.map(({ account, span, counts }) => {
      const counted = spend.sums[since.indexOf(span.start)]?.filter(sum => counts(sum.keyName, sum.modelRequested)) ?? [];
      return { account, period: span.start, settled: total(counted.map(sum => sum.settled)) };
    }),
    open: [...Map.groupBy(spend.open, row => row.requestId).values()].map(rows => openRequest(accounts, rows)),
    settledLately: spend.settledLately.map(({ requestId, settled }) => ({ id: requestId, settled })),
  };
}

/** A request's reservation is that of all its open attempts, in the periods of its admission. */
function openRequest(accounts: readonly Account[], rows: TenantSpend['open']): TenantSums['open'][number] {
  const [{ requestId, keyName, modelRequested }] = rows as [TenantSpend['open'][number]];
  const admittedAt = uuidTime(requestId);
  const held = accounts.filter(({ span, counts }) => isWithin(span, admittedAt) && counts(keyName, modelRequested));
  return {
    id: requestId,
    cost: total(rows.map(row => row.reserved)),
    leaseUntil: epochMillis(Math.max(...rows.map(row => row.leaseUntil))),
    accounts: held.map(({ account }) => account),
  };
}

const total = (amounts: readonly NanoUsd[]): NanoUsd =>
  nanoUsd(
    Math.min(
      amounts.reduce((sum, amount) => sum + amount, 0),
      MAX_USD,
    ),
  );
