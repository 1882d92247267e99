// The metrics of a data plane: those that are counted as things happen, and all of them as the page that Prometheus reads.
import { collectDefaultMetrics, Registry } from 'prom-client';
import { counterOf, type Derived, exposed, gaugeOf, histogramOf } from '#platform/metrics.ts';
import { countedMetrics as counted, misnamedRuntimeMetrics, stateMetrics as state } from './metrics-table.ts';
import { UsageTally } from './metrics-usage.ts';

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of misnamedRuntimeMetrics) registry.removeSingleMetric(name);
  const derived: Derived[] = [];
  return {
    registry,
    contentType: registry.contentType,
    usage: new UsageTally(),
    /** Adds metrics that are made when somebody scrapes. */
    derive(all: readonly Derived[]): void {
      derived.push(...all);
    },
    /** All that is known, for Prometheus. */
    async page(): Promise<string> {
      const texts = [await registry.metrics()];
      for (const { spec, samples } of derived) {
        // A page of ten thousand lines takes a while: requests go on in between.
        await new Promise(setImmediate);
        const now = await samples();
        await new Promise(setImmediate);
        texts.push(exposed(spec, now));
      }
      return texts.join('');
    },
    cascades: counterOf(registry, counted.cascades),
    fallbackReasons: counterOf(registry, counted.fallbackReasons),
    hedges: counterOf(registry, counted.hedges),
    continued: counterOf(registry, counted.continued),
    cache: counterOf(registry, counted.cache),
    cacheBypasses: counterOf(registry, counted.cacheBypasses),
    cacheRefusals: counterOf(registry, counted.cacheRefusals),
    cacheWaits: counterOf(registry, counted.cacheWaits),
    cacheLookup: histogramOf(registry, counted.cacheLookup),
    cacheSamples: counterOf(registry, counted.cacheSamples),
    cacheFalseHits: gaugeOf(registry, counted.cacheFalseHits),
    cacheTightened: counterOf(registry, counted.cacheTightened),
    cacheJudgements: counterOf(registry, counted.cacheJudgements),
    hooks: counterOf(registry, counted.hooks),
    hookSeconds: histogramOf(registry, counted.hookSeconds),
    breakerTransitions: counterOf(registry, counted.breakerTransitions),
    retriesDenied: counterOf(registry, counted.retriesDenied),
    failModes: counterOf(registry, counted.failModes),
    rebuilds: histogramOf(registry, counted.rebuilds),
    exceeded: counterOf(registry, counted.exceeded),
    alerts: counterOf(registry, counted.alerts),
    alertWebhook: counterOf(registry, counted.alertWebhook),
    generation: gaugeOf(registry, state.generation),
    unsound: gaugeOf(registry, state.unsound),
  } as const;
}
