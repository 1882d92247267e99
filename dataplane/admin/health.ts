// Liveness, readiness and the configuration in force, for Kubernetes, load balancers and the operator.
import type { ConfigReport } from '#core/snapshot/pod-report.ts';
import type { Page } from '../http/router.ts';
import type { ConfigSource, ServedConfig } from '../ports.ts';

export type Readiness = {
  readonly draining: () => boolean;
  /** Stores that are away: requests go on, by the fail mode of their key and into the spool. */
  readonly degraded: () => readonly string[];
};

/** LiteLLM's answer, a JSON string. */
export const livenessPage: Page = () => ({ status: 200, body: '"I\'m alive!"' });

/** 200 with what is degraded; 503 only while the process is going down or has no configuration yet. */
export function readinessPage(config: ConfigSource, { draining, degraded }: Readiness): Page {
  return () => {
    if (draining()) return { status: 503, body: { status: 'draining' } };
    const { generation } = config.current();
    if (generation === 0) return { status: 503, body: { status: 'starting' } };
    const away = degraded();
    const db = away.includes('ledger') ? 'Not connected' : 'connected';
    return { status: 200, body: { status: 'healthy', db, cache: null, degraded: away, generation } };
  };
}

/** What this process serves, for whoever has to know that a change has arrived. */
export function configzPage(config: ServedConfig): Page {
  return () => {
    const { snapshot, generation } = config.current();
    const lastError = config.lastError();
    const body: ConfigReport = {
      schemaVersion: snapshot.schemaVersion,
      generation,
      credentials: 0,
      rejected: [],
      ...config.report?.(),
      loadedAt: config.loadedAt(),
      ...(lastError !== undefined && { lastError }),
    };
    return { status: 200, body };
  };
}
