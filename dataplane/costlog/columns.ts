// The columns of the table `attempts`: how a row of the cost log is written into them and read back from them.
// Text is bounded, well-formed and without NUL, which Postgres takes in no text: a row must never be refused for what a client sent.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Dialect, Operation } from '#core/chat/dialect.ts';
import { promptTokens } from '#core/chat/usage.ts';
import type { FailureClass } from '#core/failure.ts';
import { epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';

export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, unknown>>;

type Column = {
  /** The type in Postgres. */
  readonly type: 'uuid' | 'text' | 'jsonb' | 'integer' | 'bigint' | 'double precision' | 'boolean';
  readonly of: (row: CostRecord) => Value;
};

/** At most three bytes of UTF-8 for each: an index of Postgres takes 2,704 bytes. */
const MAX_TEXT = 512;
const MAX_TAGS = 64;
const MAX_INTEGER = 2 ** 31 - 1;

const column =
  <In>(type: Column['type'], encode: (value: In) => Value) =>
  (of: (row: CostRecord) => In): Column => ({ type, of: row => encode(of(row)) });

const text = column<string | undefined>('text', value => (value === undefined ? null : cleanText(value)));
const boolean = column<boolean>('boolean', value => value);
const integer = column<number>('integer', value => whole(value, MAX_INTEGER));
const bigint = column<number | null>('bigint', value => (value === null ? null : whole(value, Number.MAX_SAFE_INTEGER)));
const real = column<number | undefined>('double precision', value =>
  value !== undefined && Number.isFinite(value) ? value : null,
);
const json = column<unknown>('jsonb', value => (value === undefined ? null : JSON.stringify(value)));

const columns = {
  request_id: column<string>('uuid', id => id.toLowerCase())(row => row.requestId),
  attempt: integer(row => row.attempt),
  at: bigint(row => row.at),
  state: text(row => (row.state === 'open' ? 'open' : 'settled')),
  recovered: boolean(row => row.state === 'recovered'),
  tenant: text(row => row.tenant),
  key_id: text(row => row.keyId),
  key_name: text(row => row.keyName),
  key_alias: text(row => row.keyAlias),
  user_id: text(row => row.userId),
  tags: json(row => cleanTags(row.tags)),
  route: text(row => row.route),
  operation: text(row => row.operation),
  model_requested: text(row => row.modelRequested),
  model: text(row => row.model),
  upstream_model: text(row => row.upstreamModel),
  provider: text(row => row.provider),
  endpoint: text(row => row.endpoint),
  dialect: text(row => row.dialect),
  streamed: boolean(row => row.streamed),
  status: integer(row => row.upstreamStatus),
  failure: text(row => row.failure),
  fallback_position: integer(row => row.fallbackPosition),
  retry_position: integer(row => row.retryPosition),
  first_of_provider: boolean(row => row.isFirst.ofProvider),
  first_of_model: boolean(row => row.isFirst.ofModel),
  first_of_both: boolean(row => row.isFirst.ofBoth),
  upstream_id: text(row => row.upstreamId),
  prompt_tokens: bigint(row => promptTokens(row.usage)),
  completion_tokens: bigint(row => row.usage.output),
  uncached_tokens: bigint(row => row.usage.inputUncached),
  cache_read_tokens: bigint(row => row.usage.cacheRead),
  cache_write_5m_tokens: bigint(row => row.usage.cacheWrite5m),
  cache_write_1h_tokens: bigint(row => row.usage.cacheWrite1h),
  reasoning_tokens: bigint(row => row.usage.reasoning),
  audio_input_tokens: bigint(row => row.usage.audioInput),
  audio_output_tokens: bigint(row => row.usage.audioOutput),
  estimated: boolean(row => row.estimated),
  cost_nano_usd: bigint(row => row.cost),
  reserved_nano_usd: bigint(row => row.reserved),
  exceeded: boolean(row => row.exceeded),
  lease_until: bigint(row => row.leaseUntil),
  unit_prices: json(row => row.rates),
  price_source: text(row => row.priceSource),
  price_version: text(row => row.priceVersion),
  gpu_seconds: real(row => row.gpuSeconds),
  cache: text(row => row.cache),
  similarity: real(row => row.similarity),
  saved_nano_usd: bigint(row => row.saved),
  possibly_billed: boolean(row => row.possiblyBilled),
  first_token_ms: real(row => row.firstToken),
  duration_ms: column<number>('double precision', value => (Number.isFinite(value) ? value : 0))(row => row.duration),
} satisfies Record<string, Column>;

type Name = keyof typeof columns;

export const columnNames = Object.keys(columns) as readonly Name[];
export const columnTypes = columnNames.map(name => columns[name].type);
export const valuesOf = (row: CostRecord): Value[] => columnNames.map(name => columns[name].of(row));

/** How final a version of a row is; the same in `rank` and in SQL. */
export const rank = { open: 0, recovered: 1, settled: 2 } as const satisfies Record<CostRecord['state'], number>;
const rankOf = (table: string) =>
  `case when ${table}.state = 'open' then ${rank.open} when ${table}.recovered then ${rank.recovered} else ${rank.settled} end`;

/** Where a row is there already, only a later state replaces it. */
export const onConflict = `on conflict (request_id, attempt) do update set
  ${columnNames.map(name => `${name} = excluded.${name}`).join(', ')}
where ${rankOf('attempts')} < ${rankOf('excluded')}`;

/** One version of each row, the most final one, in the order of the primary key: writers that lock in one order never deadlock. */
export function folded(rows: readonly CostRecord[]): CostRecord[] {
  const latest = new Map<string, CostRecord>();
  for (const row of rows) {
    const key = `${row.requestId.toLowerCase()} ${row.attempt}`;
    const known = latest.get(key);
    if (!known || rank[known.state] < rank[row.state]) latest.set(key, row);
  }
  return [...latest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

const whole = (value: number, max: number): number =>
  Number.isNaN(value) ? 0 : Math.trunc(Math.min(max, Math.max(-max, value)));

export const cleanText = (value: string): string => value.slice(0, MAX_TEXT).replace(/\0/g, '\uFFFD').toWellFormed();

const cleanTags = (tags: CostRecord['tags']): CostRecord['tags'] =>
  Object.fromEntries(
    Object.entries(tags)
      .slice(0, MAX_TAGS)
      .map(([name, value]) => [cleanText(name), cleanText(value)]),
  );

/** @param stored as either database gives it: numbers may be bigints, JSON is text, booleans may be 0 and 1 */
export function recordOf(stored: Row): CostRecord {
  const get = stored as Record<Name, never>;
  const flag = (name: Name): boolean => Boolean(get[name]);
  const number = (name: Name): number => Number(get[name]);
  const optional = <T>(name: Name, read: (value: never) => T): T | undefined =>
    get[name] === null ? undefined : read(get[name]);
  const some = (name: Name): string | undefined => optional(name, String);
  return {
    requestId: get.request_id,
    attempt: number('attempt'),
    state: get.state === 'open' ? 'open' : flag('recovered') ? 'recovered' : 'settled',
    at: epochMillis(number('at')),
    tenant: get.tenant,
    keyId: get.key_id,
    keyName: get.key_name,
    keyAlias: some('key_alias'),
    userId: some('user_id'),
    tags: JSON.parse(get.tags),
    route: some('route'),
    operation: get.operation as Operation,
    modelRequested: get.model_requested,
    model: get.model,
    upstreamModel: get.upstream_model,
    provider: get.provider,
    endpoint: get.endpoint,
    dialect: get.dialect as Dialect,
    streamed: flag('streamed'),
    upstreamStatus: number('status'),
    failure: optional('failure', value => value as FailureClass),
    fallbackPosition: number('fallback_position'),
    retryPosition: number('retry_position'),
    isFirst: { ofProvider: flag('first_of_provider'), ofModel: flag('first_of_model'), ofBoth: flag('first_of_both') },
    upstreamId: some('upstream_id'),
    usage: {
      inputUncached: tokens(number('uncached_tokens')),
      cacheRead: tokens(number('cache_read_tokens')),
      cacheWrite5m: tokens(number('cache_write_5m_tokens')),
      cacheWrite1h: tokens(number('cache_write_1h_tokens')),
      output: tokens(number('completion_tokens')),
      reasoning: tokens(number('reasoning_tokens')),
      audioInput: tokens(number('audio_input_tokens')),
      audioOutput: tokens(number('audio_output_tokens')),
    },
    estimated: flag('estimated'),
    cost: get.cost_nano_usd === null ? null : nanoUsd(number('cost_nano_usd')),
    reserved: nanoUsd(number('reserved_nano_usd')),
    exceeded: flag('exceeded'),
    leaseUntil: epochMillis(number('lease_until')),
    rates: optional('unit_prices', value => JSON.parse(value)),
    priceSource: some('price_source'),
    priceVersion: some('price_version'),
    gpuSeconds: optional('gpu_seconds', Number),
    cache: get.cache,
    similarity: optional('similarity', Number),
    saved: nanoUsd(number('saved_nano_usd')),
    possiblyBilled: flag('possibly_billed'),
    firstToken: optional('first_token_ms', value => millis(Number(value))),
    duration: millis(number('duration_ms')),
  };
}
