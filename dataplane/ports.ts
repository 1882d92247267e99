// What the loop needs from the outside, as interfaces: `serve.ts` knows these and nothing of who stands behind them.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Alert } from '#core/admission/alerts.ts';
import type { Failure, Parsed } from '#core/failure.ts';
import type { TenantKeySpec } from '#core/resources/tenant-key.ts';
import type { ProviderEntry } from '#core/snapshot/snapshot.ts';
import type { EpochMillis } from '#core/units.ts';
import type { HttpClient } from '#platform/http-client.ts';
import type { Admitter } from './admission/admission.ts';
import type { LiveConfig } from './config/live.ts';
import type { Exchange } from './exchange.ts';
import type { ClientResponse } from './http/client-response.ts';
import type { Trip } from './trip.ts';

/** The configuration in force at this moment. */
export type ConfigSource = { current(): LiveConfig };

/** Where rows of the cost log go. Never throws. */
export type CostLog = {
  /**
   * @param json the row as JSON
   * @param durable it outlives this process when this returns; else a moment later
   * @returns false: there is no room. That happens to rows that open an attempt, which must not be sent then
   */
  record(row: CostRecord, json: string, durable: boolean): boolean;
};

/** Who watches: metrics, the access log. Never blocks, never throws. */
export type Observer = {
  /** A request that was answered before any attempt. */
  refused(exchange: Exchange, reason: Failure): void;
  /** A request that was attempted, when it is over. */
  served(trip: Trip): void;
  /** Every row of the cost log as well. */
  attempted(row: CostRecord): void;
};

/** An attempt that wants to go to its provider. */
export type Entrance = {
  readonly provider: ProviderEntry;
  /** Upper bound of the tokens of the attempt. */
  readonly tokens: number;
  /** Of the key: higher is let in first. */
  readonly priority: number;
  readonly client: Pick<ClientResponse, 'gone' | 'listener'>;
  /** Monotonic; nobody waits beyond it. */
  readonly deadline: number;
};

/** A place at the provider, until it is left; leaving twice is leaving once. */
export type Pass = {
  /** @param tokens what the attempt used; undefined: not known, all that was taken */
  leave(tokens?: number): void;
};

/** What providers are sent at most: their `limits`. */
export type Gate = {
  /** At once where there is a place, or none to wait for; an attempt that was let in leaves its pass, however it ends. */
  enter(entrance: Entrance): Parsed<Pass> | Promise<Parsed<Pass>>;
};

/** Who is told of what somebody should know. Never blocks, never throws. */
export type Alerts = { emit(alert: Alert): void };

/** The replicas whose time is the price of their models. */
export type GpuTime = {
  /** @param endpoint its origin; `leave` tells the seconds that were this attempt's */
  enter(endpoint: string): { leave(): number };
};

export type Ports = {
  readonly config: ConfigSource;
  readonly http: HttpClient;
  readonly costLog: CostLog;
  readonly admitter: Admitter;
  /** HTTP status of a request that a budget refuses. */
  readonly budgetExceededStatus: number;
  readonly observer: Observer;
  readonly now: () => number;
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** How many requests a route has planned before this one. */
  readonly turn: (routeId: string) => number;
  readonly newRequestId: () => string;
  readonly gate: Gate;
  readonly gpuTime: GpuTime;
  readonly alerts: Alerts;
  /** Places for attempts that read on after their client left. */
  readonly drains: { take(): boolean; free(): void };
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
  readonly estimateTokens: (text: string) => Promise<number>;
};

/** One TenantKey as it is kept, whoever wrote it: the administration API or a person with an editor. Never a secret. */
export type KeyObject = {
  /** `namespace/name`. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly createdAt: EpochMillis | undefined;
  readonly updatedAt: EpochMillis | undefined;
  readonly spec: TenantKeySpec;
};

/** What becomes of an object: fields of `spec` and annotations to set; undefined takes one away. */
export type KeyChange = {
  readonly spec: { readonly [Field in keyof TenantKeySpec]?: unknown };
  readonly annotations?: Readonly<Record<string, string | undefined>>;
};

/** Where TenantKeys live. An answer to a change comes when the change is in force, and a change that would not be sound is taken back. */
export type KeyStore = {
  list(): readonly KeyObject[];
  create(key: Pick<KeyObject, 'namespace' | 'name'> & KeyChange): Promise<Parsed<KeyObject>>;
  /** `change` sees the newest version, one at a time for each key over all processes: no update is lost. */
  update(id: string, change: (key: KeyObject) => Parsed<KeyChange>): Promise<Parsed<KeyObject>>;
  delete(id: string): Promise<Parsed<KeyObject>>;
};
