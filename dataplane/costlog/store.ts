// What the statements of the ledger need of a database. Postgres and SQLite implement it; the statements are the same for both.
import type { EpochMillis } from '#core/units.ts';
import type { Row, Value } from './columns.ts';

/** @param text with `$1`, `$2` for the values. Integers come back as numbers or bigints, sums as bigints, JSON as text. */
export type Query = (text: string, values?: readonly Value[]) => Promise<readonly Row[]>;

export type Store = {
  /** Everything `work` reads is of one moment. */
  view<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** All or nothing. */
  change<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** @param rows as `textOf` makes it. Leaves out those admitted before `kept_from`. */
  insert(rows: string): Promise<void>;
  migrate(): Promise<void>;
  /** Within `change`: whether this process alone maintains the ledger until the end of it. */
  maintains(query: Query): Promise<boolean>;
  /** Time for others to write, after a step of maintenance that took so long. */
  giveWay(ms: number): Promise<void>;
  /** Room for the rows to come, where the database wants it made. */
  makeRoom(now: EpochMillis): Promise<void>;
  /** Within `change`: the quickest way to lose rows admitted before this moment; those it leaves are deleted one by one. */
  dropBefore(query: Query, time: EpochMillis): Promise<void>;
  /** SQL: the value of the tag of table `a` whose name is this parameter. */
  tagValue(parameter: string): string;
  close(): Promise<void>;
};
