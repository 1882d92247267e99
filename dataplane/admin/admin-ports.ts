// What the administration API needs from the outside.
import type { IncomingHttpHeaders } from 'node:http';
import type { Calendar } from '#core/accounting/periods.ts';
import type { CacheStore } from '../cache/store.ts';
import type { Ledger } from '../costlog/ledger.ts';
import type { Counters } from '../counters/counters.ts';
import type { ConfigSource, KeyStore } from '../ports.ts';
import type { AuditLog } from './audit.ts';

export type AdminPorts = {
  readonly config: ConfigSource;
  readonly isMasterKey: (headers: IncomingHttpHeaders) => boolean;
  readonly keys: KeyStore;
  readonly ledger: Ledger;
  /** With all that was answered before in them. */
  readonly counters: Pick<Counters, 'levels'>;
  readonly cache: Pick<CacheStore, 'flush'>;
  readonly calendar: Calendar;
  readonly audit: AuditLog;
  readonly now: () => number;
  readonly newRequestId: () => string;
  /** SHA-256, hex. */
  readonly digest: (text: string) => string;
  readonly randomBytes: (count: number) => Buffer;
  /** A bug: what a request threw. */
  readonly onError: (error: unknown, requestId: string) => void;
};
