// How quick reports are over a month of the ledger in Postgres: synthetic rows, made by the server itself, then `figures` of that month.
//   node test/bench/ledger.ts --rows=10000000      (minutes, and 8 GB in the temporary folder); 1,000,000 by default
import { parseArgs } from 'node:util';
import { epochMillis } from '#core/units.ts';
import type { FigureQuery, Ledger } from '#dataplane/costlog/ledger.ts';
import { postgresLedger } from '#dataplane/costlog/postgres.ts';
import { run, startPostgres, withoutPostgres } from '../support/postgres.ts';
import { markdown, median } from './report.ts';

const REPEATS = 7;
const DAYS = 31;
const DAY = 86_400_000;
const MONTH = Date.UTC(2026, 9, 1);
const END = epochMillis(MONTH + DAYS * DAY);
const MAX_FILL_MS = 3_600_000;

const base: FigureQuery = { from: epochMillis(MONTH), to: END, groupBy: [], filter: {}, timeZone: 'UTC' };
const reports: Readonly<Record<string, FigureQuery>> = {
  'the month, totals': base,
  'by tenant': { ...base, groupBy: ['tenant'] },
  'by team and model': { ...base, groupBy: ['team', 'model'] },
  'by key, of one tenant': { ...base, groupBy: ['key'], filter: { tenant: 'tenant-3' } },
  'by day, UTC': { ...base, groupBy: ['day'] },
  'by day, Europe/Berlin': { ...base, groupBy: ['day'], timeZone: 'Europe/Berlin' },
  'by day, Australia/Sydney': { ...base, groupBy: ['day'], timeZone: 'Australia/Sydney' },
  'by day, Asia/Kathmandu': { ...base, groupBy: ['day'], timeZone: 'Asia/Kathmandu' },
  '30 days that begin at 07:07, by model': {
    ...base,
    from: epochMillis(MONTH + 427 * 60_000),
    to: epochMillis(MONTH + 30 * DAY + 427 * 60_000),
    groupBy: ['model'],
  },
  'one day, by user (from the rows)': { ...base, to: epochMillis(MONTH + DAY), groupBy: ['user'] },
};

export async function ledgerTable(rows: number, say: (text: string) => void = () => {}): Promise<string> {
  const title = `### Reports over a month of ${rows.toLocaleString('en-US')} rows in Postgres`;
  if (withoutPostgres) return `${title}\n\nLeft out: ${withoutPostgres}.`;
  const server = await startPostgres();
  const url = await server.database();
  const ledger = postgresLedger({ url, reportTimeoutMs: MAX_FILL_MS });
  try {
    await fill(ledger, url, rows, say);
    const cells = [['', 'median ms', 'worst ms', 'groups']];
    for (const [name, query] of Object.entries(reports)) cells.push([name, ...(await timed(ledger, query))]);
    return `${title}\n\n${markdown(cells)}\n\nGoal: a month of 10 million rows within 300 ms.`;
  } finally {
    await ledger.close();
    await server.stop();
  }
}

async function fill(ledger: Ledger, url: string, rows: number, say: (text: string) => void): Promise<void> {
  const start = performance.now();
  const seconds = () => ((performance.now() - start) / 1000).toFixed(0);
  await ledger.migrate();
  await ledger.maintain(epochMillis(MONTH));
  for (let day = 0; day < DAYS; day++) await run(url, dayOfRows(day, Math.round(rows / DAYS)));
  say(`filled after ${seconds()} s`);
  await ledger.maintain(epochMillis(END + DAY));
  await run(url, 'vacuum analyze');
  const [size] = (
    await run(
      url,
      "select count(*) as n, pg_size_pretty(pg_total_relation_size('rollups')) as size, pg_size_pretty(pg_database_size(current_database())) as whole, count(*) filter (where tier = 2) as days from rollups",
    )
  ).rows;
  say(`rolled up after ${seconds()} s: ${size.n} rollups, ${size.days} of whole days, ${size.size} of ${size.whole}`);
}

/** 20 tenants, 200 keys, each of one team and with three features, 8 models; every tenth attempt is a fallback to the second provider. */
const dayOfRows = (day: number, count: number): string => `
  insert into attempts (request_id, attempt, at, state, tenant, key_id, key_name, user_id, tags, operation, model_requested, model,
    upstream_model, provider, endpoint, dialect, status, prompt_tokens, completion_tokens, cost_nano_usd, fallback_position, cache)
  select (lpad(to_hex(time), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid, 0, time + 2, 'settled',
    'tenant-' || key % 20, 'k-' || key, 'apps/key-' || key, 'user-' || (random() * 5000)::int,
    jsonb_build_object('team', 'team-' || key % 10, 'feature', 'feature-' || (random() * 2)::int),
    'Chat', 'model-' || model, 'model-' || model, 'model-' || model, 'provider-' || (random() < 0.1)::int, 'https://one.example/v1',
    'openai-chat', 200, 900, 100, 1000000 + i, (random() < 0.1)::int, case when random() < 0.2 then 'hit' else 'miss' end
  from (select i, ${MONTH + day * DAY} + (i::bigint * ${DAY} / ${count}) as time, (random() * 199)::int as key, (random() * 7)::int as model
    from generate_series(0, ${count - 1}) i) drawn`;

async function timed(ledger: Ledger, query: FigureQuery): Promise<string[]> {
  const times: number[] = [];
  let groups = 0;
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now();
    groups = (await ledger.figures(query)).groups.length;
    times.push(performance.now() - start);
  }
  return [median(times)!, Math.max(...times), groups].map(value => value.toFixed(0));
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rows: { type: 'string', default: '1000000' } } });
  console.log(await ledgerTable(Number(values.rows), console.log));
}
