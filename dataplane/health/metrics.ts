// The state of every breaker in use, read when somebody asks for the metrics.
import type { Registry } from 'prom-client';
import type { BreakerState } from '#core/health/breaker.ts';
import { gaugeOf } from '#platform/metrics.ts';
import { stateMetrics } from '../metrics-table.ts';
import type { BackendHealth } from '../ports.ts';

const VALUES = { closed: 0, 'half-open': 1, open: 2 } as const satisfies Record<BreakerState, number>;

export function registerBreakerState(registry: Registry, health: Pick<BackendHealth, 'report'>, now: () => number): void {
  gaugeOf(registry, stateMetrics.breakerState, gauge => {
    for (const { provider, model, breaker } of health.report(now()))
      gauge.set({ provider: provider.id, model: model.name }, VALUES[breaker]);
  });
}
