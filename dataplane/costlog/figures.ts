// Figures of a report, in one view of the ledger.
import { daysOf } from '#core/accounting/days.ts';
import { type Interval, QUARTER } from './blocks.ts';
import type { Row } from './columns.ts';
import type { FigureQuery, FigureReport, Figures, GroupBy } from './ledger.ts';
import { ReportStatement } from './report-statement.ts';
import { type Measure, measureNames, staleIn } from './rollups.ts';
import type { Query, Store } from './store.ts';

/** A statement has a part for each block of so many days; SQLite takes 500. */
const DAYS_AT_ONCE = 62;
/** The dearest are told; the totals are those of all. */
const MAX_GROUPS = 100_000;

export const figures = (store: Store, query: FigureQuery): Promise<FigureReport> =>
  store.view(async sql => {
    const asked = await knownPart(sql, query);
    const stale = await staleIn(sql);
    const days = query.groupBy.includes('day')
      ? daysOf(query.timeZone, asked.from, asked.to)
      : asked.from < asked.to
        ? [{ ...asked, day: '' }]
        : [];
    const names = query.groupBy.filter(name => name !== 'day');
    const answers: Answer[] = [];
    for (let start = 0; start < days.length; start += DAYS_AT_ONCE) {
      const ranges = days.slice(start, start + DAYS_AT_ONCE).map((day, i) => ({ ...day, label: start + i }));
      const { text, values } = new ReportStatement(store, query.filter, names).of(ranges, stale);
      for (const row of await sql(text, values)) answers.push({ row, day: days[Number(row.label)]!.day });
    }
    return report(query, answers);
  });

/** The part of the range in which there is anything, so that a report since 1970 has few days. */
async function knownPart(sql: Query, { from, to }: Interval): Promise<Interval> {
  const [known] = await sql(`select
    (select min(bucket) from rollups where tier = 0) as first_bucket, (select max(bucket) from rollups where tier = 0) as last_bucket,
    (select min(at) from attempts) as first_at, (select max(at) from attempts) as last_at`);
  const times = Object.values(known!).flatMap(time => (time === null ? [] : [Number(time)]));
  if (times.length === 0) return { from, to: from };
  const start = Math.max(from, Math.min(...times));
  return { from: start, to: Math.max(start, Math.min(to, Math.max(...times) + QUARTER)) };
}

type Answer = { readonly row: Row; readonly day: string };

function report({ groupBy }: FigureQuery, answers: readonly Answer[]): FigureReport {
  const requests = requestsColumn(groupBy);
  const names = groupBy.filter(name => name !== 'day');
  const groups = answers
    .map(({ row, day }) => ({
      by: Object.fromEntries(
        groupBy.map(name => [name, name === 'day' ? day : (row[`g${names.indexOf(name)}`] as string | null)]),
      ),
      figures: figuresOf(row, requests),
    }))
    .sort((a, b) => Number(b.figures.costNano > a.figures.costNano) - Number(b.figures.costNano < a.figures.costNano));
  const total = Object.fromEntries(
    measureNames.map(name => [name, answers.reduce((sum, { row }) => sum + BigInt(row[name] as bigint), 0n)]),
  );
  return { totals: figuresOf(total, 'requests'), groups: groups.slice(0, MAX_GROUPS) };
}

/** A request that went to several providers or models counts once for each: for its first attempt there. */
function requestsColumn(groupBy: readonly GroupBy[]): Measure {
  const [provider, model] = [groupBy.includes('provider'), groupBy.includes('model')];
  if (provider && model) return 'requests_by_both';
  if (provider) return 'requests_by_provider';
  return model ? 'requests_by_model' : 'requests';
}

const figuresOf = (row: Row, requests: Measure): Figures => ({
  requests: Number(row[requests]),
  attempts: Number(row.attempts),
  failures: Number(row.failures),
  promptTokens: Number(row.prompt_tokens),
  completionTokens: Number(row.completion_tokens),
  costNano: BigInt(row.cost_nano_usd as bigint),
  cacheHits: Number(row.cache_hits),
  savedNano: BigInt(row.saved_nano_usd as bigint),
  fallbackCostNano: BigInt(row.fallback_cost_nano_usd as bigint),
  estimatedRows: Number(row.estimated_rows),
  unpricedRows: Number(row.unpriced_rows),
});
