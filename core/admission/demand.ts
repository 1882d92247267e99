// What a request asks of the counters of its tenant, and what they answer: limits, budgets, one reservation. Counters (in memory,
// in Redis) implement this contract and nothing of what it means; what it means is decided here and by the loop.
import type { EpochMillis, Millis, NanoUsd, Tokens } from '../units.ts';

/** One limit that a request counts against. */
export type LimitDemand = {
  /** Names the counter within the tenant: `<key namespace>/<key name>/rpm`, `<...>/tpm/<model pattern>`. */
  readonly id: string;
  /** `requests` and `tokens` count over the last 60 s (buckets of one second), `concurrency` counts what is open now. */
  readonly kind: 'requests' | 'tokens' | 'concurrency';
  readonly max: number;
};

/** One budget that a request counts against: a sum of what is settled and a sum of what is reserved, for each period. */
export type BudgetDemand = {
  /** The budget's own name, for people. */
  readonly name: string;
  readonly scope: 'Key' | 'Tenant';
  /** Names the sums within the tenant: all that decides which costs count (scope, calendar, models), and not the amount. */
  readonly account: string;
  /** Start of the period of admission; 0 for Total. */
  readonly period: EpochMillis;
  /** When the period ends; absent for Total. */
  readonly resetAt?: EpochMillis;
  readonly amount: NanoUsd;
  /** `Block` refuses what does not fit; the others are only told. */
  readonly onExhausted: 'Block' | 'Warn' | 'Downgrade';
  /** Sums of settled costs at which somebody wants to know, ascending. */
  readonly warnAt: readonly NanoUsd[];
};

/** All that one request takes from its tenant's counters, at once or not at all. */
export type Demand = {
  readonly tenant: string;
  /** The request's id: a reservation has its name, so that every step may be repeated. */
  readonly id: string;
  readonly limits: readonly LimitDemand[];
  readonly budgets: readonly BudgetDemand[];
  /** Upper bound of the cost, reserved in every budget. */
  readonly cost: NanoUsd;
  /** Upper bound of the tokens, counted in every limit of kind `tokens`. */
  readonly tokens: Tokens;
  /** When the reservation may be taken for that of a dead process. */
  readonly leaseUntil: EpochMillis;
  /** Take the limits even where a `Block` budget is exhausted: a cache hit is free. */
  readonly limitsAlone: boolean;
};

export type BudgetLevel = { readonly settled: NanoUsd; readonly reserved: NanoUsd };

export type Admission =
  /** `levels` (parallel to `budgets`) include this reservation; `remaining` (parallel to `limits`) is what is left after it. */
  | { readonly kind: 'granted'; readonly levels: readonly BudgetLevel[]; readonly remaining: readonly number[] }
  /** Nothing was taken, or with `limitsAlone` the limits alone. `budget` is the index of the first that blocks. */
  | {
      readonly kind: 'exhausted';
      readonly budget: number;
      readonly levels: readonly BudgetLevel[];
      readonly remaining: readonly number[];
    }
  /** Nothing was taken. `limit` is the index of the first that is full; `retryAfter` when it will have room for this request. */
  | { readonly kind: 'limited'; readonly limit: number; readonly retryAfter: Millis; readonly remaining: readonly number[] }
  /** Nothing was taken: the sums of these accounts are not known (new, or lost); they have to be rebuilt from the ledger. */
  | { readonly kind: 'unknown'; readonly accounts: readonly string[] };

/** More for a request that is open: a further attempt, hedge, stage or judge call. All or nothing. */
export type Extension = {
  readonly tenant: string;
  readonly id: string;
  /** The same budgets and limits as in its demand; amounts may have changed in between. */
  readonly limits: readonly LimitDemand[];
  readonly budgets: readonly BudgetDemand[];
  /** In addition to what is reserved; 0 renews the lease alone. */
  readonly cost: NanoUsd;
  readonly tokens: Tokens;
  readonly leaseUntil: EpochMillis;
};

export type Extended =
  | { readonly kind: 'granted' }
  | { readonly kind: 'exhausted'; readonly budget: number }
  | { readonly kind: 'limited'; readonly limit: number }
  /** No such reservation: made while the counters were away, lost with them, or ended. */
  | { readonly kind: 'lost' };

/** The end of a reservation: what is reserved goes, what was used stays. */
export type Settlement = {
  readonly tenant: string;
  readonly id: string;
  readonly limits: readonly LimitDemand[];
  readonly budgets: readonly BudgetDemand[];
  /** What the request really cost, all attempts together; may be more than was reserved. */
  readonly cost: NanoUsd;
  readonly tokens: Tokens;
};

export type Settled =
  /** `crossed`: thresholds that this settlement was the first to reach, over all processes. `exceeded`: it cost more than was reserved. */
  | {
      readonly kind: 'settled';
      readonly levels: readonly BudgetLevel[];
      readonly crossed: readonly { readonly budget: number; readonly at: NanoUsd }[];
      readonly exceeded: boolean;
    }
  /** It was settled before; nothing changed. */
  | { readonly kind: 'repeated' }
  /** Nothing changed: settle again once the accounts are rebuilt. */
  | { readonly kind: 'unknown'; readonly accounts: readonly string[] };
