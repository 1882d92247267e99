// What keeps the ledger quick and small: rollups of the blocks that have come to rest, and retention. Every step is a transaction of its
// own under one lock, so any number of processes may try, and one that dies leaves nothing half done.
import { type EpochMillis, epochMillis } from '#core/units.ts';
import { firstIdAt, TIERS } from './blocks.ts';
import { rollUp } from './rollups.ts';
import type { Query, Store } from './store.ts';

/** For rows on their way, which would only mark the block again. */
const GRACE = 60_000;
const BLOCKS_AT_ONCE = 20_000;
const ROWS_AT_ONCE = 5000;
const DAY = 86_400_000;

/** @param retentionDays rows older than this go, a whole month at a time; undefined: none */
export async function maintain(store: Store, now: EpochMillis, retentionDays: number | undefined): Promise<void> {
  for (const tier of TIERS.keys()) if (!(await rollUpMarked(store, tier, now))) return;
  await store.makeRoom(now);
  if (retentionDays !== undefined) await forget(store, monthOf(now - retentionDays * DAY));
}

/** @returns false when another process is at it */
async function rollUpMarked(store: Store, tier: number, now: EpochMillis): Promise<boolean> {
  const marks = await store.view(query =>
    query(
      `select distinct admitted from rollup_marks where tier = ${tier} and admitted <= $1
       and admitted >= (select value from ledger_state where name = 'kept_from') order by admitted limit ${BLOCKS_AT_ONCE}`,
      [now - GRACE - TIERS[tier]!],
    ),
  );
  for (const { admitted } of marks) {
    const start = performance.now();
    if (!(await exclusively(store, query => rollUpBlock(query, tier, Number(admitted))))) return false;
    await store.giveWay(performance.now() - start);
  }
  return true;
}

/** The marks go first: what is committed after that statement may be in the sums, and its own mark stays. */
async function rollUpBlock(query: Query, tier: number, admitted: number): Promise<true> {
  await query(`delete from rollup_marks where tier = ${tier} and admitted = $1`, [admitted]);
  await rollUp(query, { tier, admitted });
  const above = TIERS[tier + 1];
  if (above === undefined) return true;
  await query(
    `insert into rollup_marks (tier, admitted) select ${tier + 1}, ${admitted - (admitted % above)}
     where not exists (select 1 from rollup_marks where tier = ${tier + 1} and admitted = ${admitted - (admitted % above)})`,
  );
  return true;
}

/** The sums stay, for reports and for budgets without an end; so nothing is forgotten before it is summed up. */
async function forget(store: Store, before: EpochMillis): Promise<void> {
  const isReady = await exclusively(store, async query => {
    const [open] = await query(
      `select 1 from rollup_marks where admitted < $1 and admitted >= (select value from ledger_state where name = 'kept_from') limit 1`,
      [before],
    );
    if (open) return false;
    await query("update ledger_state set value = $1 where name = 'kept_from' and value < $1", [before]);
    await store.dropBefore(query, before);
    return true;
  });
  while (isReady && (await exclusively(store, forgetSome)));
}

async function forgetSome(query: Query): Promise<boolean> {
  const [state] = await query("select value from ledger_state where name = 'kept_from'");
  const from = Number(state!.value);
  const gone = await query(
    `delete from attempts where (request_id, attempt) in
       (select request_id, attempt from attempts where request_id < $1 limit ${ROWS_AT_ONCE}) returning attempt`,
    [firstIdAt(from)],
  );
  await query('delete from rollup_marks where admitted < $1', [from]);
  return gone.length === ROWS_AT_ONCE;
}

/** @returns false when another process is at it, else what `work` returns: whether to go on */
const exclusively = (store: Store, work: (query: Query) => Promise<boolean>): Promise<boolean> =>
  store.change(async query => (await store.maintains(query)) && work(query));

const monthOf = (time: number): EpochMillis => {
  const date = new Date(time);
  return epochMillis(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1));
};
