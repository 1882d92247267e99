// The ledger: where every row of the cost log ends up, and what reports, rebuilds and recoveries read. Postgres and SQLite stand
// behind it; one contract suite runs over both. It may be away at any time: every call rejects then, and may be repeated.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { SpendSum, TenantSpend } from '#core/admission/sums.ts';
import type { EpochMillis } from '#core/units.ts';

export type { SpendSum, TenantSpend };

export type Ledger = {
  /** Creates or updates the tables, under a lock: any number of processes may call it at once. */
  migrate(): Promise<void>;
  /**
   * All or none. Repeating changes nothing; of two versions of a row the later state stays (open < recovered < settled).
   * @param json of each row, where somebody has it already
   */
  write(rows: readonly CostRecord[], json?: readonly string[]): Promise<void>;
  /** All rows of these requests. */
  rowsOf(requestIds: readonly string[]): Promise<readonly CostRecord[]>;
  /** Open rows whose lease has ended, oldest first. */
  overdue(now: EpochMillis, max: number): Promise<readonly CostRecord[]>;
  /**
   * What a tenant spent since each of these moments of admission, from one consistent view.
   * @param settledSince requests that ended since, and were admitted within the hour before, are told one by one: the newest 100,000
   */
  spend(tenant: string, since: readonly EpochMillis[], settledSince: EpochMillis): Promise<TenantSpend>;
  /** Rejects with a message that begins with `TOO_MANY_GROUPS` where the report would have more than fit into memory. */
  figures(query: FigureQuery): Promise<FigureReport>;
  /** Rows themselves, newest first. */
  rows(query: RowQuery): Promise<{ readonly rows: readonly CostRecord[]; readonly total: number }>;
  audit(entry: AuditEntry): Promise<void>;
  audits(query: { readonly from: EpochMillis; readonly to: EpochMillis; readonly max: number }): Promise<readonly AuditEntry[]>;
  /** Rollups, partitions to come, retention. Any process may call it at any time; one at a time does the work. */
  maintain(now: EpochMillis): Promise<void>;
  close(): Promise<void>;
};

/** A message and no class, as it comes from another thread. */
export const TOO_MANY_GROUPS = 'a report of more groups than';

/** `tag:X` groups by the value of tag X; team, feature and user are the tags of these names (`user`: the client's own name first); `day` is a calendar day of `timeZone`, YYYY-MM-DD. */
export type GroupBy = 'tenant' | 'model' | 'team' | 'feature' | 'user' | 'provider' | 'key' | 'day' | `tag:${string}`;

export type FigureFilter = {
  readonly tenant?: string;
  readonly keyName?: string;
  readonly keyId?: string;
  readonly team?: string;
  readonly user?: string;
  readonly tag?: string;
};

export type FigureQuery = {
  /** By the time of the attempt; `to` is not included. */
  readonly from: EpochMillis;
  readonly to: EpochMillis;
  readonly groupBy: readonly GroupBy[];
  readonly filter: FigureFilter;
  readonly timeZone: string;
};

/** Open rows are in `attempts` and nowhere else. */
export type Figures = {
  /** Distinct request ids. */
  readonly requests: number;
  readonly attempts: number;
  readonly failures: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** May be beyond 2^53. */
  readonly costNano: bigint;
  readonly cacheHits: number;
  readonly savedNano: bigint;
  /** Of attempts at another backend than the first. */
  readonly fallbackCostNano: bigint;
  /** Rows whose tokens are ours or whose cost is a reservation. */
  readonly estimatedRows: number;
  /** Rows with usage and no price, or with calls of tools that have none. */
  readonly unpricedRows: number;
};

export type FigureReport = {
  readonly totals: Figures;
  /** `by` has one entry for each of `groupBy`; null where a row has no such thing. Dearest first. For `key`, the key's `namespace/name`. */
  readonly groups: readonly { readonly by: Readonly<Record<string, string | null>>; readonly figures: Figures }[];
};

export type RowQuery = {
  readonly from?: EpochMillis;
  readonly to?: EpochMillis;
  readonly requestId?: string;
  readonly upstreamId?: string;
  readonly filter: FigureFilter;
  readonly offset: number;
  readonly max: number;
};

/** One administrative change: who did what to which object; never a secret. */
export type AuditEntry = {
  readonly id: string;
  readonly at: EpochMillis;
  /** `master` or `namespace/name` of a key. */
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly details: Readonly<Record<string, unknown>>;
};
