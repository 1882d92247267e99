// How the endpoints of self-hosted engines stand, read when somebody asks for the metrics, and how the looks at them went.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { EnginesOptions, EngineWatch } from './engines.ts';

const SCRAPE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

export function scrapeMetrics(registry: Registry): EnginesOptions['onScrape'] {
  const registers = [registry];
  const duration = new Histogram({
    name: 'tollgate_engine_scrape_seconds',
    help: 'Time to read the metrics of an engine.',
    labelNames: ['provider'],
    buckets: SCRAPE_SECONDS,
    registers,
  });
  const errors = new Counter({
    name: 'tollgate_engine_scrape_errors_total',
    help: 'Looks at the metrics of an engine that brought none: `missed` (too late or broken off), `refused`, `unreadable`.',
    labelNames: ['provider', 'reason'],
    registers,
  });
  return (provider, seconds, outcome) => {
    if (outcome === 'read') duration.observe({ provider }, seconds);
    else errors.inc({ provider, reason: outcome });
  };
}

export function registerEngineMetrics(registry: Registry, engines: Pick<EngineWatch, 'report'>): void {
  const labelNames = ['provider', 'endpoint'] as const;
  const gauge = (
    name: string,
    help: string,
    figure: (endpoint: ReturnType<typeof engines.report>[number]) => number | undefined,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const report of engines.report()) {
          const value = figure(report);
          if (value !== undefined) this.set({ provider: report.provider, endpoint: report.endpoint }, value);
        }
      },
    });
  gauge('tollgate_engine_load', 'Load of an endpoint, by which attempts are balanced: 1 is saturation.', ({ load }) => load);
  gauge('tollgate_engine_waiting', 'Requests that wait at an endpoint, as it last said.', ({ state }) => state.reading?.waiting);
  gauge('tollgate_engine_kv_usage', 'Share of the KV cache in use, of its fullest engine.', ({ state }) => state.reading?.kvMax);
  new Gauge({
    name: 'tollgate_engine_state',
    help: '1 for the state that an endpoint is in.',
    labelNames: [...labelNames, 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { provider, endpoint, state } of engines.report()) this.set({ provider, endpoint, state: state.name }, 1);
    },
  });
}
