// The ledger in Postgres. Two small pools, so that a long report never holds up a write. A lost connection is an error of the call
// that needed it, and the next call opens another.
import pg from 'pg';
import { columnNames, columnsOfJson, onConflict, rowsInJson, type Value } from './columns.ts';
import type { Ledger } from './ledger.ts';
import { migrationsOf, runMigrations } from './migrations.ts';
import { dropMonthsBefore, makeMonths } from './months.ts';
import type { Query, Store } from './store.ts';
import { ledgerOf, type Retention, storedLedger } from './stored.ts';

export type PostgresOptions = Retention & {
  readonly url: string;
  /** For writes and what recovery reads. Default 5 s. */
  readonly timeoutMs?: number;
  /** For reports and maintenance. Default 60 s. */
  readonly reportTimeoutMs?: number;
};

const CONNECT_TIMEOUT_MS = 2000;

export function postgresLedger({ url, timeoutMs = 5000, reportTimeoutMs = 60_000, ...retention }: PostgresOptions): Ledger {
  const reports = storedLedger(postgresStore(url, 2, reportTimeoutMs), retention);
  const urgent = storedLedger(postgresStore(url, 2, timeoutMs), retention);
  // A migration may take as long as a report.
  return ledgerOf({ ...urgent, migrate: reports.migrate }, reports);
}

function postgresStore(url: string, connections: number, timeoutMs: number): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: timeoutMs,
    // For a server that no longer answers at all.
    query_timeout: timeoutMs + 1000,
    idle_in_transaction_session_timeout: timeoutMs,
    lock_timeout: timeoutMs,
    keepAlive: true,
    application_name: 'tollgate',
    types: { getTypeParser: (oid: number) => parsers[oid] ?? String },
  });
  // An idle connection was lost: the pool has let go of it.
  pool.on('error', () => {});
  return {
    view: work => transaction(pool, beginView, work),
    change: work => transaction(pool, 'begin', work),
    insert: async rows => {
      const insert = () => pool.query(insertText, [rows]);
      await insert().catch((error: unknown) => {
        if ((error as { code?: unknown }).code !== MOVED) throw error;
        return insert();
      });
    },
    migrate: () => transaction(pool, 'begin', migrate),
    maintains: async query => (await query(`select pg_try_advisory_xact_lock(${LOCKS.maintenance}) as mine`))[0]!.mine === true,
    giveWay: async () => {},
    makeRoom: now => makeMonths(work => transaction(pool, 'begin', work), LOCKS.maintenance, now),
    dropBefore: dropMonthsBefore,
    tagValue: name => `a.tags ->> ${name}`,
    close: () => pool.end(),
  };
}

/**
 * Without the compiler: a report names many small ranges, and compiling them took ten times as long as reading them (measured: 1.2 s).
 * With room to sum up in memory.
 */
const beginView = "begin isolation level repeatable read read only; set local jit = off; set local work_mem = '32MB'";

/** check_violation: while the statement waited, the month of a row got its partition, so the default one may no longer take it. */
const MOVED = '23514';

/** Ours among all advisory locks of the database. */
const LOCKS = { migration: 7_019_001, maintenance: 7_019_002 };

/** By the object ids of types (pg_type.dat): bool, the integers, floats, and numeric, which is what sums of bigint are. All others stay text. */
const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  16: text => text === 't',
  20: BigInt,
  21: Number,
  23: Number,
  700: Number,
  701: Number,
  1700: BigInt,
};

/** As one text of JSON: to write 52 arrays took this process three times as long (measured: 15 µs and 5 µs for each row). */
const insertText = `insert into attempts (${columnNames.join(', ')})
select ${columnsOfJson.join(', ')} from ${rowsInJson}
where ledger_admitted(r."requestId") >= (select value from ledger_state where name = 'kept_from')
${onConflict}`;

async function transaction<T>(pool: pg.Pool, begin: string, work: (query: Query) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  // Without a listener, a connection that is lost between two statements would end the process.
  const lost = () => {};
  client.on('error', lost);
  let failure: unknown;
  try {
    await client.query(begin);
    const result = await work(async (text, values) => (await client.query(text, values as Value[])).rows);
    await client.query('commit');
    return result;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    client.off('error', lost);
    // A connection in an unknown state is not used again; closing it rolls back.
    client.release(failure !== undefined);
  }
}

async function migrate(query: Query): Promise<void> {
  await query(`select pg_advisory_xact_lock(${LOCKS.migration})`);
  await runMigrations(query, async text => void (await query(text)), migrationsOf('postgres'));
}
