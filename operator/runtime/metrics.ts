// The metrics of a controller, under the names that controller-runtime and client-go use: dashboards and alerts for those work as they are.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RequestSeen } from '#platform/kube/connection.ts';

export type RuntimeMetrics = {
  readonly reflector: ReflectorMetrics;
  requested(seen: RequestSeen): void;
  /** Of one controller; `watch` is asked when the metrics are read. */
  controller(name: string, workers: number, watch: () => QueueSeen): ControllerMetrics;
  /** Whether this process leads. */
  leading(lease: string, leads: boolean): void;
};

export type ReflectorMetrics = {
  listed(kind: string): void;
  watched(kind: string): void;
  failed(kind: string, error: string): void;
  /**
   * @param silentSeconds since it last heard of the server; of several watches of a name the longest silence counts
   * @returns to be called when it has ended
   */
  observe(kind: string, silentSeconds: () => number): () => void;
};

export type QueueSeen = {
  readonly depth: number;
  /** Milliseconds that each key that is being worked on has taken so far. */
  readonly runningMs: readonly number[];
};

export type ReconcileResult = 'success' | 'requeue_after' | 'error';

export type ControllerMetrics = {
  added(): void;
  retried(): void;
  taken(waitedMs: number): void;
  reconciled(result: ReconcileResult, tookMs: number): void;
  /** An error that another attempt would not mend. */
  stuck(): void;
  panicked(): void;
  timedOut(): void;
};

/** workqueue_*: 10 ns to 1,000 s, a decade each. */
const QUEUE_BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000];
const RECONCILE_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2, 2.5, 3,
  3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
const REQUEST_BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 45, 60];

export function runtimeMetrics(registry: Registry): RuntimeMetrics {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[], collect?: (this: Gauge<L>) => void) =>
    new Gauge({ name, help, labelNames, registers, ...(collect && { collect }) });

  const silences = new Set<{ readonly name: string; readonly silentSeconds: () => number }>();
  const queues = new Map<string, () => QueueSeen>();
  const queueLabels = ['name', 'controller'] as const;
  const ofQueue = (name: string) => ({ name, controller: name });
  const fromQueues = (name: string, help: string, read: (seen: QueueSeen) => number) =>
    gauge(name, help, queueLabels, function () {
      for (const [queue, seen] of queues) this.set(ofQueue(queue), read(seen()));
    });

  const lists = counter('reflector_lists_total', 'Lists of a kind of object.', ['name']);
  const watches = counter('reflector_watches_total', 'Watches begun.', ['name']);
  const watchErrors = counter('reflector_watch_errors_total', 'Lists and watches that failed, by kind of error.', [
    'name',
    'error',
  ]);
  gauge('watch_last_event_seconds', 'Seconds since a watch last heard of the API server.', ['name'], function () {
    const byName = Map.groupBy(silences, ({ name }) => name);
    this.reset();
    for (const [name, all] of byName) this.set({ name }, Math.max(...all.map(({ silentSeconds }) => silentSeconds())));
  });
  const requests = counter('rest_client_requests_total', 'Requests to the API server.', ['code', 'method', 'host']);
  const latencies = histogram(
    'rest_client_request_duration_seconds',
    'Time to the head of the answer.',
    ['verb', 'host'],
    REQUEST_BUCKETS,
  );
  const master = gauge('leader_election_master_status', 'Whether this process leads.', ['name']);

  fromQueues('workqueue_depth', 'Keys that wait.', ({ depth }) => depth);
  fromQueues(
    'workqueue_unfinished_work_seconds',
    'Seconds of work in progress, summed.',
    ({ runningMs }) => sum(runningMs) / 1000,
  );
  fromQueues(
    'workqueue_longest_running_processor_seconds',
    'Seconds of the longest work in progress.',
    ({ runningMs }) => Math.max(0, ...runningMs) / 1000,
  );
  fromQueues('controller_runtime_active_workers', 'Workers at work.', ({ runningMs }) => runningMs.length);
  const adds = counter('workqueue_adds_total', 'Keys added.', queueLabels);
  const retries = counter('workqueue_retries_total', 'Keys added again after a failure.', queueLabels);
  const waits = histogram('workqueue_queue_duration_seconds', 'How long a key waited.', queueLabels, QUEUE_BUCKETS);
  const works = histogram('workqueue_work_duration_seconds', 'How long a key was worked on.', queueLabels, QUEUE_BUCKETS);
  const reconciles = counter('controller_runtime_reconcile_total', 'Reconciliations.', ['controller', 'result']);
  const times = histogram('controller_runtime_reconcile_time_seconds', 'How long they took.', ['controller'], RECONCILE_BUCKETS);
  const errors = counter('controller_runtime_reconcile_errors_total', 'Reconciliations that failed.', ['controller']);
  const terminal = counter('controller_runtime_terminal_reconcile_errors_total', 'Those not tried again.', ['controller']);
  const panics = counter('controller_runtime_reconcile_panics_total', 'Those that threw what nobody expected.', ['controller']);
  const timeouts = counter('controller_runtime_reconcile_timeouts_total', 'Those that took too long.', ['controller']);
  const most = gauge('controller_runtime_max_concurrent_reconciles', 'Workers there are.', ['controller']);

  return {
    reflector: {
      listed: name => lists.inc({ name }),
      watched: name => watches.inc({ name }),
      failed: (name, error) => watchErrors.inc({ name, error }),
      observe(name, silentSeconds) {
        const watch = { name, silentSeconds };
        silences.add(watch);
        return () => silences.delete(watch);
      },
    },
    requested({ method, code, host, seconds }) {
      requests.inc({ code, method, host });
      latencies.observe({ verb: method, host }, seconds);
    },
    leading: (name, leads) => master.set({ name }, leads ? 1 : 0),
    controller(controller, workers, watch) {
      queues.set(controller, watch);
      most.set({ controller }, workers);
      for (const result of ['success', 'requeue_after', 'error']) reconciles.inc({ controller, result }, 0);
      for (const each of [errors, terminal, panics, timeouts]) each.inc({ controller }, 0);
      return {
        added: () => adds.inc(ofQueue(controller)),
        retried: () => retries.inc(ofQueue(controller)),
        taken: waitedMs => waits.observe(ofQueue(controller), waitedMs / 1000),
        reconciled(result, tookMs) {
          reconciles.inc({ controller, result });
          if (result === 'error') errors.inc({ controller });
          times.observe({ controller }, tookMs / 1000);
          works.observe(ofQueue(controller), tookMs / 1000);
        },
        stuck: () => terminal.inc({ controller }),
        panicked: () => panics.inc({ controller }),
        timedOut: () => timeouts.inc({ controller }),
      };
    },
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
