// The columns of the table `attempts`: where a row of the cost log has what is in them, and how it is read back from them.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { AnyDialect, Operation } from '#core/chat/dialect.ts';
import { promptTokens, type Usage } from '#core/chat/usage.ts';
import type { FailureClass } from '#core/failure.ts';
import { epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';

export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, unknown>>;

/** What a column holds, by its type in Postgres. */
const kinds = {
  id: 'uuid',
  text: 'text',
  tags: 'jsonb',
  json: 'jsonb',
  integer: 'integer',
  bigint: 'bigint',
  real: 'double precision',
  duration: 'double precision',
  boolean: 'boolean',
} as const;
export type Kind = keyof typeof kinds;

/** One field of a row, or of an object in it. */
type Path = keyof CostRecord | `usage.${keyof CostRecord['usage']}` | `isFirst.${keyof CostRecord['isFirst']}`;

/** The same made of a row, and, in Postgres, of its JSON, whose fields are columns of `r`. */
type Made = { readonly of: (row: CostRecord) => Value; readonly sql: string };

const prompt = ['inputUncached', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'].map(name => `(r.usage ->> '${name}')::bigint`);

const columns = {
  request_id: ['id', 'requestId'],
  attempt: ['integer', 'attempt'],
  at: ['bigint', 'at'],
  state: {
    of: row => (row.state === 'open' ? 'open' : 'settled'),
    sql: "case r.state when 'open' then 'open' else 'settled' end",
  },
  recovered: { of: row => row.state === 'recovered', sql: "r.state = 'recovered'" },
  tenant: ['text', 'tenant'],
  key_id: ['text', 'keyId'],
  key_name: ['text', 'keyName'],
  key_alias: ['text', 'keyAlias'],
  user_id: ['text', 'userId'],
  tags: ['tags', 'tags'],
  route: ['text', 'route'],
  operation: ['text', 'operation'],
  model_requested: ['text', 'modelRequested'],
  model: ['text', 'model'],
  upstream_model: ['text', 'upstreamModel'],
  provider: ['text', 'provider'],
  endpoint: ['text', 'endpoint'],
  dialect: ['text', 'dialect'],
  streamed: ['boolean', 'streamed'],
  status: ['integer', 'upstreamStatus'],
  failure: ['text', 'failure'],
  purpose: ['text', 'purpose'],
  fallback_position: ['integer', 'fallbackPosition'],
  retry_position: ['integer', 'retryPosition'],
  first_of_provider: ['boolean', 'isFirst.ofProvider'],
  first_of_model: ['boolean', 'isFirst.ofModel'],
  first_of_both: ['boolean', 'isFirst.ofBoth'],
  upstream_id: ['text', 'upstreamId'],
  prompt_tokens: { of: row => promptTokens(row.usage), sql: prompt.join(' + ') },
  completion_tokens: ['bigint', 'usage.output'],
  uncached_tokens: ['bigint', 'usage.inputUncached'],
  cache_read_tokens: ['bigint', 'usage.cacheRead'],
  cache_write_5m_tokens: ['bigint', 'usage.cacheWrite5m'],
  cache_write_1h_tokens: ['bigint', 'usage.cacheWrite1h'],
  reasoning_tokens: ['bigint', 'usage.reasoning'],
  audio_input_tokens: ['bigint', 'usage.audioInput'],
  audio_output_tokens: ['bigint', 'usage.audioOutput'],
  estimated: ['boolean', 'estimated'],
  cost_nano_usd: ['bigint', 'cost'],
  reserved_nano_usd: ['bigint', 'reserved'],
  exceeded: ['boolean', 'exceeded'],
  lease_until: ['bigint', 'leaseUntil'],
  unit_prices: ['json', 'rates'],
  price_source: ['text', 'priceSource'],
  price_version: ['text', 'priceVersion'],
  gpu_seconds: ['real', 'gpuSeconds'],
  cache: ['text', 'cache'],
  similarity: ['real', 'similarity'],
  saved_nano_usd: ['bigint', 'saved'],
  possibly_billed: ['boolean', 'possiblyBilled'],
  first_token_ms: ['real', 'firstToken'],
  duration_ms: ['duration', 'duration'],
  tool_calls: ['json', 'usage.toolCalls'],
  partly_priced: ['boolean', 'partlyPriced'],
} as const satisfies Record<string, readonly [Kind, Path] | Made>;

type Name = keyof typeof columns;

export const columnNames = Object.keys(columns) as readonly Name[];

/** The name of a field, and of the field within it if it is an object. */
export type FieldPath = readonly [string, string | undefined];

const pathOf = (path: Path): FieldPath => {
  const [name, inner] = path.split('.');
  return [name!, inner];
};

/** The columns that are a field of the row as it is. */
export const fields = Object.values(columns).flatMap(column =>
  'sql' in column ? [] : [{ kind: column[0], path: pathOf(column[1]) }],
);

export function fieldAt([name, inner]: FieldPath): (row: CostRecord) => unknown {
  const read = (row: CostRecord) => row[name as keyof CostRecord];
  return inner === undefined ? read : row => (read(row) as Record<string, unknown>)[inner];
}

/** For a database that takes values one by one. */
export const valuesOf = (row: CostRecord): Value[] => readers.map(read => read(row));

const readers = Object.values(columns).map(column => ('sql' in column ? column.of : readerOf(column[0], pathOf(column[1]))));

function readerOf(kind: Kind, path: FieldPath): (row: CostRecord) => Value {
  const read = fieldAt(path);
  if (kind === 'id') return row => (read(row) as string).toLowerCase();
  if (kinds[kind] === 'jsonb') return row => JSON.stringify(read(row)) ?? null;
  return row => (read(row) as Value | undefined) ?? null;
}

/** SQL of Postgres: the columns in their order, of a row `r` of `rowsInJson`. */
export const columnsOfJson = Object.values(columns).map(column => {
  if ('sql' in column) return column.sql;
  const [name, inner] = pathOf(column[1]);
  return inner === undefined ? `r."${name}"` : `(r."${name}" ->> '${inner}')::${kinds[column[0]]}`;
});

/** SQL of Postgres: the rows in the JSON of parameter 1. */
export const rowsInJson = `json_to_recordset($1) as r (state text, ${[
  ...new Set(fields.map(({ kind, path: [name, inner] }) => `"${name}" ${inner === undefined ? kinds[kind] : 'jsonb'}`)),
].join(', ')})`;

/** How final a version of a row is; the same in `rank` and in SQL. */
export const rank = { open: 0, recovered: 1, settled: 2 } as const satisfies Record<CostRecord['state'], number>;
const rankOf = (table: string) =>
  `case when ${table}.state = 'open' then ${rank.open} when ${table}.recovered then ${rank.recovered} else ${rank.settled} end`;

/** Where a row is there already, only a later state replaces it. */
export const onConflict = `on conflict (request_id, attempt) do update set
  ${columnNames.map(name => `${name} = excluded.${name}`).join(', ')}
where ${rankOf('attempts')} < ${rankOf('excluded')}`;

const toolCallsOf = (json: string | undefined): Pick<Usage, 'toolCalls'> =>
  json === undefined ? {} : { toolCalls: JSON.parse(json) };

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
    dialect: get.dialect as AnyDialect,
    streamed: flag('streamed'),
    upstreamStatus: number('status'),
    failure: optional('failure', value => value as FailureClass),
    purpose: optional('purpose', value => value as CostRecord['purpose']),
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
      ...toolCallsOf(some('tool_calls')),
    },
    estimated: flag('estimated'),
    cost: get.cost_nano_usd === null ? null : nanoUsd(number('cost_nano_usd')),
    ...(flag('partly_priced') && { partlyPriced: true as const }),
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
