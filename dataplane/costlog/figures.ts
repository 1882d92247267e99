// Figures of a report, in one view of the ledger.
import { daysOf } from '#core/accounting/days.ts';
import { floor, type Interval, QUARTER } from './blocks.ts';
import type { Row } from './columns.ts';
import { type FigureQuery, type FigureReport, type Figures, type GroupBy, TOO_MANY_GROUPS } from './ledger.ts';
import { ReportStatement } from './report-statement.ts';
import { type Measure, measureNames, staleIn } from './rollups.ts';
import { alone, type Part, sectionsOf } from './sections.ts';
import type { Query, Store } from './store.ts';

/** A statement has a part for each block of so many days; SQLite takes 500. */
const DAYS_AT_ONCE = 62;
/** The dearest are told; the totals are those of all. */
const MAX_GROUPS = 100_000;
/** Groups in memory while a report is made, one for each day. */
const MAX_ANSWERS = 200_000;

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
    const answers = new Answers(names.length);
    for (let start = 0; start < days.length; start += DAYS_AT_ONCE) {
      const statement = new ReportStatement(store, query.filter, names);
      const some = days.slice(start, start + DAYS_AT_ONCE);
      const sections = statement.isRolled ? sectionsOf(some) : some.map(alone);
      const { text, values } = statement.of(
        sections.map(({ from, to }, label) => ({ from, to, label })),
        stale,
      );
      const rows = await sql(`${text} limit ${MAX_ANSWERS + 1}`, values);
      for (const row of rows) for (const part of sections[Number(row.label)]!.parts) answers.add(row, part);
      if (rows.length > MAX_ANSWERS || answers.size > MAX_ANSWERS) throw new Error(`${TOO_MANY_GROUPS} ${MAX_ANSWERS}`);
    }
    return report(query, answers.all());
  });

/** The part of the range in which there is anything, so that a report since 1970 has few days. */
async function knownPart(sql: Query, { from, to }: Interval): Promise<Interval> {
  const [known] = await sql(`select
    (select min(bucket) from rollups where tier = 0) as first_bucket, (select max(bucket) from rollups where tier = 0) as last_bucket,
    (select min(at) from attempts) as first_at, (select max(at) from attempts) as last_at`);
  const times = Object.values(known!).flatMap(time => (time === null ? [] : [Number(time)]));
  if (times.length === 0) return { from, to: from };
  const start = Math.max(from, floor(Math.min(...times), QUARTER));
  return { from: start, to: Math.max(start, Math.min(to, floor(Math.max(...times), QUARTER) + QUARTER)) };
}

/** Sums of one group on one day. */
type Answer = { readonly day: string; readonly names: readonly (string | null)[]; readonly sums: Record<Measure, bigint> };

/** Adds up what the sections of days have of each group. */
class Answers {
  readonly #groups: readonly string[];
  readonly #answers = new Map<string, Answer>();

  constructor(groups: number) {
    this.#groups = Array.from({ length: groups }, (_, i) => `g${i}`);
  }

  add(row: Row, { day, sign }: Part): void {
    const names = this.#groups.map(group => row[group] as string | null);
    const key = JSON.stringify([day, ...names]);
    const known = this.#answers.get(key);
    const sums = known?.sums ?? ({} as Record<Measure, bigint>);
    for (const name of measureNames) sums[name] = (sums[name] ?? 0n) + sign * BigInt(row[name] as bigint);
    if (!known) this.#answers.set(key, { day, names, sums });
  }

  get size(): number {
    return this.#answers.size;
  }

  /** What a section gave and another took back was never in that day: every row counts as an attempt. */
  all = (): Answer[] => [...this.#answers.values()].filter(({ sums }) => sums.attempts > 0n);
}

function report({ groupBy }: FigureQuery, answers: readonly Answer[]): FigureReport {
  const requests = requestsColumn(groupBy);
  const asked = groupBy.filter(name => name !== 'day');
  const groups = answers
    .map(({ day, names, sums }) => ({
      by: Object.fromEntries(groupBy.map(name => [name, name === 'day' ? day : names[asked.indexOf(name)]!])),
      figures: figuresOf(sums, requests),
    }))
    .sort((a, b) => Number(b.figures.costNano > a.figures.costNano) - Number(b.figures.costNano < a.figures.costNano));
  const total = Object.fromEntries(
    measureNames.map(name => [name, answers.reduce((sum, { sums }) => sum + sums[name], 0n)]),
  ) as Answer['sums'];
  return { totals: figuresOf(total, 'requests'), groups: groups.slice(0, MAX_GROUPS) };
}

/** A request that went to several providers or models counts once for each: for its first attempt there. */
function requestsColumn(groupBy: readonly GroupBy[]): Measure {
  const [provider, model] = [groupBy.includes('provider'), groupBy.includes('model')];
  if (provider && model) return 'requests_by_both';
  if (provider) return 'requests_by_provider';
  return model ? 'requests_by_model' : 'requests';
}

const figuresOf = (sums: Answer['sums'], requests: Measure): Figures => ({
  requests: Number(sums[requests]),
  attempts: Number(sums.attempts),
  failures: Number(sums.failures),
  promptTokens: Number(sums.prompt_tokens),
  completionTokens: Number(sums.completion_tokens),
  costNano: sums.cost_nano_usd,
  cacheHits: Number(sums.cache_hits),
  savedNano: sums.saved_nano_usd,
  fallbackCostNano: sums.fallback_cost_nano_usd,
  estimatedRows: Number(sums.estimated_rows),
  unpricedRows: Number(sums.unpriced_rows),
});
