// Several gateways over one Redis and one Postgres, in front of one simulator: what a cluster runs, on one machine. And the two sums
// that have to agree: what the ledger says, and what the provider billed.
import { type Simulator, type SimulatorOptions, startSimulator } from '#simulator/index.ts';
import { get } from './client.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { type PostgresServer, run, startPostgres, withoutPostgres } from './postgres.ts';
import { startRedis, type TestRedis, withoutRedis } from './redis.ts';
import { until } from './until.ts';

/** For the `skip` of a test: why there can be no fleet here, or false. */
export const withoutStores: string | false = withoutRedis || withoutPostgres;

export type LedgerRow = {
  readonly request_id: string;
  readonly attempt: number;
  readonly state: 'open' | 'settled';
  readonly recovered: boolean;
  /** Changes with the secret. */
  readonly key_id: string;
  readonly key_name: string;
  readonly model_requested: string;
  readonly model: string;
  readonly provider: string;
  readonly failure: string | null;
  readonly fallback_position: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly estimated: boolean;
  readonly exceeded: boolean;
  readonly possibly_billed: boolean;
  readonly price_version: string | null;
  readonly unit_prices: Readonly<Record<string, number>> | null;
  /** Nano-dollars. */
  readonly cost: number;
  readonly reserved: number;
};

export type Fleet = {
  readonly gateways: readonly Gateway[];
  readonly simulator: Simulator;
  readonly redis: TestRedis;
  readonly postgres: PostgresServer;
  readonly database: string;
  /** The gateway whose turn it is. */
  next(): Gateway;
  configure(yaml: string): void;
  /** All rows of these keys (`namespace/name`; none: of all), once no request is open and every row is in the ledger. */
  settledRows(...keyNames: readonly string[]): Promise<readonly LedgerRow[]>;
  /** All rows as they are now. */
  rows(): Promise<readonly LedgerRow[]>;
  close(): Promise<void>;
};

export type FleetOptions = {
  readonly size?: number;
  readonly simulator?: SimulatorOptions;
  /** @param origin of the simulator */
  readonly yaml: (origin: string) => string;
  readonly env?: Readonly<Record<string, string>>;
};

export async function startFleet({ size = 3, simulator: simulated, yaml, env }: FleetOptions): Promise<Fleet> {
  const [simulator, redis, postgres] = await Promise.all([startSimulator(simulated), startRedis(), startPostgres()]);
  const stopStores = () => Promise.all([simulator.close(), redis.stop(), postgres.stop()]);
  const database = await postgres.database();
  const stores = { REDIS_URL: redis.url, DATABASE_URL: database, TOLLGATE_PODS: String(size), ...env };
  const started = await Promise.allSettled(
    Array.from({ length: size }, (_, i) =>
      startGateway({ yaml: yaml(simulator.origin), env: { POD_NAME: `pod-${i}`, ...stores } }),
    ),
  );
  const gateways = started.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = started.find(result => result.status === 'rejected');
  if (failed) {
    await Promise.all(gateways.map(gateway => gateway.stop()));
    await stopStores();
    throw failed.reason;
  }
  let turn = 0;
  const rows = () => rowsIn(database);
  return {
    gateways,
    simulator,
    redis,
    postgres,
    database,
    next: () => gateways[turn++ % size]!,
    configure: text => {
      for (const gateway of gateways) gateway.configure(text);
    },
    rows,
    settledRows: (...keyNames) =>
      until(
        'every row is settled and in the ledger',
        async () => {
          const idle = await Promise.all(gateways.map(isIdle));
          if (idle.includes(false)) return undefined;
          const all = (await rows()).filter(row => keyNames.length === 0 || keyNames.includes(row.key_name));
          return all.every(row => row.state === 'settled') && all;
        },
        15_000,
      ),
    async close() {
      await Promise.all(gateways.map(gateway => gateway.stop()));
      await stopStores();
    },
  };
}

/** Nothing of it is on its way to Redis or to Postgres. */
async function isIdle(gateway: Gateway): Promise<boolean> {
  const metric = await metricsOf(gateway);
  return metric('tollgate_spool_rows_waiting') === 0 && metric('tollgate_settlements_waiting') === 0;
}

/** Reads a gateway's metrics: the value of one by its name and, where it has some, its labels as they are written. */
export async function metricsOf(gateway: Pick<Gateway, 'url'>): Promise<(name: string, labels?: string) => number | undefined> {
  const { text } = await get(`${gateway.url}/metrics`);
  const values = new Map(
    text
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
  return (name, labels) => values.get(labels === undefined ? name : `${name}{${labels}}`);
}

async function rowsIn(database: string): Promise<readonly LedgerRow[]> {
  const { rows } = await run(database, 'select * from attempts order by at, request_id, attempt');
  // Numbers of 64 bits come as text.
  return rows.map(row => ({
    ...row,
    prompt_tokens: Number(row.prompt_tokens),
    completion_tokens: Number(row.completion_tokens),
    cost: Number(row.cost_nano_usd),
    reserved: Number(row.reserved_nano_usd),
  }));
}

export const costOfRows = (rows: readonly LedgerRow[]): number => rows.reduce((sum, { cost }) => sum + cost, 0);

/** Nano-dollars a token. */
export type UnitPrices = { readonly input: number; readonly output: number };

/** What the provider charges by its own count, in nano-dollars, for models by the names it knows. */
export function billed(simulator: Simulator, prices: Readonly<Record<string, UnitPrices>>): number {
  const bill = simulator.bill();
  return Object.entries(prices).reduce((sum, [model, { input, output }]) => {
    const { prompt_tokens, completion_tokens } = bill[model] ?? { prompt_tokens: 0, completion_tokens: 0 };
    return sum + prompt_tokens * input + completion_tokens * output;
  }, 0);
}

/** Dollars as they are written in the configuration and in messages, in nano-dollars. */
export const nano = (usd: string): number => {
  const [whole, fraction = ''] = usd.split('.');
  return Number(whole) * 1e9 + Number(fraction.padEnd(9, '0'));
};
