// The operator, the configuration on its way, and the processes that serve it: stores, event loop, memory.
import { type Dashboard, graph, percentiles, stat } from './panels.ts';

const here = 'namespace=~"$namespace"';
const rate = (metric: string, by: string, selector = here) => `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;
/** Node's metrics have the same names in every program: only those of processes that are ours. */
const ours = `and on (job, instance) tollgate_config_generation{${here}}`;

export const operatorAndConfiguration: Dashboard = {
  uid: 'tollgate-operator',
  title: 'Tollgate / Operator and configuration',
  variables: ['namespace'],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Leaders', 'short', `sum(leader_election_master_status{${here}})`, { help: 'One, unless it changes.' }),
        stat('Generation', 'none', `max(tollgate_config_generation{${here}})`),
        stat(
          'Processes behind it',
          'short',
          `count(tollgate_config_generation{${here}} < scalar(max(tollgate_config_generation{${here}}))) or vector(0)`,
          { warn: [1, 1] },
        ),
        stat('Objects that need mending', 'short', `max(tollgate_config_unsound_objects{${here}})`, { warn: [1, 5] }),
        stat('Longest silence of a watch', 's', `max(watch_last_event_seconds{${here}})`, { warn: [150, 300] }),
        stat('Ready data planes', 'short', `max(tollgate_ready_pods{${here}})`),
      ],
    },
    {
      title: 'Operator',
      panels: [
        graph('Reconciliations', 'reqps', [
          { expr: rate('controller_runtime_reconcile_total', 'controller, result'), legend: '{{controller}} {{result}}' },
        ]),
        graph('Errors', 'reqps', [
          { expr: rate('controller_runtime_reconcile_errors_total', 'controller'), legend: '{{controller}}' },
        ]),
        graph('Time of a reconciliation, p95', 's', [
          percentiles('controller_runtime_reconcile_time_seconds', here, 'controller')[1]!,
        ]),
        graph('Keys that wait', 'short', [{ expr: `sum by (name) (workqueue_depth{${here}})`, legend: '{{name}}' }]),
        graph('Requests to the API server', 'reqps', [
          { expr: rate('rest_client_requests_total', 'method, code'), legend: '{{method}} {{code}}' },
        ]),
        graph('Lists and watches', 'reqps', [
          { expr: rate('reflector_lists_total', 'name'), legend: 'lists of {{name}}' },
          { expr: rate('reflector_watch_errors_total', 'name, error'), legend: 'failed: {{name}} {{error}}' },
        ]),
      ],
    },
    {
      title: 'Configuration',
      panels: [
        graph('Generation of each process', 'none', [{ expr: `tollgate_config_generation{${here}}`, legend: '{{instance}}' }]),
        graph('From a change until every data plane serves it', 's', percentiles('tollgate_config_propagation_seconds', here)),
        graph('Age of the configuration', 's', [
          { expr: `time() - tollgate_config_last_load_success_timestamp_seconds{${here}}`, legend: '{{instance}}' },
        ]),
      ],
    },
    {
      title: 'Stores',
      panels: [
        graph('Rows that the ledger does not have', 'short', [
          { expr: `tollgate_spool_rows_waiting{${here}}`, legend: '{{instance}}' },
        ]),
        graph('Oldest of them', 's', [{ expr: `tollgate_spool_oldest_seconds{${here}}`, legend: '{{instance}}' }]),
        graph('Fill of the spool', 'percentunit', [{ expr: `tollgate_spool_fill_ratio{${here}}`, legend: '{{instance}}' }]),
        graph('Stores that answer', 'none', [
          { expr: `min(tollgate_ledger_up{${here}})`, legend: 'ledger' },
          { expr: `min(tollgate_redis_up{${here}})`, legend: 'Redis' },
        ]),
        graph('Settlements that wait', 'short', [{ expr: `tollgate_settlements_waiting{${here}}`, legend: '{{instance}}' }]),
        graph('Decided by a fail mode', 'reqps', [
          { expr: rate('tollgate_fail_mode_requests_total', 'mode, outcome'), legend: '{{mode}} {{outcome}}' },
        ]),
      ],
    },
    {
      title: 'Processes',
      panels: [
        graph('Delay of the event loop, p99', 's', [
          { expr: `nodejs_eventloop_lag_p99_seconds{${here}} ${ours}`, legend: '{{instance}}' },
        ]),
        graph('Heap in use', 'bytes', [{ expr: `nodejs_heap_size_used_bytes{${here}} ${ours}`, legend: '{{instance}}' }]),
        graph('Memory', 'bytes', [{ expr: `process_resident_memory_bytes{${here}} ${ours}`, legend: '{{instance}}' }]),
        graph(
          'CPU',
          'percentunit',
          [{ expr: `rate(process_cpu_seconds_total{${here}}[$__rate_interval]) ${ours}`, legend: '{{instance}}' }],
          { help: '100 % is one core.' },
        ),
        graph('Requests in flight', 'short', [{ expr: `tollgate_inflight_requests{${here}}`, legend: '{{instance}}' }]),
      ],
    },
  ],
};
