// What a tenant spent and holds, as its counters are rebuilt from: by the time of admission, exact to the millisecond.
import { type EpochMillis, epochMillis, nanoUsd } from '#core/units.ts';
import {
  answered,
  blocksOf,
  END_OF_TIME,
  firstIdAt,
  floor,
  type Interval,
  intersection,
  isAdmittedWithin,
  isWithin,
  TIERS,
} from './blocks.ts';
import { cleanText } from './clean.ts';
import type { SpendSum, TenantSpend } from './ledger.ts';
import { staleIn } from './rollups.ts';
import type { Query, Store } from './store.ts';

export const spend = (
  store: Store,
  tenant: string,
  since: readonly EpochMillis[],
  settledSince: EpochMillis,
): Promise<TenantSpend> =>
  store.view(async query => {
    const name = cleanText(tenant);
    const stale = await staleIn(query);
    const sums: SpendSum[][] = [];
    for (const start of since) sums.push(await sumsSince(query, name, start, stale));
    return { sums, open: await openRows(query, name), settledLately: await settledRequests(query, name, settledSince) };
  });

async function sumsSince(query: Query, tenant: string, since: EpochMillis, stale: readonly Interval[][]): Promise<SpendSum[]> {
  const asked = { from: since, to: floor(END_OF_TIME, TIERS.at(-1)!) };
  const { slots, edges } = blocksOf(asked);
  const rollups = TIERS.flatMap((_, tier) => {
    const blocks = slots
      .filter(slot => slot.tier >= tier)
      .flatMap(slot => intersection([slot], answered(stale, tier, slot.tier)));
    return blocks.length === 0 ? [] : [`${amounts('rollups')} a.tier = ${tier} and ${isWithin('a.admitted', blocks)}`];
  });
  const rows = [...intersection([asked], stale[0]!), ...edges];
  const parts =
    rows.length === 0 ? rollups : [...rollups, `${amounts('attempts')} a.state <> 'open' and ${isAdmittedWithin(rows)}`];
  const found = await query(
    `select key_name, model_requested, sum(amount) as settled from (${parts.join(' union all ')}) parts group by key_name, model_requested`,
    [tenant],
  );
  return found.map(row => ({
    keyName: String(row.key_name),
    modelRequested: String(row.model_requested),
    settled: nanoUsd(Number(row.settled)),
  }));
}

const amounts = (table: string): string =>
  `select a.key_name, a.model_requested, coalesce(a.cost_nano_usd, 0) as amount from ${table} a where a.tenant = $1 and`;

async function openRows(query: Query, tenant: string): Promise<TenantSpend['open']> {
  const rows = await query(
    `select request_id, key_name, model_requested, reserved_nano_usd, lease_until from attempts
     where tenant = $1 and state = 'open' order by request_id, attempt`,
    [tenant],
  );
  return rows.map(row => ({
    requestId: String(row.request_id),
    keyName: String(row.key_name),
    modelRequested: String(row.model_requested),
    reserved: nanoUsd(Number(row.reserved_nano_usd)),
    leaseUntil: epochMillis(Number(row.lease_until)),
  }));
}

/** A request may go on for this long after its admission, and yet be told as settled lately. */
const MAX_REQUEST_MS = 3_600_000;
/** Attempts that took longer have an index of their own (`attempts_long`): few, so that they are found without all others of the hour. */
const LONG_MS = 30_000;
const MAX_LATELY = 100_000;

/** Of settled rows; who settled one that was recovered, did so at a time that no row has. */
const endedLately = '(at + duration_ms >= $2 or recovered)';

/** A request with an open row may have settled ones beside it, however old it is. */
async function settledRequests(query: Query, tenant: string, since: EpochMillis): Promise<TenantSpend['settledLately']> {
  const own = "select request_id from attempts where tenant = $1 and state <> 'open' and request_id >= $3 and";
  const rows = await query(
    `select a.request_id, sum(coalesce(a.cost_nano_usd, 0)) as settled from (
       ${own} at >= ${since - LONG_MS} and ${endedLately}
       union ${own} at >= ${since - MAX_REQUEST_MS} and (duration_ms >= ${LONG_MS} or recovered) and ${endedLately}
       union select request_id from attempts where tenant = $1 and state = 'open'
     ) lately join attempts a on a.request_id = lately.request_id and a.state <> 'open'
     group by a.request_id order by a.request_id desc limit ${MAX_LATELY}`,
    [tenant, since, firstIdAt(since - MAX_REQUEST_MS)],
  );
  return rows.map(row => ({ requestId: String(row.request_id), settled: nanoUsd(Number(row.settled)) }));
}
