// The partitions of the table `attempts` in Postgres: one for each month of admission, by UTC, named attempts_YYYY_MM.
import type { EpochMillis } from '#core/units.ts';
import { firstIdAt } from './blocks.ts';
import type { Query } from './store.ts';

type Transaction = <T>(work: (query: Query) => Promise<T>) => Promise<T>;

const MONTHS_AHEAD = 2;
/** Rows of months further back stay in the default partition, so that a wrong clock makes no thousand partitions. */
const MONTHS_BACK = 60;

/** While the lock of a table is waited for, everything behind it waits too. Maintenance tries again. */
const PATIENCE = "set local lock_timeout = '1s'";

/** Makes the months to come, and those whose rows have come before their partition. */
export async function makeMonths(transaction: Transaction, lock: number, now: EpochMillis): Promise<void> {
  const earliest = monthStart(now, -MONTHS_BACK);
  const end = monthStart(now, MONTHS_AHEAD + 1);
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead++) await transaction(query => makeMonth(query, lock, monthStart(now, ahead)));
  for (let months = 0; months <= MONTHS_BACK; months++) {
    const stray = await transaction(query => firstStray(query, earliest, end));
    if (stray === undefined) return;
    if (!(await transaction(query => makeMonth(query, lock, monthStart(stray, 0))))) return;
  }
}

async function firstStray(query: Query, from: number, to: number): Promise<number | undefined> {
  const [row] = await query(
    'select admitted from attempts_default where request_id >= $1 and request_id < $2 order by request_id limit 1',
    [firstIdAt(from), firstIdAt(to)],
  );
  return row && Number(row.admitted);
}

/** @returns false when another process is at it */
async function makeMonth(query: Query, lock: number, start: number): Promise<boolean> {
  const name = nameOf(start);
  const [known] = await query('select to_regclass($1) is not null as exists', [name]);
  if (known!.exists) return true;
  const [turn] = await query(`select pg_try_advisory_xact_lock(${lock}) as mine`);
  if (!turn!.mine) return false;
  const [from, to] = [firstIdAt(start), firstIdAt(monthStart(start, 1))];
  const columns = await columnsIn(query);
  // Attaching looks through the default partition for rows of the month; nobody may add one in between.
  await query(PATIENCE);
  await query('lock table attempts_default in access exclusive mode');
  await query(`create table ${name} (like attempts including defaults including constraints including generated)`);
  await query(
    `with moved as (delete from attempts_default where request_id >= '${from}' and request_id < '${to}' returning ${columns})
     insert into ${name} (${columns}) select ${columns} from moved`,
  );
  await query(`alter table attempts attach partition ${name} for values from ('${from}') to ('${to}')`);
  return true;
}

/** The columns that the table has, not those that this version knows: while pods are replaced, a newer one may have added some. */
async function columnsIn(query: Query): Promise<string> {
  const [named] = await query(
    `select string_agg(quote_ident(attname), ', ') as names from pg_attribute
     where attrelid = 'attempts'::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
  );
  return String(named!.names);
}

export async function dropMonthsBefore(query: Query, time: EpochMillis): Promise<void> {
  await query(PATIENCE);
  const months = await query(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = 'attempts'::regclass order by name",
  );
  const limit = nameOf(time);
  for (const { name } of months) {
    // Names of months sort as their times do.
    if (/^attempts_\d{4}_\d\d$/.test(String(name)) && String(name) < limit) await query(`drop table ${name}`);
  }
}

function monthStart(time: number, ahead: number): number {
  const date = new Date(time);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead, 1);
}

const nameOf = (time: number): string => `attempts_${new Date(time).toISOString().slice(0, 7).replace('-', '_')}`;
