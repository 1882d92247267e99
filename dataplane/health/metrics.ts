// The state of every breaker in use, read when somebody asks for the metrics.
import { Gauge, type Registry } from 'prom-client';
import type { BreakerState } from '#core/health/breaker.ts';
import type { BackendHealth } from '../ports.ts';

const VALUES = { closed: 0, 'half-open': 1, open: 2 } as const satisfies Record<BreakerState, number>;

export function registerBreakerState(registry: Registry, health: Pick<BackendHealth, 'report'>, now: () => number): void {
  new Gauge({
    name: 'tollgate_breaker_state',
    help: 'What is sent to a model at a provider: 0 all (closed), 1 a few that try whether it works again (half-open), 2 nothing (open).',
    labelNames: ['provider', 'model'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { provider, model, breaker } of health.report(now()))
        this.set({ provider: provider.id, model: model.name }, VALUES[breaker]);
    },
  });
}
