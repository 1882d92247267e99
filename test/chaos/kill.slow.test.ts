// kill -9 at any moment of a request: what the provider billed is in the ledger, to the nano-dollar where its usage reached us, and at
// the reservation, flagged, where it did not; once, and in the counters too. docs/invariants.md, 1, 3 and 7.
//   TOLLGATE_SEED=17 node --test test/chaos/kill.slow.test.ts     repeats one seed; TOLLGATE_SOAK=1 runs them all
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import {
  type Ask,
  ask,
  type Bill,
  billOf,
  chance,
  chaosYaml,
  differences,
  type Outcome,
  type Row,
  rowsInPostgres,
  rowsInSqlite,
  seeds,
  sumsInRedis,
  total,
} from '#test/support/chaos.ts';
import { metricsOf, withoutStores } from '#test/support/fleet.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { type PostgresServer, startPostgres } from '#test/support/postgres.ts';
import { startRedis, type TestRedis } from '#test/support/redis.ts';
import { until } from '#test/support/until.ts';

/** Longer than any lease of these requests: 20 s and 90 s. */
const AFTER_ALL_LEASES_MS = 180_000;

// ---------------------------------------------------------------- the points

/** What can be seen of a life from outside. */
type Sight = {
  readonly random: () => number;
  /** Requests that the provider has. */
  readonly reached: () => number;
  /** Pieces of answers that clients have. */
  readonly pieces: () => number;
  /** Answers that are complete. */
  readonly ended: () => number;
};

const when = async (happened: () => boolean) => {
  for (let i = 0; i < 2000 && !happened(); i++) await sleep(1);
};

/** The numbered points of a request at which its gateway is killed; a seed chooses one of them. */
const points: readonly { readonly name: string; readonly come: (sight: Sight) => Promise<void> }[] = [
  { name: 'while it is admitted', come: ({ random }) => sleep(random() * 8) },
  { name: 'sent, not answered', come: ({ reached }) => when(() => reached() > 0) },
  { name: 'its answer has begun', come: ({ pieces }) => when(() => pieces() > 0) },
  { name: 'in the middle of its answer', come: ({ pieces, random }) => when(() => pieces() > 2 + random() * 20) },
  { name: 'its answer is complete', come: ({ ended }) => when(() => ended() > 0) },
  {
    name: 'while it is settled',
    async come({ ended, random }) {
      await when(() => ended() > random() * 4);
      await sleep(random() * 30);
    },
  },
  {
    name: 'while its row goes to the ledger',
    async come({ ended, random }) {
      await when(() => ended() > 1);
      await sleep(120 + random() * 200);
    },
  },
  { name: 'at any moment', come: ({ random }) => sleep(random() * 400) },
];

// ---------------------------------------------------------------- a life

/** What several lives on the same stores left behind. */
type Accounts = { readonly outcomes: Outcome[]; readonly kills: string[] };

function traffic(seed: number, random: () => number): readonly (Ask & { readonly after: number })[] {
  return Array.from({ length: 6 + Math.floor(random() * 6) }, (_, i) => ({
    user: `seed-${seed}-${i}`,
    model: random() < 0.3 ? 'spare' : 'plain',
    stream: random() < 0.6,
    tokens: 10 + Math.floor(random() * 100),
    after: random() * 60,
    ...(random() < 0.1 && { leaveAfter: 1 + Math.floor(random() * 5) }),
  }));
}

const seenBy = (simulator: Simulator): number => simulator.requests().at(-1)?.seq ?? 0;

/** Requests in plenty, and a kill in the middle of them. */
async function live(seed: number, { simulator, start }: World, accounts: Accounts): Promise<void> {
  const gateway = await start();
  const random = chance(seed);
  const before = seenBy(simulator);
  let [pieces, ended] = [0, 0];
  const requests = traffic(seed, random).map(async ({ after, ...one }) => {
    await sleep(after);
    accounts.outcomes.push(await ask(gateway.url, { ...one, onPiece: () => void pieces++ }));
    ended++;
  });
  const point = points[seed % points.length]!;
  await point.come({ random, reached: () => seenBy(simulator) - before, pieces: () => pieces, ended: () => ended });
  await gateway.kill();
  accounts.kills.push(point.name);
  await Promise.all(requests);
}

/** Killed while it starts, and so while it brings in what the one before left. */
async function dieYoung(random: () => number, start: (onSpawn: Spawned) => Promise<Gateway>): Promise<void> {
  const gateway = await start(child => void setTimeout(() => child.kill('SIGKILL'), 200 + random() * 500)).catch(() => undefined);
  await gateway?.exited;
}

type Spawned = NonNullable<Parameters<typeof startGateway>[0]['onSpawn']>;

type World = {
  readonly simulator: Simulator;
  readonly bill: Bill;
  /** TOLLGATE_DATA of all of them. */
  readonly data: string;
  readonly start: (more?: { readonly onSpawn?: Spawned; readonly isLater?: boolean }) => Promise<Gateway>;
  readonly rows: () => Promise<readonly Row[]> | readonly Row[];
};

/** Life after life on the same folder and stores, then one that is left alone until all is in order. */
async function livesOf(
  world: World,
  all: readonly number[],
): Promise<Accounts & { readonly rows: readonly Row[]; readonly last: Gateway }> {
  const accounts: Accounts = { outcomes: [], kills: [] };
  for (const seed of all) {
    if (seed % 7 === 0) await dieYoung(chance(-seed), onSpawn => world.start({ onSpawn }));
    await live(seed, world, accounts);
  }
  const last = await world.start();
  const rows = await recovered(world, last);
  return { ...accounts, rows, last };
}

/** The dead processes' folders are gone, and no row is open. */
async function recovered(world: World, gateway: Gateway): Promise<readonly Row[]> {
  return until(
    'what the dead left is in the ledger',
    async () => {
      const spools = readdirSync(path.join(world.data, 'spool'), { withFileTypes: true }).filter(entry => entry.isDirectory());
      if (spools.length > 1 || (await metricsOf(gateway))('tollgate_spool_rows_waiting') !== 0) return undefined;
      const rows = await world.rows();
      return rows.every(({ state }) => state === 'settled') && rows;
    },
    20_000,
  );
}

async function agree(world: World, { kills, outcomes }: Accounts, rows: readonly Row[]): Promise<void> {
  const bill = await world.bill.all();
  const lost = rows.filter(row => row.isRecovered);
  console.log(
    `${kills.length} kills, ${outcomes.length} requests (${outcomes.filter(o => o.isWhole).length} answered), ${bill.length} attempts billed, ` +
      `${rows.length} rows, ${lost.length} settled at their reservation`,
  );
  assert.deepEqual(differences(bill, rows), []);
  assert.equal(new Set(rows.map(({ requestId, attempt }) => `${requestId} ${attempt}`)).size, rows.length);
  // What clients left is counted by our tokenizer, which is not the simulator's.
  const isExact = ({ user }: { readonly user: string }) => !left.has(user);
  const left = new Set(rows.filter(row => row.isEstimated && !row.isRecovered).map(({ user }) => user));
  assert.ok(total(rows.filter(isExact)) >= total(bill.filter(isExact)), 'the ledger is below the bill');
  assert.ok(bill.length > kills.length && (kills.length < points.length || lost.length > 0), 'nothing was under way at any kill');
}

// ---------------------------------------------------------------- the variants

const simulated = () => startSimulator({ settings: { latency: 15, tokensPerSecond: 1200, jitter: 0.5 } });

type Stores = { readonly env: Record<string, string>; readonly rows: (data: string) => Promise<readonly Row[]> | readonly Row[] };

/** A world with these stores for as long as it is used; whoever still lives in it then is ended. */
async function inWorld({ env, rows }: Stores, use: (world: World) => Promise<void>): Promise<void> {
  const [simulator, data] = [await simulated(), mkdtempSync(path.join(tmpdir(), 'tollgate-chaos-'))];
  const bill = billOf(simulator);
  const alive: Gateway[] = [];
  try {
    await use({
      simulator,
      bill,
      data,
      async start({ onSpawn, isLater } = {}) {
        const gateway = await startGateway({
          yaml: chaosYaml(simulator.origin),
          env: { TOLLGATE_DATA: data, ...env, ...(isLater && { CLOCK_AHEAD_MS: String(AFTER_ALL_LEASES_MS) }) },
          ...(isLater && { nodeArguments: ['--import', './test/support/clock-ahead.ts'] }),
          ...(onSpawn && { onSpawn }),
        });
        alive.push(gateway);
        return gateway;
      },
      rows: () => rows(data),
    });
  } finally {
    bill.close();
    await Promise.all(alive.map(gateway => gateway.kill()));
    await simulator.close();
    rmSync(data, { recursive: true, force: true });
  }
}

test('killed at any point, with SQLite and counters in memory: rows are the bill, and the budgets are the rows', () =>
  inWorld({ env: {}, rows: data => rowsInSqlite(path.join(data, 'ledger.db')) }, async world => {
    const result = await livesOf(world, seeds(16, 1000));
    await agree(world, result, result.rows);
    // Its sums are made from the ledger for the first request; what they are is in the metrics.
    await ask(result.last.url, { user: 'probe' });
    const rows = await recovered(world, result.last);
    const used = (await metricsOf(result.last))('tollgate_budget_used_ratio', 'tenant="acme",key="",budget="all"');
    assert.equal(Math.round((used ?? 0) * 1000e9), total(rows));
  }));

describe('with Postgres and Redis', { skip: withoutStores }, () => {
  let redis: TestRedis;
  let postgres: PostgresServer;
  before(async () => {
    [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
  });
  after(() => Promise.all([redis?.stop(), postgres?.stop()]));
  beforeEach(() => redis.client.flushall());

  const stores = async (): Promise<Stores> => {
    const database = await postgres.database();
    return { env: { REDIS_URL: redis.url, DATABASE_URL: database }, rows: () => rowsInPostgres(database) };
  };

  /** Once all leases are over, every account of the tenant (one key, all requests) says what the ledger says, and nothing is held. */
  async function countersAgree(world: World): Promise<readonly Row[]> {
    await until(
      'nothing is held, and no row is here alone',
      async () => {
        const left = await Promise.all(['open', 'copies'].map(name => redis.client.hlen(`tollgate:{acme}:${name}`)));
        return left.every(count => count === 0) && (await world.rows()).every(({ state }) => state === 'settled');
      },
      30_000,
    );
    const rows = await world.rows();
    const expected = { settled: total(rows), reserved: 0 };
    assert.deepEqual([...(await sumsInRedis(redis.client)).values()], [expected, expected]);
    return rows;
  }

  test('killed at any point: rows are the bill, and the counters are the rows', async () =>
    inWorld(await stores(), async world => {
      const result = await livesOf(world, seeds(16, 1000));
      await agree(world, result, result.rows);
      await result.last.stop();
      // Reservations whose rows were complete end with their lease; a row that died on its way to the disk has its copy.
      await world.start({ isLater: true });
      await agree(world, result, await countersAgree(world));
    }));

  test('killed, and the disk lost with it: another pod brings in the rows from their copies in Redis', async () =>
    inWorld(await stores(), async world => {
      const accounts: Accounts = { outcomes: [], kills: [] };
      for (const seed of seeds(8, 100)) {
        await live(seed, world, accounts);
        rmSync(world.data, { recursive: true, force: true });
      }
      await world.start({ isLater: true });
      await agree(world, accounts, await countersAgree(world));
    }));
});
