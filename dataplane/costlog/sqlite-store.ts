// SQLite as a store of the ledger, for one thread: statements run at once, transactions one after the other. Several processes share the file.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { uuidTime } from '#core/units.ts';
import { columnNames, onConflict, type Value, valuesOf } from './columns.ts';
import { migrationsOf, runMigrations } from './migrations.ts';
import type { Query, Store } from './store.ts';

/** How long to wait for another process to end its transaction. */
const BUSY_MS = 5000;

export function sqliteStore(file: string): Store {
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  // FULL: what is committed is on the disk, as the spool forgets it then.
  database.exec('pragma journal_mode = wal; pragma synchronous = full');
  let insert: StatementSync | undefined;
  const query: Query = async (text, values = []) => rowsOf(prepared(database, text), values);
  const transaction = serialised(async <T>(begin: string, work: (query: Query) => Promise<T>): Promise<T> => {
    database.exec(begin);
    try {
      const result = await work(query);
      database.exec('commit');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('rollback');
      throw error;
    }
  });
  return {
    view: work => transaction('begin', work),
    change: work => transaction('begin immediate', work),
    insert: rows =>
      transaction('begin immediate', async () => {
        insert ??= database.prepare(insertText);
        const keptFrom = keptFromIn(database);
        for (const row of JSON.parse(rows) as CostRecord[])
          if (!(uuidTime(row.requestId) < keptFrom)) insert.run(...valuesOf(row).map(binding));
      }),
    migrate: () =>
      transaction('begin exclusive', query => runMigrations(query, async text => database.exec(text), migrationsOf('sqlite'))),
    // A transaction that writes is alone.
    maintains: async () => true,
    // Who waits for the other writer looks seldom whether it has ended.
    giveWay: ms => setTimeout(ms),
    makeRoom: async () => {},
    dropBefore: async () => {},
    tagValue: name => `(select value from json_each(a.tags) where key = ${name})`,
    close: async () => database.close(),
  };
}

/** Values in their order: to bind them by name took as long again as all the rest. */
const insertText = `insert into attempts (${columnNames.join(', ')})
values (${columnNames.map(() => '?').join(', ')})
${onConflict}`;

/** The time before which retention has deleted all rows: a late copy of one is not inserted again. */
const keptFromIn = (database: DatabaseSync): number =>
  Number(database.prepare("select value from ledger_state where name = 'kept_from'").get()?.value);

function prepared(database: DatabaseSync, text: string): StatementSync {
  const statement = database.prepare(text);
  statement.setReadBigInts(true);
  return statement;
}

const rowsOf = (statement: StatementSync, values: readonly Value[]) => statement.all(bindings(values));

/** `$1` is the name of a parameter here. */
const bindings = (values: readonly Value[]): Record<string, SQLInputValue> =>
  Object.fromEntries(values.map((value, i) => [i + 1, binding(value)]));

const binding = (value: Value): SQLInputValue => (typeof value === 'boolean' ? Number(value) : value);

/** Each call begins when the one before has ended: a connection has one transaction at a time. */
function serialised(run: Transaction): Transaction {
  let last: Promise<unknown> = Promise.resolve();
  return (begin, work) => {
    const result = last.then(() => run(begin, work));
    last = result.catch(() => {});
    return result;
  };
}

type Transaction = <T>(begin: string, work: (query: Query) => Promise<T>) => Promise<T>;
