// The counters of tenants as the data plane uses them: one store of limits, budgets and reservations, in memory or in Redis.
// One contract suite runs over both. A store that cannot be reached rejects with `CountersAway`; every call may be repeated.
import type { Admission, Demand, Extended, Extension, Settled, Settlement } from '#core/admission/demand.ts';
import type { AccountPeriod, TenantSums } from '#core/admission/sums.ts';
import type { EpochMillis, NanoUsd } from '#core/units.ts';

export type { AccountPeriod, TenantSums };

/** The store did not answer in time, or not at all. */
export class CountersAway extends Error {
  /** What it was asked may still happen; otherwise it was not asked. */
  readonly wasAsked: boolean;

  constructor(message: string, wasAsked: boolean, options?: ErrorOptions) {
    super(message, options);
    this.wasAsked = wasAsked;
  }
}

/** A copy of a row of the ledger, kept until the ledger has it, so that losing a process with its disk loses nothing. */
export type RowCopy = { readonly attempt: number; readonly json: string };

export type Counters = {
  /** @param row kept together with the reservation, atomically; replaces an earlier copy of the same attempt */
  reserve(demand: Demand, row?: RowCopy): Promise<Admission>;
  extend(extension: Extension, rows?: readonly RowCopy[]): Promise<Extended>;
  /** An id that is neither open nor settled is a request that was admitted without this store: its cost is added all the same. */
  settle(settlement: Settlement, rows?: readonly RowCopy[]): Promise<Settled>;
  /** What each account has, without touching it; undefined: not known. */
  levels(tenant: string, accounts: readonly AccountPeriod[]): Promise<readonly (AccountLevel | undefined)[]>;
  /** Sums from the ledger for accounts that are not known; what is known stays as it is. */
  rebuild(tenant: string, sums: TenantSums): Promise<void>;
  /** Reservations whose lease has ended. */
  expired(tenant: string, now: EpochMillis, max: number): Promise<readonly Expired[]>;
  /** Copies of rows that the ledger has by now. */
  forget(tenant: string, rows: readonly RowKey[]): Promise<void>;
  /** Copies of rows that began before this moment: their process should have brought them to the ledger long ago. */
  copies(tenant: string, before: EpochMillis, max: number): Promise<readonly string[]>;
  close(): Promise<void>;
};

export type RowKey = { readonly requestId: string; readonly attempt: number };
export type AccountLevel = { readonly settled: NanoUsd; readonly reserved: NanoUsd };

/** Enough to settle it: the very demand it was reserved by, as far as settling needs it. */
export type Expired = Pick<Settlement, 'tenant' | 'id' | 'limits' | 'budgets'> & {
  /** What it still holds. */
  readonly cost: NanoUsd;
};
