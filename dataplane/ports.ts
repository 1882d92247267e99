// What the loop needs from the outside, as interfaces: `serve.ts` knows these and nothing of who stands behind them.
import type { CostRecord } from '#core/accounting/cost-record.ts';
import type { Failure } from '#core/failure.ts';
import type { HttpClient } from '#platform/http-client.ts';
import type { LiveConfig } from './config/live.ts';
import type { Exchange } from './exchange.ts';
import type { Trip } from './trip.ts';

/** The configuration in force at this moment. */
export type ConfigSource = { current(): LiveConfig };

/** Where cost records go. Never blocks, never throws. */
export type CostLog = { record(row: CostRecord): void };

/** Who watches: metrics, the access log. Never blocks, never throws. */
export type Observer = {
  /** A request that was answered before any attempt. */
  refused(exchange: Exchange, reason: Failure): void;
  /** A request that was attempted, when it is over. */
  served(trip: Trip): void;
  /** Every row of the cost log as well. */
  attempted(row: CostRecord): void;
};

export type Ports = {
  readonly config: ConfigSource;
  readonly http: HttpClient;
  readonly costLog: CostLog;
  readonly observer: Observer;
  readonly now: () => number;
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** How many requests a route has planned before this one. */
  readonly turn: (routeId: string) => number;
  readonly newRequestId: () => string;
  /** Places for attempts that read on after their client left. */
  readonly drains: { take(): boolean; free(): void };
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
  readonly estimateTokens: (text: string) => Promise<number>;
};
