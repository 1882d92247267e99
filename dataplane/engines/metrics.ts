// How the endpoints of self-hosted engines stand, read when somebody asks for the metrics, and how the looks at them went.
import type { Registry } from 'prom-client';
import { counterOf, gaugeOf, histogramOf } from '#platform/metrics.ts';
import { stateMetrics } from '../metrics-table.ts';
import type { EnginesOptions, EngineWatch } from './engines.ts';

export function scrapeMetrics(registry: Registry): EnginesOptions['onScrape'] {
  const duration = histogramOf(registry, stateMetrics.engineScrape);
  const errors = counterOf(registry, stateMetrics.engineScrapeErrors);
  return (provider, seconds, outcome) => {
    if (outcome === 'read') duration.observe({ provider }, seconds);
    else errors.inc({ provider, reason: outcome });
  };
}

type EngineGauge = (typeof stateMetrics)['engineKv' | 'engineLoad' | 'engineWaiting'];

export function registerEngineMetrics(registry: Registry, engines: Pick<EngineWatch, 'report'>): void {
  const gauge = (spec: EngineGauge, figure: (endpoint: ReturnType<typeof engines.report>[number]) => number | undefined) =>
    gaugeOf(registry, spec, one => {
      for (const report of engines.report()) {
        const value = figure(report);
        if (value !== undefined) one.set({ provider: report.provider, endpoint: report.endpoint }, value);
      }
    });
  gauge(stateMetrics.engineLoad, ({ load }) => load);
  gauge(stateMetrics.engineWaiting, ({ state }) => state.reading?.waiting);
  gauge(stateMetrics.engineKv, ({ state }) => state.reading?.kvMax);
  gaugeOf(registry, stateMetrics.engineState, one => {
    for (const { provider, endpoint, state } of engines.report()) one.set({ provider, endpoint, state: state.name }, 1);
  });
}
