// Admission as the loop uses it: one request takes what it may use of its tenant's limits and budgets, and gives back the rest.

import type { Admission, Demand, Extended, Extension, Settlement } from '#core/admission/demand.ts';
import type { KeyDemands } from '#core/admission/demand-of.ts';
import type { KeyEntry } from '#core/snapshot/snapshot.ts';
import type { NanoUsd } from '#core/units.ts';
import type { RowCopy, RowKey } from '../counters/counters.ts';

export type FailMode = KeyEntry['onStoreFailure'];

/** Whose request it is. */
export type Claimant = {
  readonly entry: Pick<KeyEntry, 'onStoreFailure' | 'namespace' | 'name'>;
  readonly demands: Pick<KeyDemands, 'accounts'>;
};

export type Reserved =
  /** `copied`: the counters keep a copy of the row. */
  | (Exclude<Admission, { kind: 'unknown' }> & { readonly failMode: undefined; readonly copied: boolean })
  /** The counters were not to be asked, and the fail mode let the request pass. */
  | {
      readonly kind: 'granted';
      readonly failMode: FailMode;
      readonly copied: false;
      readonly levels: readonly [];
      readonly remaining: readonly [];
    }
  | { readonly kind: 'unavailable'; readonly failMode: FailMode };

export type Widened =
  | { readonly kind: 'granted'; readonly copied: boolean; readonly failMode: FailMode | undefined }
  | { readonly kind: 'unavailable'; readonly failMode: FailMode }
  | Exclude<Extended, { kind: 'granted' } | { kind: 'lost' }>;

export type Admitter = {
  /** At once where nobody has to be asked. */
  reserve(demand: Demand, key: Claimant, row: RowCopy): Reserved | Promise<Reserved>;
  extend(extension: Extension, key: Claimant, rows: readonly RowCopy[]): Promise<Widened>;
  /** Never fails: what cannot be settled now is settled later. */
  settle(settlement: Settlement, key: Claimant, rows: readonly RowCopy[]): void;
  /**
   * Resolves when the settlements of requests that were over before have arrived, those of other processes as far as a moment allows.
   * What these held is no reason to refuse the next one of a client that makes one after the other.
   */
  endingsSettled(): Promise<void>;
  /** A budget refused a request for good. */
  tellExhausted(demand: Demand, answer: Extract<Admission, { kind: 'exhausted' }>, key: Claimant): void;
  /** Rows that were copied and never came to be. */
  forget(tenant: string, rows: readonly RowKey[]): void;
  /** What is left in the tightest of the budgets, as last heard; undefined where nothing was. */
  remainder(demand: Pick<Demand, 'tenant' | 'budgets'>): NanoUsd | undefined;
  /** Requests whose settlement waits for the counters now. */
  waitingNow(): ReadonlySet<string>;
  /** What these have cost is in the ledger, from which the counters will be rebuilt. */
  forgetWaiting(ids: ReadonlySet<string>): void;
  /** Settlements that the counters have not taken yet. */
  waiting(): number;
  /** Resolves when what was settled last has arrived, or will not. */
  close(): Promise<void>;
};
