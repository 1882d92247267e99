// Rows of the cost log for tests: one with every field, random requests with all their attempts, and what a report has to say of
// them, summed up the slow way and with another library's calendar.
import fc from 'fast-check';
import { DateTime } from 'luxon';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { noUsage, promptTokens } from '#core/chat/usage.ts';
import { epochMillis, millis, nanoUsd, picoUsd, tokens } from '#core/units.ts';
import type { FigureFilter, FigureQuery, FigureReport, Figures, GroupBy } from '#dataplane/costlog/ledger.ts';

/** A UUIDv7 of this moment; `tail` tells those of one millisecond apart. */
export function requestIdAt(time: number, tail = 0): string {
  const hex = time.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${tail.toString(16).padStart(12, '0')}`;
}

const rate = picoUsd(2_500_000);

/** A settled attempt with a value in every field. */
export function costRecord(at: number, fields: Partial<CostRecord> = {}): CostRecord {
  return {
    requestId: requestIdAt(at),
    attempt: 0,
    state: 'settled',
    at: epochMillis(at),
    tenant: 'acme',
    keyId: 'k-1',
    keyName: 'apps/chat',
    keyAlias: 'chat',
    userId: 'u-1',
    tags: { team: 'search', feature: 'summaries' },
    route: 'apps/default',
    operation: 'Chat',
    modelRequested: 'gpt-4o',
    model: 'gpt-4o',
    upstreamModel: 'gpt-4o-2024-08-06',
    provider: 'apps/first',
    endpoint: 'https://one.example/v1',
    dialect: 'openai-chat',
    streamed: true,
    upstreamStatus: 200,
    failure: undefined,
    purpose: 'first',
    fallbackPosition: 0,
    retryPosition: 0,
    isFirst: { ofProvider: true, ofModel: true, ofBoth: true },
    upstreamId: 'chatcmpl-1',
    usage: {
      ...noUsage,
      inputUncached: tokens(100),
      cacheRead: tokens(20),
      cacheWrite1h: tokens(3),
      output: tokens(50),
      reasoning: tokens(5),
      toolCalls: { webSearch: 2, codeExecution: 1 },
    },
    estimated: false,
    cost: nanoUsd(1_234_567),
    reserved: nanoUsd(2_000_000),
    exceeded: false,
    leaseUntil: epochMillis(at + 600_000),
    rates: {
      input: rate,
      cacheRead: rate,
      cacheWrite5m: rate,
      cacheWrite1h: rate,
      output: rate,
      reasoning: rate,
      audioInput: rate,
      audioOutput: rate,
      perRequest: nanoUsd(0),
    },
    priceSource: 'catalogue',
    priceVersion: '0.1.8',
    gpuSeconds: 0.25,
    cache: 'miss',
    similarity: 0.5,
    saved: nanoUsd(0),
    possiblyBilled: false,
    firstToken: millis(120.5),
    duration: millis(800.25),
    ...fields,
  };
}

export const openRow = (row: CostRecord): CostRecord => ({
  ...row,
  state: 'open',
  usage: noUsage,
  cost: nanoUsd(0),
  saved: nanoUsd(0),
  failure: undefined,
});

type Draft = {
  readonly after: number;
  readonly provider: string;
  readonly model: string;
  readonly state: CostRecord['state'];
  readonly cost: number | null;
  readonly partlyPriced: boolean;
  readonly saved: number;
  readonly cache: CostRecord['cache'];
  readonly output: number;
  readonly failed: boolean;
  readonly estimated: boolean;
};

const draft: fc.Arbitrary<Draft> = fc.record({
  after: fc.nat(4 * 3_600_000),
  provider: fc.constantFrom('apps/first', 'apps/second'),
  model: fc.constantFrom('gpt-4o', 'claude', "m'; drop table attempts; --"),
  state: fc.constantFrom('settled', 'settled', 'settled', 'recovered', 'open'),
  cost: fc.option(fc.nat(2 ** 31 - 1), { freq: 8, nil: null }),
  partlyPriced: fc.boolean(),
  saved: fc.nat(1000),
  cache: fc.constantFrom('hit', 'miss', 'bypass', 'stale'),
  output: fc.nat(100),
  failed: fc.boolean(),
  estimated: fc.boolean(),
});

/** Requests of all tenants, admitted from `from` to `to`; all rows of a request are coherent. */
export const costRecords = (from: number, to: number): fc.Arbitrary<CostRecord[]> =>
  fc
    .array(
      fc.record({
        // Borders of blocks and days are where mistakes are.
        admitted: fc.oneof(
          fc.integer({ min: from, max: to }),
          fc.integer({ min: from / 900_000, max: to / 900_000 }).map(n => Math.floor(n) * 900_000),
        ),
        tenant: fc.constantFrom('acme', 'globex'),
        keyName: fc.constantFrom('apps/chat', 'apps/batch'),
        keyId: fc.constantFrom('k-1', 'k-2'),
        userId: fc.option(fc.constantFrom('u-1', 'u-2'), { nil: undefined }),
        tags: fc.dictionary(
          fc.constantFrom('team', 'feature', 'user', 'cost.centre', 'a"b', '[0]', '__proto__', "x' or 1=1"),
          fc.constantFrom('', 'search', 'ads'),
          { noNullPrototype: true },
        ),
        modelRequested: fc.constantFrom('gpt-4o', 'apps/first/gpt-4o'),
        attempts: fc.array(draft, { minLength: 1, maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 40 },
    )
    .map(requests =>
      requests.flatMap(({ attempts, ...request }, i) => attempts.map((_, attempt) => attemptOf(request, i, attempts, attempt))),
    );

type Shared = Pick<CostRecord, 'tenant' | 'keyName' | 'keyId' | 'userId' | 'tags' | 'modelRequested'> & {
  readonly admitted: number;
};

function attemptOf({ admitted, ...shared }: Shared, tail: number, drafts: readonly Draft[], attempt: number): CostRecord {
  const own = drafts[attempt]!;
  const earlier = drafts.slice(0, attempt);
  const at = admitted + drafts.slice(1, attempt + 1).reduce((sum, { after }) => sum + after, 0);
  const row = costRecord(at, {
    ...shared,
    requestId: requestIdAt(admitted, tail),
    attempt,
    provider: own.provider,
    model: own.model,
    state: own.state,
    cost: own.cost === null ? null : nanoUsd(own.cost),
    ...(own.partlyPriced && { partlyPriced: true as const }),
    saved: nanoUsd(own.saved),
    cache: own.cache,
    usage: { ...noUsage, inputUncached: tokens(own.output * 2), output: tokens(own.output) },
    failure: own.failed ? 'upstream_error' : undefined,
    estimated: own.estimated || own.state === 'recovered',
    purpose: attempt === 0 ? 'first' : 'fallback',
    fallbackPosition: attempt,
    isFirst: {
      ofProvider: earlier.every(({ provider }) => provider !== own.provider),
      ofModel: earlier.every(({ model }) => model !== own.model),
      ofBoth: earlier.every(({ provider, model }) => provider !== own.provider || model !== own.model),
    },
  });
  return own.state === 'open' ? openRow(row) : row;
}

/** What `figures` has to answer, of rows each told once. */
export function expectedReport(rows: readonly CostRecord[], { from, to, groupBy, filter, timeZone }: FigureQuery): FigureReport {
  const counted = rows.filter(row => row.at >= from && row.at < to && passes(row, filter));
  const groups = Map.groupBy(counted, row => JSON.stringify(groupBy.map(name => groupOf(row, name, timeZone))));
  return {
    totals: figuresOf(counted, []),
    groups: [...groups].map(([key, own]) => {
      const values = JSON.parse(key);
      return { by: Object.fromEntries(groupBy.map((name, i) => [name, values[i]])), figures: figuresOf(own, groupBy) };
    }),
  };
}

const tagOf = ({ tags }: CostRecord, name: string): string | null => (Object.hasOwn(tags, name) ? tags[name]! : null);
const userOf = (row: CostRecord): string | null => row.userId ?? tagOf(row, 'user');

function passes(row: CostRecord, { tenant, keyName, keyId, team, user, tag }: FigureFilter): boolean {
  const [name, value] = tag?.split('=') ?? [];
  return (
    (tenant ?? row.tenant) === row.tenant &&
    (keyName ?? row.keyName) === row.keyName &&
    (keyId ?? row.keyId) === row.keyId &&
    (team === undefined || tagOf(row, 'team') === team) &&
    (user === undefined || userOf(row) === user) &&
    (name === undefined || (tagOf(row, name) !== null && (value === undefined || tagOf(row, name) === value)))
  );
}

function groupOf(row: CostRecord, name: GroupBy, timeZone: string): string | null {
  if (name === 'day') return DateTime.fromMillis(row.at, { zone: timeZone }).toISODate();
  if (name === 'key') return row.keyName;
  if (name === 'user') return userOf(row);
  if (name === 'team' || name === 'feature') return tagOf(row, name);
  return name.startsWith('tag:') ? tagOf(row, name.slice(4)) : row[name as 'tenant' | 'model' | 'provider'];
}

function figuresOf(rows: readonly CostRecord[], groupBy: readonly GroupBy[]): Figures {
  const settled = rows.filter(row => row.state !== 'open');
  const count = (test: (row: CostRecord) => boolean) => settled.filter(test).length;
  const sum = (amount: (row: CostRecord) => number) => settled.reduce((total, row) => total + BigInt(amount(row)), 0n);
  const [byProvider, byModel] = [groupBy.includes('provider'), groupBy.includes('model')];
  return {
    requests: count(({ attempt, isFirst }) =>
      byProvider && byModel ? isFirst.ofBoth : byProvider ? isFirst.ofProvider : byModel ? isFirst.ofModel : attempt === 0,
    ),
    attempts: rows.length,
    failures: count(row => row.failure !== undefined),
    promptTokens: Number(sum(row => promptTokens(row.usage))),
    completionTokens: Number(sum(row => row.usage.output)),
    costNano: sum(row => row.cost ?? 0),
    cacheHits: count(row => row.cache === 'hit'),
    savedNano: sum(row => row.saved),
    fallbackCostNano: sum(row => (row.fallbackPosition > 0 ? (row.cost ?? 0) : 0)),
    estimatedRows: count(row => row.estimated),
    unpricedRows: count(
      row => row.partlyPriced === true || (row.cost === null && promptTokens(row.usage) + row.usage.output > 0),
    ),
  };
}
