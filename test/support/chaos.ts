// What the chaos tests have in common: a choice of faults that a seed repeats, traffic whose every request can be told apart, and the
// three accounts that have to agree: the provider's bill, the ledger (by SQL), the counters (by Redis).
import { DatabaseSync } from 'node:sqlite';
import type { Redis } from 'ioredis';
import { type Dispatcher, fetch } from 'undici';
import { type RecordedRequest, type Simulator, startSimulator } from '#simulator/index.ts';
import { chat, chatPath, get } from './client.ts';
import { metricsOf } from './fleet.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type PostgresServer, run, startPostgres } from './postgres.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { clientKey, provider, providerSecret, type Resource, route, tenantKey, yamlOf } from './resources.ts';
import { until } from './until.ts';

/** The whole length of everything, as `npm run soak` runs it. */
export const isWhole = process.env.TOLLGATE_SOAK === '1';

/** Seeds of a test: `TOLLGATE_SEED=17` repeats one. */
export function seeds(shortened: number, whole: number): readonly number[] {
  const only = process.env.TOLLGATE_SEED;
  if (only) return [Number(only)];
  return Array.from({ length: isWhole ? whole : shortened }, (_, i) => i + 1);
}

/** Mulberry32: numbers from 0 to 1 that follow from the seed. */
export function chance(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// ---------------------------------------------------------------- configuration

/** Nano-dollars a token, as `price` of test/support/resources.ts has them. */
const UNIT = { prompt: 1000, completion: 2000 } as const;

const TENANT = 'acme';

/** `plain` answers; `spare` fails at its first provider and is answered by the second. Both count in a budget of the key and one of the tenant. */
export function chaosYaml(
  origin: string,
  options: { readonly key?: Record<string, unknown>; readonly more?: readonly Resource[] } = {},
) {
  const budget = (name: string, scope: string) => ({ name, scope, amount: '1000.00', period: 'Total' });
  const spec = { budgets: [budget('own', 'Key'), budget('all', 'Tenant')], ...options.key };
  const models = (name: string) => [{ name, upstreamName: 'gpt-4o', maxOutputTokens: 400 }];
  return yamlOf(
    providerSecret,
    provider('oa', 'OpenAI', origin, models('plain')),
    provider('bad', 'OpenAI', origin, [{ name: 'spare', upstreamName: 'gpt-4o!500', maxOutputTokens: 400 }]),
    provider('good', 'OpenAI', origin, models('spare')),
    route('plain', 'plain', ['oa'], { timeouts: { request: '20s' } }),
    route('spare', 'spare', ['bad', 'good'], { retries: { attempts: 0 }, timeouts: { request: '20s' } }),
    tenantKey('client', clientKey, spec),
    ...(options.more ?? []),
  );
}

// ---------------------------------------------------------------- traffic

export type Ask = {
  /** Unique: by it the request is found in all accounts. */
  readonly user: string;
  readonly model?: 'plain' | 'spare';
  readonly stream?: boolean;
  readonly tokens?: number;
  readonly key?: string;
  /** By which connections; default: those that all requests share. */
  readonly dispatcher?: Dispatcher;
  /** The client leaves after so many pieces of the answer. */
  readonly leaveAfter?: number;
  readonly onPiece?: (count: number) => void;
};

/** status 0: the connection broke, before or in the middle of the answer. */
export type Outcome = {
  readonly status: number;
  readonly code: string | undefined;
  readonly isWhole: boolean;
  readonly ms: number;
  /** Nobody listened: the request was not sent. */
  readonly isRefusedConnection: boolean;
};

/** Asks a gateway; never rejects. */
export async function ask(
  url: string,
  { user, model = 'plain', stream = false, tokens = 40, key = clientKey, ...how }: Ask,
): Promise<Outcome> {
  const startedAt = performance.now();
  const outcome = (status: number, text: string): Outcome => ({
    status,
    code: status >= 400 ? codeIn(text) : undefined,
    isWhole: status === 200 && (stream ? text.includes('data: [DONE]') : text.endsWith('}')),
    ms: performance.now() - startedAt,
    isRefusedConnection: false,
  });
  const leaving = new AbortController();
  let status = 0;
  try {
    const response = await fetch(url + chatPath, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify(
        chat(model, { user, stream, max_tokens: 300, messages: [{ role: 'user', content: `[[tokens=${tokens}]]` }] }),
      ),
      signal: leaving.signal,
      ...(how.dispatcher && { dispatcher: how.dispatcher }),
    });
    status = response.status;
    let text = '';
    let pieces = 0;
    for await (const piece of response.body!) {
      text += Buffer.from(piece).toString();
      how.onPiece?.(++pieces);
      if (pieces === how.leaveAfter) leaving.abort();
    }
    return outcome(status, text);
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string };
    return { ...outcome(leaving.signal.aborted ? status : 0, ''), code, isRefusedConnection: code === 'ECONNREFUSED' };
  }
}

function codeIn(text: string): string | undefined {
  try {
    return JSON.parse(text).error.code;
  } catch {
    return undefined;
  }
}

export type Load = {
  /** Ends it; resolves when every request has its answer. */
  stop(): Promise<readonly (Outcome & { readonly user: string })[]>;
  readonly answered: () => readonly (Outcome & { readonly user: string })[];
};

/** So many requests a second, whether or not they are answered, each to the next of the gateways. */
export function load(
  gateways: readonly Pick<Gateway, 'url' | 'isAlive'>[],
  name: string,
  perSecond: number,
  more: Omit<Ask, 'user'> = {},
): Load {
  const answered: (Outcome & { user: string })[] = [];
  const running = new Set<Promise<void>>();
  let sent = 0;
  const startedAt = performance.now();
  const send = () => {
    if (!gateways.some(gateway => gateway.isAlive())) clearInterval(timer);
    for (; sent < ((performance.now() - startedAt) / 1000) * perSecond; sent++) {
      const user = `${name}-${sent}`;
      const model = sent % 4 === 3 ? 'spare' : 'plain';
      const one = ask(gateways[sent % gateways.length]!.url, { stream: sent % 2 === 0, model, ...more, user }).then(outcome => {
        answered.push({ ...outcome, user });
        running.delete(one);
      });
      running.add(one);
    }
  };
  const timer = setInterval(send, 5);
  return {
    answered: () => answered,
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
      return answered;
    },
  };
}

/** The 99th percentile of their times. */
export function p99(outcomes: readonly Outcome[]): number {
  const times = outcomes.map(({ ms }) => ms).sort((a, b) => a - b);
  return times[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN;
}

// ---------------------------------------------------------------- the provider's account

/** One attempt as the provider saw it. */
export type Billed = {
  readonly user: string;
  readonly cost: number;
  readonly status: number;
  readonly outcome: RecordedRequest['outcome'];
};

export type Bill = {
  /** Everything that reached the simulator, once it has answered all of it. */
  all(): Promise<readonly Billed[]>;
  close(): void;
};

/** Keeps what reaches the simulator, which remembers a thousand requests. */
export function billOf(simulator: Simulator): Bill {
  const taken = new Map<number, Billed>();
  const take = () => {
    for (const { seq, outcome, body, promptTokens, tokens, status = 0 } of simulator.requests()) {
      if (outcome === 'open' || body === null || taken.has(seq)) continue;
      const cost = promptTokens === 0 ? 0 : promptTokens * UNIT.prompt + tokens * UNIT.completion;
      taken.set(seq, { user: (body as { user: string }).user, cost, status, outcome });
    }
  };
  const timer = setInterval(take, 200);
  return {
    async all() {
      await until('the provider has answered all', () => simulator.requests().every(({ outcome }) => outcome !== 'open'));
      take();
      return [...taken].sort(([a], [b]) => a - b).map(([, billed]) => billed);
    },
    close: () => clearInterval(timer),
  };
}

// ---------------------------------------------------------------- the ledger's account

export type Row = {
  readonly requestId: string;
  readonly attempt: number;
  readonly user: string;
  readonly state: string;
  readonly isRecovered: boolean;
  readonly isEstimated: boolean;
  readonly failure: string | null;
  readonly keyName: string;
  readonly cost: number;
  readonly reserved: number;
};

const STATEMENT = `select request_id, attempt, user_id, state, recovered, estimated, failure, key_name, cost_nano_usd, reserved_nano_usd
  from attempts order by request_id, attempt`;

/** biome-ignore lint/suspicious/noExplicitAny: as the database has it */
const rowOf = (row: Record<string, any>): Row => ({
  requestId: String(row.request_id),
  attempt: Number(row.attempt),
  user: row.user_id,
  state: row.state,
  isRecovered: Boolean(row.recovered),
  isEstimated: Boolean(row.estimated),
  failure: row.failure,
  keyName: row.key_name,
  cost: Number(row.cost_nano_usd),
  reserved: Number(row.reserved_nano_usd),
});

export const rowsInPostgres = async (url: string): Promise<readonly Row[]> => (await run(url, STATEMENT)).rows.map(rowOf);

export function rowsInSqlite(file: string): readonly Row[] {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 1000 });
  try {
    return database.prepare(STATEMENT).all().map(rowOf);
  } finally {
    database.close();
  }
}

export const total = (items: readonly { readonly cost: number }[]): number => items.reduce((sum, { cost }) => sum + cost, 0);

// ---------------------------------------------------------------- the counters' account

export type Sums = { readonly settled: number; readonly reserved: number };

/** Each account of the tenant, all its periods together. */
export async function sumsInRedis(client: Redis, tenant = TENANT): Promise<ReadonlyMap<string, Sums>> {
  const fields = Object.entries(await client.hgetall(`tollgate:{${tenant}}:spend`));
  const sums = new Map<string, { settled: number; reserved: number }>();
  for (const [name] of fields) if (name.startsWith('m:')) sums.set(name.slice(2), { settled: 0, reserved: 0 });
  for (const [name, value] of fields) {
    const [, kind, account] = /^([sr]):\d+:(.*)$/s.exec(name) ?? [];
    const known = account !== undefined && sums.get(account);
    if (known) known[kind === 's' ? 'settled' : 'reserved'] += Number(value);
  }
  return sums;
}

// ---------------------------------------------------------------- what has to agree

export type Difference = { readonly user: string; readonly what: string };

/**
 * Compares attempt by attempt: whose usage reached the gateway costs what was billed; what was open when the gateway died costs its
 * reservation and says so; what reached the provider has a row.
 */
export function differences(bill: readonly Billed[], rows: readonly Row[]): readonly Difference[] {
  const found: Difference[] = [];
  const rowsOf = Map.groupBy(rows, row => row.user);
  for (const [user, attempts] of Map.groupBy(bill, one => one.user)) {
    const own = rowsOf.get(user) ?? [];
    const say = (what: string) => found.push({ user, what });
    if (own.length < attempts.length) say(`${attempts.length} attempts, ${own.length} rows`);
    if (new Set(own.map(row => row.requestId)).size > 1) say('rows of several requests');
    attempts.forEach((attempt, i) => {
      const row = own[i];
      if (row) for (const what of complaints(attempt, row)) say(`attempt ${i}: ${what}`);
    });
  }
  return found;
}

function* complaints(billed: Billed, row: Row): Generator<string> {
  if (row.state !== 'settled') yield `is ${row.state}`;
  if (row.isRecovered) {
    if (row.cost !== row.reserved) yield `recovered at ${row.cost}, not at its reservation of ${row.reserved}`;
    if (!row.isEstimated) yield 'recovered, and not flagged as estimated';
    if (row.cost < billed.cost) yield `recovered at ${row.cost}, below the bill of ${billed.cost}`;
  } else if (!row.isEstimated && row.cost !== billed.cost) yield `costs ${row.cost}, billed ${billed.cost}`;
}

// ---------------------------------------------------------------- gateways and their stores

export type Pods = {
  readonly simulator: Simulator;
  readonly bill: Bill;
  readonly redis: TestRedis;
  readonly postgres: PostgresServer;
  readonly database: string;
  /** One gateway more, with a data folder of its own. */
  start(env?: Readonly<Record<string, string>>): Promise<Gateway>;
  /** Starts Redis where it was: empty, or with what it had written down before. */
  restartRedis(dump?: Buffer): Promise<void>;
  rows(): Promise<readonly Row[]>;
  /** The rows, once each gateway has brought in all it has, and none is open. */
  settledRows(): Promise<readonly Row[]>;
};

export type PodsOptions = {
  readonly count: number;
  readonly yaml?: (origin: string) => string;
};

/** Gateways over one Redis and one Postgres, for as long as they are used. */
export async function withPods(
  { count, yaml = chaosYaml }: PodsOptions,
  use: (pods: Pods, gateways: readonly Gateway[]) => Promise<void>,
): Promise<void> {
  const [simulator, first, postgres] = await Promise.all([
    startSimulator({ settings: { latency: 10, tokensPerSecond: 2000 } }),
    startRedis(),
    startPostgres(),
  ]);
  const bill = billOf(simulator);
  const database = await postgres.database();
  const started: Gateway[] = [];
  let names = 0;
  let redis = first;
  const pods: Pods = {
    simulator,
    bill,
    get redis() {
      return redis;
    },
    postgres,
    database,
    async start(env = {}) {
      const stores = { REDIS_URL: redis.url, DATABASE_URL: database, TOLLGATE_PODS: String(count || 1) };
      const gateway = await startGateway({
        yaml: yaml(simulator.origin),
        env: { POD_NAME: `pod-${names++}`, ...stores, ...env },
      });
      started.push(gateway);
      return gateway;
    },
    async restartRedis(dump) {
      const { port } = redis;
      await redis.stop();
      redis = await startRedis({ port, ...(dump && { dump }) });
    },
    rows: () => rowsInPostgres(database),
    settledRows: () =>
      until(
        'every row is settled, in the ledger and in the counters',
        async () => {
          const alive = started.filter(gateway => gateway.isAlive());
          const waiting = await Promise.all(alive.map(isBusy));
          if (waiting.includes(true)) return undefined;
          const rows = await rowsInPostgres(database);
          return rows.every(({ state }) => state === 'settled') && rows;
        },
        30_000,
      ),
  };
  try {
    await use(pods, await Promise.all(Array.from({ length: count }, () => pods.start())));
  } finally {
    bill.close();
    redis.resume();
    postgres.resume();
    await Promise.all(started.map(gateway => gateway.kill()));
    await Promise.all([simulator.close(), redis.stop(), postgres.stop()]);
  }
}

/** Something of it is on its way to Redis or to Postgres. */
async function isBusy(gateway: Gateway): Promise<boolean> {
  const metric = await metricsOf(gateway);
  return metric('tollgate_spool_rows_waiting') !== 0 || metric('tollgate_settlements_waiting') !== 0;
}

/** The gateway's own words on what is away. */
export async function degradedIn(gateway: Pick<Gateway, 'url'>): Promise<readonly string[]> {
  return (await get(`${gateway.url}/health/readiness`)).json().degraded;
}

/** Lines of the access log, one for each request. */
export function requestLines(gateway: Pick<Gateway, 'logs'>): readonly Record<string, unknown>[] {
  return gateway
    .logs()
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
    .filter(({ msg }) => msg === 'request');
}
