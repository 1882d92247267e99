// One row of the cost log: one upstream attempt or cache hit, with everything finance and the person on call ask about it.
import type { AnyDialect, Operation } from '../chat/dialect.ts';
import type { Usage } from '../chat/usage.ts';
import type { FailureClass } from '../failure.ts';
import type { Rates } from '../snapshot/snapshot.ts';
import type { EpochMillis, Millis, NanoUsd } from '../units.ts';

/**
 * `open`: written before the attempt is sent; its cost is not known yet. `recovered`: its process died, and somebody else settled it
 * at its reservation; or a bug of ours kept that process from knowing what it cost. `settled`: by the process that made the attempt. A later state replaces an earlier one, never the reverse.
 */
export type RowState = 'open' | 'recovered' | 'settled';

/**
 * Why an attempt was made: the `first` of its request, a `retry` at the same backend, a `fallback` to another one, a `hedge` beside a slow
 * one, to `continue` a stream that broke off, the next stage of a `cascade`, or the `judge` of one. `cache`: no attempt, an answer that
 * was kept. Rows of the gateway's own, which no client asked for: an `embedding` for the cache, a `sample` of its hits, a `cache-judge`.
 */
export type AttemptPurpose =
  | 'first'
  | 'retry'
  | 'fallback'
  | 'hedge'
  | 'continue'
  | 'cascade'
  | 'judge'
  | 'cache'
  | 'embedding'
  | 'sample'
  | 'cache-judge';

/** Characters of any text in a row, at most: three bytes of UTF-8 each, and an index of Postgres takes 2,704 bytes. */
export const MAX_TEXT = 512;

export type CostRecord = {
  /** Our own UUIDv7: its time is that of admission, which decides the period of every budget. Unique together with `attempt`. */
  readonly requestId: string;
  /** From 0, in the order the attempts were begun. */
  readonly attempt: number;
  readonly state: RowState;
  /** When the attempt began. */
  readonly at: EpochMillis;
  readonly tenant: string;
  readonly keyId: string;
  /** `namespace/name` of the TenantKey: what its budgets belong to, whatever the secret is. */
  readonly keyName: string;
  readonly keyAlias: string | undefined;
  /** The client's own name for its end user, as sent. */
  readonly userId: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** `namespace/name`; undefined for a direct `<provider>/<model>` call. */
  readonly route: string | undefined;
  readonly operation: Operation;
  readonly modelRequested: string;
  /** Public name of the model that served, or was to serve. */
  readonly model: string;
  /** As the upstream named it; before its answer, the upstream name of the backend's model. */
  readonly upstreamModel: string;
  readonly provider: string;
  readonly endpoint: string;
  /** What the client speaks. */
  readonly dialect: AnyDialect;
  readonly streamed: boolean;
  /** HTTP status of the upstream; 0 when there was no answer. */
  readonly upstreamStatus: number;
  /** undefined: the attempt succeeded, or is open. */
  readonly failure: FailureClass | undefined;
  /** undefined: written before there was this field. */
  readonly purpose: AttemptPurpose | undefined;
  /** How many backends were tried before this one, without hedges. */
  readonly fallbackPosition: number;
  /** How often this backend was tried before, for this request. */
  readonly retryPosition: number;
  /** No earlier attempt of the request went to this provider, to this model, to this model of this provider: so that counts of distinct requests are sums. */
  readonly isFirst: { readonly ofProvider: boolean; readonly ofModel: boolean; readonly ofBoth: boolean };
  /** The provider's id of the answer. */
  readonly upstreamId: string | undefined;
  readonly usage: Usage;
  /** The token counts are ours, not the provider's. */
  readonly estimated: boolean;
  /** null: the price of the model is not known. 0 while the row is open. */
  readonly cost: NanoUsd | null;
  /** Calls of tools are not in the cost, as nobody knows their price. */
  readonly partlyPriced?: true;
  /** What was held for this attempt before it was sent. */
  readonly reserved: NanoUsd;
  /** It cost more than was reserved. */
  readonly exceeded: boolean;
  /** Until when its process may take to settle it. */
  readonly leaseUntil: EpochMillis;
  /** The unit prices that `cost` was made with, in force at admission. */
  readonly rates: Rates | undefined;
  readonly priceSource: string | undefined;
  readonly priceVersion: string | undefined;
  /** This request's share of the time of the GPUs, for models priced by it. */
  readonly gpuSeconds: number | undefined;
  readonly cache: 'hit' | 'miss' | 'bypass' | 'stale';
  /** Of a hit to what was asked before, 0..1. */
  readonly similarity: number | undefined;
  /** What a hit would have cost. */
  readonly saved: NanoUsd;
  /** The provider may have billed a failed attempt without telling. */
  readonly possiblyBilled: boolean;
  /** From the start of the attempt to its first content token, for streams, or to the complete answer. */
  readonly firstToken: Millis | undefined;
  readonly duration: Millis;
};

/** A row together with its JSON, which several need and one makes. */
export type Written = { readonly record: CostRecord; readonly json: string };

export const written = (record: CostRecord): Written => ({ record, json: JSON.stringify(record) });
