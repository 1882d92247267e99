// A ledger whose tables are brought up to date before it is first used, however late its database comes up.
import type { Ledger } from './ledger.ts';

/** Calls made before that wait for it, or reject with it, and the next call tries again. */
export function migrated(ledger: Ledger): Ledger {
  let migrating: Promise<void> | undefined;
  const ready = (): Promise<void> => {
    migrating ??= ledger.migrate().catch(error => {
      migrating = undefined;
      throw error;
    });
    return migrating;
  };
  const first =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await ready();
      return call(...args);
    };
  return {
    migrate: ready,
    write: first(ledger.write),
    rowsOf: first(ledger.rowsOf),
    overdue: first(ledger.overdue),
    spend: first(ledger.spend),
    figures: first(ledger.figures),
    rows: first(ledger.rows),
    audit: first(ledger.audit),
    audits: first(ledger.audits),
    maintain: first(ledger.maintain),
    close: () => ledger.close(),
  };
}
