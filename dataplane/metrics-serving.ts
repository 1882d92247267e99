// Metrics that need more than one part of the data plane: what is under way, the configuration in force, and all that is derived.
import { gaugeOf } from '#platform/metrics.ts';
import type { Metrics } from './metrics.ts';
import { ownDerived } from './metrics-derived.ts';
import { genAiDerived } from './metrics-genai.ts';
import { litellmDerived } from './metrics-litellm.ts';
import { stateMetrics } from './metrics-table.ts';
import type { BackendHealth, ServedConfig } from './ports.ts';
import type { BudgetLevels } from './store-events.ts';

export type Serving = {
  readonly config: Pick<ServedConfig, 'current' | 'loadedAt'>;
  readonly levels: Pick<BudgetLevels, 'standings'>;
  readonly health: Pick<BackendHealth, 'report'>;
  /** Requests that are not settled yet. */
  inFlight(): number;
  readonly now: () => number;
  readonly monotonic: () => number;
};

export function registerServing(metrics: Metrics, { config, levels, health, inFlight, now, monotonic }: Serving): void {
  const { registry, usage } = metrics;
  gaugeOf(registry, stateMetrics.inFlight, gauge => gauge.set(inFlight()));
  gaugeOf(registry, stateMetrics.loadedAt, gauge => gauge.set(config.loadedAt() / 1000));
  const snapshot = () => config.current().snapshot;
  metrics.derive([
    ...ownDerived(usage, monotonic),
    ...litellmDerived({
      tally: usage,
      snapshot,
      keyNamed: name => config.current().keyNamed(name)?.entry,
      budgets: () => levels.standings(now()),
      breakers: () =>
        health.report(monotonic()).map(({ provider, model, breaker }) => ({ provider: provider.id, model: model.name, breaker })),
      opened: () => openedBreakers(metrics),
      inFlight,
      now: monotonic,
    }),
    ...genAiDerived(usage, snapshot),
  ]);
}

async function openedBreakers({ breakerTransitions }: Metrics) {
  const { values } = await breakerTransitions.get();
  return values
    .filter(({ labels }) => labels.to === 'open')
    .map(({ labels, value }) => ({ provider: String(labels.provider), model: String(labels.model), count: value }));
}
