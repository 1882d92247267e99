// Figures of a report as SQL: from rollups where they are fresh, from the rows themselves where not, in one view of the ledger.
import { daysOf } from '#core/accounting/days.ts';
import {
  answered,
  blocksOf,
  END_OF_TIME,
  firstIdAt,
  type Interval,
  isAdmittedWithin,
  type Mark,
  QUARTER,
  staleBlocks,
  TIERS,
  without,
} from './blocks.ts';
import { cleanText, type Row, type Value } from './columns.ts';
import type { FigureFilter, FigureQuery, FigureReport, Figures, GroupBy } from './ledger.ts';
import type { Query, Store } from './store.ts';

/** What is summed, of a row `a` of the table `attempts`; the rollups have columns of these names. Open rows are attempts and nothing else. */
const measures = {
  attempts: '1',
  requests: settled('a.attempt = 0', '1'),
  requests_by_provider: settled('a.first_of_provider', '1'),
  requests_by_model: settled('a.first_of_model', '1'),
  requests_by_both: settled('a.first_of_both', '1'),
  failures: settled('a.failure is not null', '1'),
  prompt_tokens: settled('1 = 1', 'a.prompt_tokens'),
  completion_tokens: settled('1 = 1', 'a.completion_tokens'),
  cost_nano_usd: settled('a.cost_nano_usd is not null', 'a.cost_nano_usd'),
  cache_hits: settled("a.cache = 'hit'", '1'),
  saved_nano_usd: settled('1 = 1', 'a.saved_nano_usd'),
  fallback_cost_nano_usd: settled('a.fallback_position > 0 and a.cost_nano_usd is not null', 'a.cost_nano_usd'),
  estimated_rows: settled('(a.estimated or a.recovered)', '1'),
  unpriced_rows: settled('a.cost_nano_usd is null and a.prompt_tokens + a.completion_tokens > 0', '1'),
};
type Measure = keyof typeof measures;
const measureNames = Object.keys(measures) as readonly Measure[];

function settled(condition: string, amount: string): string {
  return `case when a.state <> 'open' and ${condition} then ${amount} else 0 end`;
}

/** What rollups keep apart; `attempts` has columns of the same names. */
const rolled = ['tenant', 'key_name', 'key_id', 'model_requested', 'model', 'provider', 'team', 'feature'] as const;

const sums = (of: (name: Measure) => string): string => measureNames.map(name => `sum(${of(name)}) as ${name}`).join(', ');

/** Sums up one block of admission anew: of tier 0 from the rows, of the others from the tier below. */
export async function rollUp(query: Query, { tier, admitted }: Mark): Promise<void> {
  const width = TIERS[tier]!;
  const head = `insert into rollups (tier, admitted, bucket, ${rolled.join(', ')}, ${measureNames.join(', ')})`;
  const bucket = (time: string) => `${time} - ${time} % ${width}`;
  const columns = rolled.map(name => `a.${name}`).join(', ');
  await query('delete from rollups where tier = $1 and admitted = $2', [tier, admitted]);
  if (tier === 0) {
    await query(
      `${head} select 0, ${admitted}, ${bucket('a.at')}, ${columns}, ${sums(name => measures[name])} from attempts a
       where a.request_id >= $1 and a.request_id < $2 group by ${bucket('a.at')}, ${columns}`,
      [firstIdAt(admitted), firstIdAt(admitted + width)],
    );
  } else {
    await query(
      `${head} select ${tier}, ${admitted}, ${bucket('a.bucket')}, ${columns}, ${sums(name => `a.${name}`)} from rollups a
       where a.tier = ${tier - 1} and a.admitted >= ${admitted} and a.admitted < ${admitted + width} group by ${bucket('a.bucket')}, ${columns}`,
    );
  }
}

/** The blocks that rollups cannot answer for; what retention has taken stays as it was summed up. */
export async function staleIn(query: Query): Promise<Interval[][]> {
  const marks = await query(
    "select distinct tier, admitted from rollup_marks where admitted >= (select value from ledger_state where name = 'kept_from')",
  );
  return staleBlocks(marks.map(mark => ({ tier: Number(mark.tier), admitted: Number(mark.admitted) })));
}

type Labelled = Interval & { readonly label: number };
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
      const { text, values } = new Statement(store, query.filter, names).of(ranges, stale);
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

/** The columns to group by; users and other tags have too many values for a rollup and are read from the rows. */
const groupColumns: Readonly<Record<string, (typeof rolled)[number]>> = {
  tenant: 'tenant',
  key: 'key_name',
  model: 'model',
  provider: 'provider',
  team: 'team',
  feature: 'feature',
};

/** The conditions of a filter, on a row `a`. */
export class Conditions {
  readonly values: Value[] = [];
  readonly texts: string[] = [];
  readonly #store: Store;

  constructor(store: Store, filter: FigureFilter) {
    this.#store = store;
    const { tenant, keyName, keyId, team, user, tag } = filter;
    for (const [column, value] of Object.entries({ tenant, key_name: keyName, key_id: keyId, team }))
      if (value !== undefined) this.texts.push(`a.${column} = ${this.parameter(cleanText(value))}`);
    if (user !== undefined) this.texts.push(`${this.user()} = ${this.parameter(cleanText(user))}`);
    if (tag !== undefined) this.#tag(tag);
  }

  parameter(value: Value): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  /** The client's own name for its end user, else the tag of that name. */
  user = (): string => `coalesce(a.user_id, ${this.tagValue('user')})`;

  tagValue = (name: string): string => this.#store.tagValue(`cast(${this.parameter(cleanText(name))} as text)`);

  /** `name=value`, or `name` whatever its value. */
  #tag(tag: string): void {
    const at = tag.indexOf('=');
    const value = this.tagValue(at < 0 ? tag : tag.slice(0, at));
    this.texts.push(at < 0 ? `${value} is not null` : `${value} = ${this.parameter(cleanText(tag.slice(at + 1)))}`);
  }
}

/** One statement: a union of rollups and rows, summed up by the groups. */
class Statement {
  readonly #conditions: Conditions;
  readonly #groups: readonly string[];
  readonly #isRolled: boolean;

  constructor(store: Store, filter: FigureFilter, names: readonly GroupBy[]) {
    this.#conditions = new Conditions(store, filter);
    this.#groups = names.map((name, i) => `${this.#group(name)} as g${i}`);
    this.#isRolled = filter.user === undefined && filter.tag === undefined && names.every(name => groupColumns[name]);
  }

  #group(name: GroupBy): string {
    const column = groupColumns[name];
    if (column) return `a.${column}`;
    return name === 'user' ? this.#conditions.user() : this.#conditions.tagValue(name.slice('tag:'.length));
  }

  of(ranges: readonly Labelled[], stale: readonly Interval[][]): { readonly text: string; readonly values: readonly Value[] } {
    const parts = this.#isRolled ? this.#fromBoth(ranges, stale) : this.#rowsAt(ranges, [always]);
    const groups = ['label', ...this.#groups.map((_, i) => `g${i}`)].join(', ');
    // Without any part there is nothing to sum up, and one row too many.
    const text = `select ${groups}, ${sums(name => name)} from (${parts.join('\nunion all ')}) parts group by ${groups}`;
    return { text: parts.length === 0 ? 'select 0 as label where 1 = 0' : text, values: this.#conditions.values };
  }

  #fromBoth(ranges: readonly Labelled[], stale: readonly Interval[][]): string[] {
    const split = ranges.map(range => ({ label: range.label, ...blocksOf(range) }));
    const edges = split.flatMap(({ label, edges }) => edges.map(edge => ({ ...edge, label })));
    return [
      ...TIERS.flatMap((_, tier) => this.#ofTier(tier, split, stale)),
      ...this.#rowsOf(ranges, stale[0]!),
      ...this.#rowsAt(edges, without([always], stale[0]!)),
    ];
  }

  /** Blocks of this tier itself are found by their time; those that stand in for a stale block above, by their admission. */
  #ofTier(tier: number, split: readonly Split[], stale: readonly Interval[][]): string[] {
    const slots = (wanted: number) =>
      split.flatMap(({ label, slots }) => slots.filter(slot => slot.tier === wanted).map(slot => ({ ...slot, label })));
    const above = TIERS.flatMap((_, wanted) => (wanted > tier ? slots(wanted) : []));
    return [
      ...slots(tier).flatMap(slot => this.#rollups(tier, [slot], answered(stale, tier, tier))),
      ...this.#rollups(tier, above, answered(stale, tier, tier + 1)),
    ];
  }

  #rollups(tier: number, slots: readonly Labelled[], admitted: readonly Interval[]): string[] {
    const [only] = slots;
    if (slots.length === 1)
      return this.#part(
        rollupMeasures,
        `${labelled(only!)} cross join rollups a`,
        [admitted],
        [`a.tier = ${tier}`, isWithin('a.bucket', slots), isWithin('a.admitted', admitted)],
      );
    const from = `from ${listed('s', slots)} join rollups a on a.tier = ${tier} and a.bucket >= s.lo and a.bucket < s.hi`;
    return this.#part(rollupMeasures, from, [slots, admitted], [isWithin('a.admitted', admitted)]);
  }

  #rowsOf(ranges: readonly Labelled[], admitted: readonly Interval[]): string[] {
    const from = `from ${listed('s', ranges)} join attempts a on a.at >= s.lo and a.at < s.hi`;
    return this.#part(rowMeasures, from, [ranges, admitted], [isAdmittedWithin(admitted)]);
  }

  /** A part for each range, its bounds in the text: the database sees how little of the table it is. */
  #rowsAt(ranges: readonly Labelled[], admitted: readonly Interval[]): string[] {
    return ranges.flatMap(range => {
      const conditions = [isWithin('a.at', [range]), isWithin('a.admitted', admitted)];
      return this.#part(rowMeasures, `${labelled(range)} cross join attempts a`, [admitted], conditions);
    });
  }

  #part(
    amounts: readonly string[],
    from: string,
    lists: readonly (readonly unknown[])[],
    conditions: readonly string[],
  ): string[] {
    if (lists.some(list => list.length === 0)) return [];
    const columns = ['s.label', ...this.#groups, ...amounts.map((amount, i) => `${amount} as ${measureNames[i]}`)];
    return [`select ${columns.join(', ')} ${from} where ${[...conditions, ...this.#conditions.texts].join(' and ')}`];
  }
}

type Split = ReturnType<typeof blocksOf> & { readonly label: number };
const always: Interval = { from: 0, to: END_OF_TIME };
const labelled = ({ label }: Labelled): string => `from (select ${label} as label) s`;
const rollupMeasures = measureNames.map(name => `a.${name}`);
const rowMeasures = measureNames.map(name => measures[name]);

/** Numbers of our own making, so they may stand in the text. (Over `values`, Postgres joins by reading the whole table.) */
const listed = (name: string, ranges: readonly Labelled[]): string =>
  `(select ${ranges.map(({ label, from, to }) => `${label} as label, ${whole(from)} as lo, ${whole(to)} as hi`).join(' union all select ')}) ${name}`;

export const isWithin = (column: string, intervals: readonly Interval[]): string =>
  `(${intervals.map(({ from, to }) => `${column} >= ${whole(from)} and ${column} < ${whole(to)}`).join(' or ') || '1 = 0'})`;

const whole = (value: number): string => String(Math.trunc(value));
