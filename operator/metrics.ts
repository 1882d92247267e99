// What the operator itself has to tell, beside the metrics of its controllers.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { EventOutcome } from './runtime/events.ts';

export type OperatorMetrics = {
  /** What is published. @param changedAt monotonic: when the first of a change was seen; undefined: it was there, or is the first there is */
  published(generation: number, changedAt: number | undefined): void;
  /** Every ready pod serves this generation. */
  served(generation: number, now: number): void;
  unsound(count: number): void;
  /** An event about an object. */
  event(outcome: EventOutcome): void;
};

const SECONDS = [0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

export function operatorMetrics(registry: Registry): OperatorMetrics {
  const registers = [registry];
  const generation = new Gauge({
    name: 'tollgate_config_generation',
    help: 'Of the configuration that was published last.',
    registers,
  });
  const unsound = new Gauge({ name: 'tollgate_config_unsound_objects', help: 'Objects that need mending.', registers });
  const propagation = new Histogram({
    name: 'tollgate_config_propagation_seconds',
    help: 'From when a change was seen until every ready data-plane pod served it.',
    buckets: SECONDS,
    registers,
  });
  const events = new Counter({
    name: 'tollgate_operator_events_total',
    help: 'Events about objects: written, left out of a flood, or failed.',
    labelNames: ['outcome'],
    registers,
  });
  let waiting: { readonly generation: number; readonly changedAt: number } | undefined;
  return {
    published(published, changedAt) {
      generation.set(published);
      if (changedAt === undefined) return;
      // The older of two that are on their way is the one that takes longer.
      waiting = { generation: published, changedAt: waiting?.changedAt ?? changedAt };
    },
    served(served, now) {
      if (waiting === undefined || served < waiting.generation) return;
      propagation.observe((now - waiting.changedAt) / 1000);
      waiting = undefined;
    },
    unsound: count => unsound.set(count),
    event: outcome => events.inc({ outcome }),
  };
}
