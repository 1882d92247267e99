// Every alert fires on what it is for and is silent otherwise, as Prometheus itself evaluates it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { stringify } from 'yaml';
import { alerts, ruleGroups } from '../deploy/alerts/alerts.ts';
import { alertRulesYaml } from '../deploy/alerts/rules-file.ts';
import { promtool, withoutPrometheus } from './support/promtool.ts';

type Case = {
  /** Series in promtool's notation. */
  readonly series: Readonly<Record<string, string>>;
  /** Between two values, and between two evaluations; 1m where it is absent. */
  readonly every?: '5m' | '10m';
  readonly at: string;
  /** Labels besides `severity`. */
  readonly fires: readonly Readonly<Record<string, string>>[];
};

/** First what it is for, then what it is not for. */
const cases: Readonly<Record<string, readonly [fires: Case, silent: Case]>> = {
  TollgateErrorBudgetBurnsFast: [
    { series: traffic('0+98x120', '0+2x120'), at: '2h', fires: [{}] },
    // It was bad an hour ago, and is not now.
    { series: traffic('0+98x120', '0+2x90 180x30'), at: '2h', fires: [] },
  ],
  TollgateErrorBudgetBurns: [
    { series: traffic('0+990x100', '0+10x100'), every: '5m', at: '8h', fires: [{}] },
    { series: traffic('0+997x100', '0+3x100'), every: '5m', at: '8h', fires: [] },
  ],
  TollgateErrorBudgetBurnsSlowly: [
    { series: traffic('0+997x600', '0+3x600'), every: '10m', at: '80h', fires: [{}] },
    { series: traffic('0+9997x600', '0+3x600'), every: '10m', at: '80h', fires: [] },
  ],
  TollgateAbsent: [
    { series: {}, at: '10m', fires: [{}] },
    { series: { 'tollgate_inflight_requests{namespace="t"}': '0x20' }, at: '10m', fires: [] },
  ],
  TollgateEventLoopDelayed: [
    { series: loop('0.4x20'), at: '15m', fires: [{ job: 'j', instance: 'a' }] },
    { series: loop('0.1x20'), at: '15m', fires: [] },
  ],
  TollgateConfigurationSkewed: [
    { series: pods('tollgate_config_generation', '7x20', '6x20'), at: '10m', fires: [{}] },
    { series: pods('tollgate_config_generation', '7x20', '6x3 7x20'), at: '10m', fires: [] },
  ],
  TollgateConfigurationUnsound: [
    { series: pods('tollgate_config_unsound_objects', '1x20', '1x20'), at: '15m', fires: [{}] },
    { series: pods('tollgate_config_unsound_objects', '0x20', '0x20'), at: '15m', fires: [] },
  ],
  TollgateNoLeader: [
    { series: pods('leader_election_master_status', '0x20', '0x20', 'name="tollgate-operator"'), at: '5m', fires: [{}] },
    { series: pods('leader_election_master_status', '0x20', '1x20', 'name="tollgate-operator"'), at: '5m', fires: [] },
  ],
  TollgateWatchStalled: [
    { series: one('watch_last_event_seconds', '310+60x20', 'name="LLMRoute"'), at: '5m', fires: [{ name: 'LLMRoute' }] },
    { series: one('watch_last_event_seconds', '100 20 80 10x20', 'name="LLMRoute"'), at: '5m', fires: [] },
  ],
  TollgateReconcileErrors: [
    {
      series: one('controller_runtime_reconcile_errors_total', '0+2x60', 'controller="publish"'),
      at: '40m',
      fires: [{ controller: 'publish' }],
    },
    { series: one('controller_runtime_reconcile_errors_total', '0 3x60', 'controller="publish"'), at: '40m', fires: [] },
  ],
  TollgateFallbackShare: [
    {
      series: { ...routed('tollgate_requests_total', '0+100x60'), ...routed('tollgate_fallback_attempts_total', '0+20x60') },
      at: '40m',
      fires: [{ route: 'a/r' }],
    },
    {
      series: { ...routed('tollgate_requests_total', '0+100x60'), ...routed('tollgate_fallback_attempts_total', '0+5x60') },
      at: '40m',
      fires: [],
    },
  ],
  TollgateBreakerOpen: [
    { series: backend('tollgate_breaker_state', '2x20'), at: '10m', fires: [{ provider: 'a/p', model: 'm' }] },
    { series: backend('tollgate_breaker_state', '2x3 1x2 0x20'), at: '10m', fires: [] },
  ],
  TollgateEnginesSaturated: [
    { series: endpoints('tollgate_engine_load', '1.2x20', '1.1x20'), at: '5m', fires: [{ provider: 'a/p' }] },
    { series: endpoints('tollgate_engine_load', '1.2x20', '0.5x20'), at: '5m', fires: [] },
  ],
  TollgateEngineWedged: [
    {
      series: endpoints('tollgate_engine_state', '1x20', '0x20', 'state="Wedged"'),
      at: '5m',
      fires: [{ provider: 'a/p', endpoint: 'one' }],
    },
    { series: endpoints('tollgate_engine_state', '1x20', '1x20', 'state="Ready"'), at: '5m', fires: [] },
  ],
  TollgateBudgetNearlySpent: [
    { series: budget('0.85x20'), at: '5m', fires: [{ tenant: 't', budget: 'b' }] },
    { series: budget('1.1x20'), at: '5m', fires: [] },
  ],
  TollgateBudgetSpent: [
    { series: budget('1.1x20'), at: '5m', fires: [{ tenant: 't', budget: 'b' }] },
    { series: budget('0.99x20'), at: '5m', fires: [] },
  ],
  TollgateCostSpike: [
    { series: backend('tollgate_cost_usd_total', '0+0.1x150 15+1x12'), every: '10m', at: '27h', fires: [{}] },
    { series: backend('tollgate_cost_usd_total', '0+1x170'), every: '10m', at: '27h', fires: [] },
  ],
  TollgatePriceUnknown: [
    { series: backend('tollgate_unpriced_attempts_total', '0+1x60'), at: '30m', fires: [{ provider: 'a/p', model: 'm' }] },
    { series: backend('tollgate_unpriced_attempts_total', '5x60'), at: '30m', fires: [] },
  ],
  TollgateLedgerBacklog: [
    { series: one('tollgate_spool_oldest_seconds', '301+60x30', 'instance="a"'), at: '10m', fires: [{ instance: 'a' }] },
    { series: one('tollgate_spool_oldest_seconds', '1x30', 'instance="a"'), at: '10m', fires: [] },
  ],
  TollgateSpoolFills: [
    { series: one('tollgate_spool_fill_ratio', '0.6x30', 'instance="a"'), at: '10m', fires: [{ instance: 'a' }] },
    { series: one('tollgate_spool_fill_ratio', '0.2x30', 'instance="a"'), at: '10m', fires: [] },
  ],
  TollgateLedgerRowsRejected: [
    { series: one('tollgate_ledger_rows_rejected', '0 0 3x60'), at: '10m', fires: [{}] },
    { series: one('tollgate_ledger_rows_rejected', '3x60'), at: '10m', fires: [] },
  ],
  TollgateLedgerDown: [
    { series: one('tollgate_ledger_up', '0x30'), at: '10m', fires: [{}] },
    { series: one('tollgate_ledger_up', '1x30'), at: '10m', fires: [] },
  ],
  TollgateRedisDown: [
    { series: one('tollgate_redis_up', '0x30'), at: '10m', fires: [{}] },
    { series: one('tollgate_redis_up', '1x30'), at: '10m', fires: [] },
  ],
  TollgateRefusedByFailMode: [
    { series: one('tollgate_fail_mode_requests_total', '0+5x30', 'mode="Deny", outcome="refused"'), at: '10m', fires: [{}] },
    { series: one('tollgate_fail_mode_requests_total', '0+5x30', 'mode="Allow", outcome="passed"'), at: '10m', fires: [] },
  ],
};

test('every alert has its cases', () => {
  assert.deepEqual(Object.keys(cases).sort(), alerts.map(({ name }) => name).sort());
});

describe('as Prometheus evaluates them', { skip: withoutPrometheus }, () => {
  test('the rules are sound', () =>
    withFiles({ 'rules.yaml': alertRulesYaml() }, folder => {
      const { ok, output } = promtool('check', 'rules', path.join(folder, 'rules.yaml'));
      assert.ok(ok, output);
    }));

  for (const every of ['1m', '5m', '10m'])
    test(`each alert fires on what it is for, and is silent otherwise: values every ${every}`, () => {
      const tests = Object.entries(cases).flatMap(([name, both]) =>
        both.filter(one => (one.every ?? '1m') === every).map(one => ruleTest(name, one)),
      );
      const file = { rule_files: ['rules.yaml'], evaluation_interval: every, tests };
      withFiles({ 'rules.yaml': stringify(bareRules()), 'tests.yaml': stringify(file) }, folder => {
        // One of some ten runs over days of values found no alert at all and the next the right ones: a wrong rule fails every time.
        let result = promtool('test', 'rules', path.join(folder, 'tests.yaml'));
        for (let again = 0; again < 2 && !result.ok; again++) result = promtool('test', 'rules', path.join(folder, 'tests.yaml'));
        assert.ok(result.ok, result.output);
      });
    });
});

/** Without texts, which are not what is tested, and evaluated as often as the tests say. */
const bareRules = () => ({
  groups: ruleGroups().groups.map(({ name, rules }) => ({
    name,
    rules: rules.map(rule => ('annotations' in rule ? { ...rule, annotations: {} } : rule)),
  })),
});

function ruleTest(name: string, { series, every, at, fires }: Case): object {
  const alert = alerts.find(one => one.name === name)!;
  const own = Object.keys(series).some(text => text.includes('namespace=')) && name !== 'TollgateEventLoopDelayed';
  return {
    name: `${name} ${fires.length > 0 ? 'fires' : 'is silent'}`,
    interval: every ?? '1m',
    input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
    alert_rule_test: [
      {
        eval_time: at,
        alertname: name,
        exp_alerts: fires.map(labels => ({
          exp_labels: { severity: alert.severity, ...(own && { namespace: 't' }), ...labels },
        })),
      },
    ],
  };
}

function withFiles(files: Readonly<Record<string, string>>, use: (folder: string) => void): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'tollgate-rules-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function traffic(good: string, bad: string): Case['series'] {
  return {
    'tollgate_requests_total{namespace="t", route="a/r", dialect="openai-chat", status="200"}': good,
    'tollgate_requests_total{namespace="t", route="a/r", dialect="openai-chat", status="502"}': bad,
  };
}

function loop(values: string): Case['series'] {
  return {
    'nodejs_eventloop_lag_p99_seconds{job="j", instance="a"}': values,
    'nodejs_eventloop_lag_p99_seconds{job="another", instance="b"}': '9x20',
    'tollgate_inflight_requests{job="j", instance="a"}': '0x20',
  };
}

function pods(metric: string, first: string, second: string, labels = 'x="y"'): Case['series'] {
  return { [`${metric}{namespace="t", pod="1", ${labels}}`]: first, [`${metric}{namespace="t", pod="2", ${labels}}`]: second };
}

function endpoints(metric: string, first: string, second: string, labels = 'x="y"'): Case['series'] {
  return {
    [`${metric}{namespace="t", provider="a/p", endpoint="one", ${labels}}`]: first,
    [`${metric}{namespace="t", provider="a/p", endpoint="two", ${labels}}`]: second,
  };
}

function one(metric: string, values: string, labels = 'x="y"'): Case['series'] {
  return { [`${metric}{namespace="t", ${labels}}`]: values };
}

function backend(metric: string, values: string): Case['series'] {
  return one(metric, values, 'provider="a/p", model="m"');
}

function routed(metric: string, values: string): Case['series'] {
  return one(metric, values, 'route="a/r"');
}

function budget(values: string): Case['series'] {
  return one('tollgate_budget_used_ratio', values, 'tenant="t", budget="b"');
}
