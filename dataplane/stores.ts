// The stores behind the loop, in Redis and Postgres or embedded: counters, ledger, spool, quota of providers; and what goes on between
// them off every request's path.
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Settlement } from '#core/admission/demand.ts';
import { startsOf, sumsFor } from '#core/admission/sums.ts';
import { type EpochMillis, epochMillis, millis, nanoUsd, tokens } from '#core/units.ts';
import type { Log } from '#platform/log.ts';
import type { RedisLink } from '#platform/redis.ts';
import type { Admitter } from './admission/admission.ts';
import { type AdmitterParts, admitter } from './admission/admitter.ts';
import { type RebuildParts, rebuilder } from './admission/rebuild.ts';
import type { LiveConfig } from './config/live.ts';
import type { Ledger } from './costlog/ledger.ts';
import { migrated } from './costlog/migrated.ts';
import { type Recovery, recovery } from './costlog/recovery.ts';
import { hasNeighbour } from './costlog/recovery-adopt.ts';
import { openSpool, type Spool } from './costlog/spool.ts';
import { sqliteLedger } from './costlog/sqlite.ts';
import { type LedgerWriter, ledgerWriter } from './costlog/writer.ts';
import { rejectedFile } from './costlog/writer-delivery.ts';
import type { Counters } from './counters/counters.ts';
import { joinFleet } from './counters/fleet.ts';
import { memoryCounters } from './counters/memory.ts';
import type { OnStale } from './counters/redis.ts';
import { memoryPins } from './pins/memory.ts';
import type { Pins } from './pins/pins.ts';
import type { CostLog } from './ports.ts';
import { ProviderGate } from './quota/gate.ts';
import { redisPool } from './quota/pool.ts';
import { Replicas } from './quota/replicas.ts';

export type StoreSettings = {
  /** Absent: counters in memory. */
  readonly redisUrl?: string;
  /** A call that is not answered within this failed; also how long a request waits for sums that got lost with Redis. */
  readonly redisTimeoutMs: number;
  /** Absent: SQLite in the data folder. */
  readonly databaseUrl?: string;
  readonly dataFolder: string;
  readonly podName: string;
  /** Ready pods, as long as nobody has told. */
  readonly pods: number;
  readonly retentionDays?: number;
};

export type StoreEvents = Pick<AdmitterParts, 'onSettled' | 'onExhausted' | 'onFailMode'> & Pick<RebuildParts, 'onRebuilt'>;

export type Stores = {
  /** Names this process, and no process before it. */
  readonly pod: string;
  readonly counters: Counters;
  readonly ledger: Ledger;
  /** The same, for reports: what this process has written so far is in them, as long as the ledger keeps up. */
  readonly upToDateLedger: Ledger;
  readonly admitter: Admitter;
  readonly costLog: CostLog;
  readonly gate: ProviderGate;
  readonly replicas: Replicas;
  readonly pins: Pins;
  /** Rows of this process that the ledger does not have yet are brought there, for as long as that takes and no longer than this. */
  flushed(ms: number): Promise<boolean>;
  /** What is away now, in words. */
  degraded(): readonly string[];
  readonly writer: Pick<LedgerWriter, 'stats'>;
  readonly spool: Pick<Spool, 'fill'>;
  readonly recovery: Pick<Recovery, 'stats'>;
  /** Absent where the counters are in memory. */
  readonly redis: RedisLink | undefined;
  readonly readyPods: () => number;
  close(): Promise<void>;
};

/** How long a request waits for sums that are being made: those of a process alone until they are there. */
const PATIENCE_MS = { unheard: 2_000, alone: 5_000 } as const;
const RECOVER_EVERY_MS = 3_000;
const MAINTAIN_EVERY_MS = 30_000;
const FLUSH_MS = 1_000;
/** A report waits this long for rows that are on their way. */
const REPORT_PATIENCE_MS = 500;

export async function openStores(
  settings: StoreSettings,
  events: StoreEvents,
  current: () => LiveConfig,
  { log, now, monotonic }: { readonly log: Log; readonly now: () => number; readonly monotonic: () => number },
): Promise<Stores> {
  const pod = `${settings.podName}-${randomUUID().slice(0, 8)}`;
  const link = settings.redisUrl === undefined ? undefined : await linkTo(settings.redisUrl, settings.redisTimeoutMs, log);
  const ledger = migrated(await ledgerOf(settings));
  const root = path.join(settings.dataFolder, 'spool');
  const setAside = rejectedFile(root, now);
  const spool = await openSpool({ root, name: pod, onPressure: fill => log.error({ fill }, 'the spool is nearly full') });
  const onStale: OnStale = (tenant, account, how) => {
    log.warn({ tenant, account }, 'redis has less than it had: its sums are made anew from the ledger');
    void fleet?.renew(how === 'fallen' ? 'always' : 'unless young');
  };
  const counters = link ? (await import('./counters/redis.ts')).redisCounters({ link, onStale }) : memoryCounters({ now });
  const forget = (rows: readonly CostRecord[]) => {
    for (const [tenant, own] of Map.groupBy(rows, row => row.tenant)) void counters.forget(tenant, own).catch(() => {});
  };
  const writer = ledgerWriter({ spool, ledger, setAside, onWritten: link ? forget : () => {}, log, now });
  const flushed = (ms: number) => writer.flushed(millis(ms));
  const flushSpool = async () => {
    if (!(await flushed(FLUSH_MS))) throw new Error('the ledger does not have all rows of this process yet');
  };
  // Settlements that wait when the flush begins are in the ledger when it ends; later ones may not be.
  let covered: ReadonlySet<string> = new Set();
  const fleet =
    link &&
    joinFleet({
      link,
      pod,
      initialPods: settings.pods,
      flushSpool() {
        covered = admits.waitingNow();
        return flushSpool();
      },
      onLoss: () => admits.forgetWaiting(covered),
    });
  const readyPods = fleet ? () => fleet.readyPods() : () => 1;
  const admits = admitter({
    counters,
    rebuild: rebuilder({
      counters,
      ledger,
      flushed: flushSpool,
      epoch: fleet ? () => fleet.rebuildEpoch() : async () => 'the only one',
      now,
      onRebuilt: events.onRebuilt,
      onError: (tenant, error) => log.warn({ tenant, err: error }, 'sums could not be rebuilt from the ledger'),
    }),
    patience: link
      ? { lost: settings.redisTimeoutMs, unheard: PATIENCE_MS.unheard }
      : { lost: PATIENCE_MS.alone, unheard: PATIENCE_MS.alone },
    keepsCopies: link !== undefined,
    readyPods,
    now,
    sums: async (tenant, accounts) => {
      const since = startsOf(accounts);
      const spend = await ledger.spend(tenant, since, epochMillis(now())).catch(() => undefined);
      return spend && sumsFor(accounts, since, spend);
    },
    onSettled: events.onSettled,
    onExhausted: events.onExhausted,
    onFailMode: events.onFailMode,
  });
  const gate = new ProviderGate({ ...(link && { pool: redisPool(link) }), pod, pods: readyPods, monotonic });
  const shared = link && (await import('./quota/shared-replicas.ts')).sharedReplicas(link, pod);
  const pins = link ? (await import('./pins/redis.ts')).redisPins(link, now) : undefined;
  const replicas = new Replicas(monotonic, endpoint => shared?.others(endpoint) ?? 0);
  shared?.share(replicas);
  const recover = recovery({
    root,
    ownName: pod,
    ledger,
    counters,
    settle: settlement => counters.settle(settlement),
    countsIn: row => countsIn(row, current()),
    tenants: () => tenantsOf(current()),
    setAside,
    log,
    now,
  });
  const maintain = () => void ledger.maintain(now() as EpochMillis).catch(() => {});
  // A database of its own may come up after this process: it is asked for at once, and until it is there.
  let isLedgerReady = settings.databaseUrl === undefined;
  const prepare = () =>
    ledger.migrate().then(
      () => {
        isLedgerReady = true;
        maintain();
      },
      () => void setTimeout(prepare, RECOVER_EVERY_MS).unref(),
    );
  if (!isLedgerReady) void prepare();
  if (!link && (await hasNeighbour(root, pod)))
    log.warn(
      { data: settings.dataFolder },
      'another process works with this data folder, and without REDIS_URL each counts limits and budgets by itself: a tenant may spend its budget once in each',
    );
  void recover.adopt();
  const timers = [
    setInterval(() => void recover.tick(), RECOVER_EVERY_MS).unref(),
    setInterval(maintain, MAINTAIN_EVERY_MS).unref(),
  ];
  return {
    pod,
    counters,
    ledger,
    upToDateLedger: {
      ...ledger,
      figures: async query => {
        await flushed(REPORT_PATIENCE_MS);
        return ledger.figures(query);
      },
      rows: async query => {
        await flushed(REPORT_PATIENCE_MS);
        return ledger.rows(query);
      },
    },
    admitter: admits,
    costLog: writer,
    writer,
    spool,
    recovery: recover,
    redis: link,
    gate,
    replicas,
    pins: pins ?? memoryPins({ now }),
    flushed,
    readyPods,
    degraded: () => [
      ...(link?.state().kind === 'down' ? ['redis'] : []),
      ...(writer.stats().isAway || !isLedgerReady ? ['ledger'] : []),
      ...(spool.fill() >= 1 ? ['spool'] : []),
    ],
    async close() {
      for (const timer of timers) clearInterval(timer);
      await admits.close();
      gate.close();
      pins?.close();
      shared?.close();
      await writer.close(millis(FLUSH_MS * 5));
      await fleet?.close();
      await counters.close();
      await link?.close();
      await ledger.close();
    },
  };
}

// The clients of Redis and Postgres are 12 MiB each: only who uses one loads it.
const linkTo = async (url: string, commandTimeoutMs: number, log: Log): Promise<RedisLink> =>
  (await import('#platform/redis.ts')).connectRedis({ url, commandTimeoutMs, log });

async function ledgerOf({ databaseUrl, dataFolder, retentionDays }: StoreSettings): Promise<Ledger> {
  const retention = retentionDays === undefined ? {} : { retentionDays };
  if (databaseUrl === undefined) return sqliteLedger({ file: path.join(dataFolder, 'ledger.db'), ...retention });
  return (await import('./costlog/postgres.ts')).postgresLedger({ url: databaseUrl, ...retention });
}

const tenantsOf = ({ snapshot }: LiveConfig): readonly string[] => [...new Set(snapshot.keys.map(key => key.tenant))];

/** What a row of a dead process counts in, by its key as it is now. */
function countsIn(row: CostRecord, config: LiveConfig): Pick<Settlement, 'limits' | 'budgets'> {
  const key = config.keyNamed(row.keyName);
  if (!key) return { limits: [], budgets: [] };
  const nothing = { cost: nanoUsd(0), tokens: tokens(0) };
  const { modelRequested, requestId, leaseUntil } = row;
  const { limits, budgets } = key.demands.of({ modelRequested, requestId, leaseUntil, bound: nothing, limitsAlone: false });
  return { limits, budgets };
}
