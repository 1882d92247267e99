// Changes of keys over HTTP, by the same handlers that a gateway without a cluster has; what they make are TenantKey objects. Reading
// keys, and what they spent, is the data plane's: it has the counters and the ledger.
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';
import type { AdminPorts } from '../../dataplane/admin/admin-ports.ts';
import { emptyConfig, liveConfig } from '../../dataplane/config/live.ts';
import type { Handler } from '../../dataplane/http/listener.ts';
import type { KeyStore } from '../../dataplane/ports.ts';
import type { Configuration } from '../configuration.ts';

export type KeyApiOptions = {
  readonly keys: KeyStore;
  readonly configuration: Configuration;
  readonly isMasterKey: (headers: IncomingHttpHeaders) => boolean;
  readonly clock: Clock;
  readonly newRequestId: () => string;
  readonly digest: (text: string) => string;
  readonly randomBytes: (count: number) => Buffer;
  readonly log: Log;
};

export const isKeyPath = (path: string): boolean => path.startsWith('/key/');

/** Loaded with the first call: most operators never get one. */
export async function keyApi(options: KeyApiOptions): Promise<Handler> {
  const [{ expressApp }, { keyRoutes }] = await Promise.all([
    import('../../dataplane/admin/express-app.ts'),
    import('../../dataplane/admin/key-routes.ts'),
  ]);
  return expressApp(
    portsOf(options),
    keyRoutes.filter(({ method }) => method === 'POST'),
  );
}

/** What changes of keys ask for: the ledger, the counters and the cache are asked by readers only. */
function portsOf({ configuration, clock, log, ...options }: KeyApiOptions): AdminPorts {
  const ports: Omit<AdminPorts, 'ledger' | 'counters' | 'cache' | 'calendar'> = {
    ...options,
    config: { current: () => currentOf(configuration, options.digest) },
    // The audit of the API server has each change as well; who asked for it is known here.
    audit: {
      write: async entry => void log.info({ audit: entry }, 'a change of keys'),
      flush: async () => {},
    },
    now: clock.now,
    onError: (error, request_id) => log.error({ error, request_id }, 'an administrative request failed on a bug of the operator'),
  };
  return ports as AdminPorts;
}

const currentOf = ({ compiled, generation }: Configuration, digest: (text: string) => string) =>
  compiled ? liveConfig(compiled.snapshot, new Map(), generation, digest) : emptyConfig;
