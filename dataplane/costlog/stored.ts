// The ledger over a database: the statements that Postgres and SQLite share.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { epochMillis } from '#core/units.ts';
import { cleanText, textOf } from './clean.ts';
import { type Row, recordOf } from './columns.ts';
import { Conditions } from './conditions.ts';
import { figures } from './figures.ts';
import type { AuditEntry, Ledger, RowQuery } from './ledger.ts';
import { maintain } from './maintenance.ts';
import { spend } from './spend.ts';
import type { Store } from './store.ts';

export type Retention = {
  /** Rows older than this are dropped, a whole month at a time. Absent: all are kept. */
  readonly retentionDays?: number;
};

export const storedLedger = (store: Store, { retentionDays }: Retention = {}): Ledger => ({
  migrate: () => store.migrate(),
  write: async (rows, json) => {
    if (rows.length > 0) await store.insert(textOf(rows, json));
  },
  rowsOf: ids => rowsOf(store, ids),
  overdue: (now, max) => overdue(store, now, max),
  spend: (tenant, since, settledSince) => spend(store, tenant, since, settledSince),
  figures: query => figures(store, query),
  rows: query => rows(store, query),
  audit: entry => audit(store, entry),
  audits: query => audits(store, query),
  maintain: now => maintain(store, now, retentionDays),
  close: () => store.close(),
});

/** Two of them for one ledger: a long report never holds up a write. */
export const ledgerOf = (urgent: Ledger, reports: Ledger): Ledger => ({
  ...urgent,
  figures: query => reports.figures(query),
  rows: query => reports.rows(query),
  audits: query => reports.audits(query),
  maintain: now => reports.maintain(now),
  close: async () => void (await Promise.all([urgent.close(), reports.close()])),
});

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const IDS_AT_ONCE = 500;
/** Every whole row is some 1,500 bytes. */
const MAX_ROWS = 10_000;

const rowsOf = (store: Store, requestIds: readonly string[]): Promise<CostRecord[]> =>
  store.view(async query => {
    const ids = requestIds.filter(id => UUID.test(id)).map(id => id.toLowerCase());
    const found: Row[] = [];
    for (let start = 0; start < ids.length; start += IDS_AT_ONCE) {
      const some = ids.slice(start, start + IDS_AT_ONCE);
      const parameters = some.map((_, i) => `$${i + 1}`).join(', ');
      found.push(
        ...(await query(`select * from attempts where request_id in (${parameters}) order by request_id, attempt`, some)),
      );
    }
    return found.map(recordOf);
  });

const overdue: (store: Store, ...args: Parameters<Ledger['overdue']>) => Promise<CostRecord[]> = (store, now, max) =>
  store.view(async query =>
    (
      await query("select * from attempts where state = 'open' and lease_until <= $1 order by at, request_id, attempt limit $2", [
        now,
        max,
      ])
    ).map(recordOf),
  );

const rows = (store: Store, query: RowQuery): ReturnType<Ledger['rows']> =>
  store.view(async sql => {
    const { text, values } = rowConditions(store, query);
    if (query.requestId !== undefined && !UUID.test(query.requestId)) return { rows: [], total: 0 };
    const [count] = await sql(`select count(*) as total from attempts a where ${text}`, values);
    const found = await sql(
      `select * from attempts a where ${text} order by at desc, request_id desc, attempt desc
       limit ${Math.min(MAX_ROWS, Math.trunc(query.max))} offset ${Math.trunc(query.offset)}`,
      values,
    );
    return { rows: found.map(recordOf), total: Number(count!.total) };
  });

function rowConditions(store: Store, { from, to, requestId, upstreamId, filter }: RowQuery) {
  const conditions = new Conditions(store, filter);
  const compared = [
    [from, 'a.at >='],
    [to, 'a.at <'],
    [requestId?.toLowerCase(), 'a.request_id ='],
    [upstreamId === undefined ? undefined : cleanText(upstreamId), 'a.upstream_id ='],
  ] as const;
  for (const [value, text] of compared) if (value !== undefined) conditions.texts.push(`${text} ${conditions.parameter(value)}`);
  return { text: conditions.texts.join(' and ') || '1 = 1', values: conditions.values };
}

const audit = (store: Store, entry: AuditEntry): Promise<void> =>
  store.change(async query => {
    await query(
      'insert into audits (id, at, actor, action, object, details) values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing',
      [
        cleanText(entry.id),
        entry.at,
        cleanText(entry.actor),
        cleanText(entry.action),
        cleanText(entry.object),
        JSON.stringify(entry.details, (_, value) => (typeof value === 'string' ? cleanText(value) : value)),
      ],
    );
  });

const audits: (store: Store, query: Parameters<Ledger['audits']>[0]) => Promise<AuditEntry[]> = (store, { from, to, max }) =>
  store.view(async query => {
    const found = await query('select * from audits where at >= $1 and at < $2 order by at desc, id desc limit $3', [
      from,
      to,
      max,
    ]);
    return found.map(row => ({
      id: String(row.id),
      at: epochMillis(Number(row.at)),
      actor: String(row.actor),
      action: String(row.action),
      object: String(row.object),
      details: JSON.parse(String(row.details)),
    }));
  });
