// The sums that reports are made of: what is summed up of a row, and how a block of rollups is made.
import { firstIdAt, type Interval, type Mark, staleBlocks, TIERS } from './blocks.ts';
import type { Query } from './store.ts';

/** What is summed, of a row `a` of the table `attempts`; the rollups have columns of these names. Open rows are attempts and nothing else. */
export const measures = {
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
  unpriced_rows: settled('(a.partly_priced or (a.cost_nano_usd is null and a.prompt_tokens + a.completion_tokens > 0))', '1'),
};
export type Measure = keyof typeof measures;
export const measureNames = Object.keys(measures) as readonly Measure[];

function settled(condition: string, amount: string): string {
  return `case when a.state <> 'open' and ${condition} then ${amount} else 0 end`;
}

/** What rollups keep apart; `attempts` has columns of the same names. */
export const rolled = ['tenant', 'key_name', 'key_id', 'model_requested', 'model', 'provider', 'team', 'feature'] as const;

export const sums = (of: (name: Measure) => string): string => measureNames.map(name => `sum(${of(name)}) as ${name}`).join(', ');

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
