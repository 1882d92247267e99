// What somebody is woken or written to for, as Prometheus rules. Every alert has a page docs/runbooks/<name>.md, and a case that shows it
// fire and one that shows it silent in test/alerts.slow.test.ts.

export type Severity =
  /** Clients suffer now: wake somebody. */
  | 'critical'
  /** Somebody should look today. */
  | 'warning'
  /** For whom it concerns. */
  | 'info';

export type Alert = {
  readonly name: string;
  readonly severity: Severity;
  readonly expr: string;
  /** How long it has to hold. */
  readonly for: string;
  readonly summary: string;
  readonly description: string;
};

export type Recording = { readonly record: string; readonly expr: string };
export type Group = { readonly name: string; readonly interval?: string; readonly rules: readonly (Alert | Recording)[] };

/** Of requests that may fail without the error budget of 30 days being spent. */
const ERROR_BUDGET = 0.001;

const WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const;

const errorRatio = (window: (typeof WINDOWS)[number]): Recording => ({
  record: `tollgate:request_errors:ratio_rate${window}`,
  expr: `(sum by (namespace) (rate(tollgate_requests_total{status=~"5.."}[${window}])) or 0 * sum by (namespace) (rate(tollgate_requests_total[${window}]))) / (sum by (namespace) (rate(tollgate_requests_total[${window}])) > 0)`,
});

/** Google's SRE workbook, chapter 5: the long window says that it matters, the short one that it has not stopped. */
const burn = (rate: number, short: (typeof WINDOWS)[number], long: (typeof WINDOWS)[number]) =>
  `tollgate:request_errors:ratio_rate${short} > ${rate} * ${ERROR_BUDGET} and tollgate:request_errors:ratio_rate${long} > ${rate} * ${ERROR_BUDGET}`;

export const groups: readonly Group[] = [
  { name: 'tollgate-errors', interval: '30s', rules: WINDOWS.map(errorRatio) },
  {
    name: 'tollgate-service',
    rules: [
      {
        name: 'TollgateErrorBudgetBurnsFast',
        severity: 'critical',
        expr: burn(14.4, '5m', '1h'),
        for: '2m',
        summary: 'More than 1.4 % of requests fail',
        description:
          '{{ $value | humanizePercentage }} of the requests of the last 5 minutes ended in a 5xx: at this rate the error budget of 30 days is spent in 2.',
      },
      {
        name: 'TollgateErrorBudgetBurns',
        severity: 'critical',
        expr: burn(6, '30m', '6h'),
        for: '15m',
        summary: 'More than 0.6 % of requests have failed for hours',
        description:
          '{{ $value | humanizePercentage }} of the requests of the last 30 minutes ended in a 5xx: the error budget of 30 days is spent in 5.',
      },
      {
        name: 'TollgateErrorBudgetBurnsSlowly',
        severity: 'warning',
        expr: burn(1, '6h', '3d'),
        for: '1h',
        summary: 'Requests fail faster than the error budget allows',
        description:
          '{{ $value | humanizePercentage }} of the requests of the last 6 hours ended in a 5xx: more than 0.1 % has for three days.',
      },
      {
        name: 'TollgateAbsent',
        severity: 'critical',
        expr: 'absent(tollgate_inflight_requests)',
        for: '5m',
        summary: 'No data plane is scraped',
        description: 'Prometheus has no metrics of any data-plane process: none runs, or none is found.',
      },
      {
        name: 'TollgateEventLoopDelayed',
        severity: 'warning',
        expr: 'nodejs_eventloop_lag_p99_seconds > 0.25 and on (job, instance) tollgate_inflight_requests',
        for: '10m',
        summary: 'A data-plane process is busy',
        description:
          'The event loop of {{ $labels.instance }} is late by {{ $value | humanizeDuration }}: every request and stream of it waits as long.',
      },
    ],
  },
  {
    name: 'tollgate-configuration',
    rules: [
      {
        name: 'TollgateConfigurationSkewed',
        severity: 'warning',
        expr: 'max by (namespace) (tollgate_config_generation) - min by (namespace) (tollgate_config_generation) > 0',
        for: '5m',
        summary: 'Not all data planes serve the newest configuration',
        description:
          'A data plane in {{ $labels.namespace }} is {{ $value }} generations behind: what was applied or revoked since is not in force there.',
      },
      {
        name: 'TollgateConfigurationUnsound',
        severity: 'warning',
        expr: 'max by (namespace) (tollgate_config_unsound_objects) > 0',
        for: '10m',
        summary: 'Objects of the configuration need mending',
        description: '{{ $value }} objects are not in force as they were written; their conditions, or the log, say why.',
      },
      {
        name: 'TollgateNoLeader',
        severity: 'critical',
        expr: 'max by (namespace) (leader_election_master_status{name="tollgate-operator"}) == 0',
        for: '2m',
        summary: 'No operator leads',
        description: 'Nothing that is applied takes effect, and no status is written. Requests are served as before.',
      },
      {
        name: 'TollgateWatchStalled',
        severity: 'warning',
        expr: 'max by (namespace, name) (watch_last_event_seconds) > 300',
        for: '1m',
        summary: 'The operator hears nothing of the API server',
        description:
          'The watch of {{ $labels.name }} has been silent for {{ $value | humanizeDuration }}: changes of it may not be seen.',
      },
      {
        name: 'TollgateReconcileErrors',
        severity: 'warning',
        expr: 'sum by (namespace, controller) (increase(controller_runtime_reconcile_errors_total[10m])) > 5',
        for: '10m',
        summary: 'A controller fails again and again',
        description: 'Controller {{ $labels.controller }} failed {{ $value | humanize }} times in 10 minutes.',
      },
    ],
  },
  {
    name: 'tollgate-backends',
    rules: [
      {
        name: 'TollgateFallbackShare',
        severity: 'warning',
        expr: 'sum by (namespace, route) (rate(tollgate_fallback_attempts_total[10m])) / sum by (namespace, route) (rate(tollgate_requests_total[10m])) > 0.1',
        for: '10m',
        summary: 'A route lives by its fallbacks',
        description:
          '{{ $value | humanizePercentage }} of the requests of {{ $labels.route }} went to another backend than the first: slower or dearer, and nothing stands behind it.',
      },
      {
        name: 'TollgateBreakerOpen',
        severity: 'warning',
        expr: 'max by (namespace, provider, model) (tollgate_breaker_state) == 2',
        for: '5m',
        summary: 'A backend gets nothing, as it fails',
        description: 'The breaker of {{ $labels.model }} at {{ $labels.provider }} has been open for 5 minutes.',
      },
      {
        name: 'TollgateEnginesSaturated',
        severity: 'critical',
        expr: 'min by (namespace, provider) (tollgate_engine_load) >= 1',
        for: '2m',
        summary: 'All endpoints of a provider are saturated',
        description: 'Requests for {{ $labels.provider }} wait in the queues of its engines, or go to other backends.',
      },
      {
        name: 'TollgateEngineWedged',
        severity: 'critical',
        expr: 'max by (namespace, provider, endpoint) (tollgate_engine_state{state="Wedged"}) == 1',
        for: '0m',
        summary: 'An engine has requests and makes no progress',
        description: '{{ $labels.endpoint }} of {{ $labels.provider }} gets no requests any more; it does not recover by itself.',
      },
    ],
  },
  {
    name: 'tollgate-money',
    rules: [
      {
        name: 'TollgateBudgetNearlySpent',
        severity: 'info',
        expr: 'max by (namespace, tenant, key, budget) (tollgate_budget_used_ratio) >= 0.8 and max by (namespace, tenant, key, budget) (tollgate_budget_used_ratio) < 1',
        for: '1m',
        summary: 'A budget is nearly spent',
        description:
          '{{ $value | humanizePercentage }} of budget {{ $labels.budget }} of tenant {{ $labels.tenant }} {{ $labels.key }} is used.',
      },
      {
        name: 'TollgateBudgetSpent',
        severity: 'warning',
        expr: 'max by (namespace, tenant, key, budget) (tollgate_budget_used_ratio) >= 1',
        for: '1m',
        summary: 'A budget is spent',
        description:
          'Budget {{ $labels.budget }} of tenant {{ $labels.tenant }} {{ $labels.key }} is spent: its requests are refused, downgraded or only told of, as its `onExhausted` says.',
      },
      {
        name: 'TollgateCostSpike',
        severity: 'warning',
        expr: '3600 * sum by (namespace) (rate(tollgate_cost_usd_total[1h])) > 3 * 3600 * sum by (namespace) (rate(tollgate_cost_usd_total[1d] offset 1h)) and 3600 * sum by (namespace) (rate(tollgate_cost_usd_total[1h])) > 1',
        for: '10m',
        summary: 'Requests cost three times what they did the day before',
        description: 'The last hour cost {{ $value | humanize }} USD, more than three times the average of the day before it.',
      },
      {
        name: 'TollgatePriceUnknown',
        severity: 'warning',
        expr: 'sum by (namespace, provider, model) (increase(tollgate_unpriced_attempts_total[1h])) > 0',
        for: '5m',
        summary: 'A model is used whose price nobody knows',
        description:
          '{{ $value | humanize }} attempts at {{ $labels.model }} of {{ $labels.provider }} in the last hour are in no cost and no budget.',
      },
    ],
  },
  {
    name: 'tollgate-stores',
    rules: [
      {
        name: 'TollgateLedgerBacklog',
        severity: 'warning',
        expr: 'max by (namespace, instance) (tollgate_spool_oldest_seconds) > 300',
        for: '5m',
        summary: 'Rows of the cost log do not reach the ledger',
        description:
          'The oldest row of {{ $labels.instance }} has waited for {{ $value | humanizeDuration }}. Nothing is lost; reports lag behind.',
      },
      {
        name: 'TollgateSpoolFills',
        severity: 'critical',
        expr: 'max by (namespace, instance) (tollgate_spool_fill_ratio) > 0.5',
        for: '5m',
        summary: 'The spool of the cost log is more than half full',
        description:
          'The spool of {{ $labels.instance }} is {{ $value | humanizePercentage }} full; when it is full, requests are refused.',
      },
      {
        name: 'TollgateLedgerRowsRejected',
        severity: 'warning',
        expr: 'sum by (namespace) (increase(tollgate_ledger_rows_rejected[1h])) > 0',
        for: '0m',
        summary: 'The ledger refused rows',
        description: '{{ $value | humanize }} rows are in rejected.jsonl and in no report.',
      },
      {
        name: 'TollgateLedgerDown',
        severity: 'warning',
        expr: 'min by (namespace) (tollgate_ledger_up) == 0',
        for: '5m',
        summary: 'The ledger does not take rows',
        description: 'Rows wait in the spools; a key whose sums are not known is decided by its fail mode.',
      },
      {
        name: 'TollgateRedisDown',
        severity: 'critical',
        expr: 'min by (namespace) (tollgate_redis_up) == 0',
        for: '1m',
        summary: 'Redis does not answer',
        description: 'Limits and budgets are decided by the fail mode of each key; the cache has no answers.',
      },
      {
        name: 'TollgateRefusedByFailMode',
        severity: 'critical',
        expr: 'sum by (namespace) (rate(tollgate_fail_mode_requests_total{outcome="refused"}[5m])) > 0',
        for: '1m',
        summary: 'Requests are refused, as a store is away',
        description: '{{ $value | humanize }} requests a second get a 503, as the fail mode of their key says.',
      },
    ],
  },
];

export const isAlert = (rule: Alert | Recording): rule is Alert => 'severity' in rule;

export const alerts: readonly Alert[] = groups.flatMap(({ rules }) => rules.filter(isAlert));

/**
 * What stands under `spec` of a PrometheusRule, or in a file of rules.
 * @param runbooks where the folder docs/runbooks is for those who are woken
 */
export const ruleGroups = (runbooks = 'docs/runbooks') => ({
  groups: groups.map(({ name, interval, rules }) => ({
    name,
    ...(interval !== undefined && { interval }),
    rules: rules.map(rule => (isAlert(rule) ? alertRule(rule, runbooks) : rule)),
  })),
});

const alertRule = ({ name, severity, expr, for: duration, summary, description }: Alert, runbooks: string) => ({
  alert: name,
  expr,
  for: duration,
  labels: { severity },
  annotations: { summary, description, runbook_url: `${runbooks}/${name}.md` },
});
