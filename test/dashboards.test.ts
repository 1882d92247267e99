// Dashboards and alerts name no metric that does not exist, and are what Grafana takes.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { genAiMetrics } from '#dataplane/metrics-genai.ts';
import { litellmMetrics } from '#dataplane/metrics-litellm.ts';
import { misnamedRuntimeMetrics, ownMetrics } from '#dataplane/metrics-table.ts';
import type { MetricSpec } from '#platform/metrics.ts';
import { metricsOfOperator } from '../cli/metrics-page.ts';
import { alerts, groups, isAlert } from '../deploy/alerts/alerts.ts';
import { dashboards } from '../deploy/dashboards/index.ts';
import { grafanaJson, type Panel } from '../deploy/dashboards/panels.ts';
import { metricsIn } from './support/promtool.ts';

const panels: readonly Panel[] = dashboards.flatMap(({ rows }) => rows.flatMap(row => row.panels));

/** Every name that a series can have. */
function names(): ReadonlySet<string> {
  const declared: readonly Pick<MetricSpec, 'name' | 'type'>[] = [
    ...ownMetrics,
    ...Object.values(litellmMetrics),
    ...Object.values(genAiMetrics),
    ...(metricsOfOperator() as readonly Pick<MetricSpec, 'name' | 'type'>[]),
  ];
  const runtime = new Registry();
  collectDefaultMetrics({ register: runtime });
  return new Set([
    ...declared.flatMap(({ name, type }) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map(end => name + end) : [name],
    ),
    ...runtime
      .getMetricsAsArray()
      .map(({ name }) => name)
      .filter(name => !misnamedRuntimeMetrics.includes(name)),
    ...groups.flatMap(({ rules }) => rules.flatMap(rule => (isAlert(rule) ? [] : [rule.record]))),
  ]);
}

test('no dashboard and no alert names a metric that does not exist', () => {
  const known = names();
  const expressions = [
    ...panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)),
    ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ];
  assert.deepEqual(
    [...new Set(expressions.flatMap(metricsIn))].filter(name => !known.has(name)),
    [],
  );
  assert.ok(expressions.every(expr => metricsIn(expr).length > 0));
});

test('every metric of our own is on a dashboard or in an alert, or on the list of those that are for looking closer', () => {
  const shown = new Set(
    [...panels.flatMap(({ queries }) => queries.map(({ expr }) => expr)), ...alerts.map(({ expr }) => expr)]
      .flatMap(metricsIn)
      .map(name => name.replace(/_(?:bucket|sum|count)$/, '')),
  );
  assert.deepEqual(
    ownMetrics.map(({ name }) => name).filter(name => !shown.has(name)),
    [
      'tollgate_cache_waits_total',
      'tollgate_cache_tightened_total',
      'tollgate_counters_rebuild_seconds',
      'tollgate_reservations_exceeded_total',
      'tollgate_alerts_total',
      'tollgate_alert_webhook_total',
      'tollgate_ledger_rows_written',
      'tollgate_ledger_rows_recovered',
    ],
  );
});

test('whoever an alert wakes finds a page, and every page has its alert', () => {
  const pages = readdirSync(path.join(import.meta.dirname, '..', 'docs', 'runbooks'));
  assert.deepEqual(pages.sort(), alerts.map(({ name }) => `${name}.md`).sort());
});

test('panels and dashboards have ids that are theirs alone', () => {
  assert.equal(new Set(dashboards.map(({ uid }) => uid)).size, dashboards.length);
  for (const dashboard of dashboards) {
    const ids = (grafanaJson(dashboard) as { panels: { id: number }[] }).panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, dashboard.uid);
  }
});

test('what a query takes from the variables, its dashboard has', () => {
  for (const { uid, variables, rows } of dashboards)
    for (const { queries } of rows.flatMap(row => row.panels))
      for (const { expr } of queries)
        for (const [, name] of expr.matchAll(/\$(?!__)(\w+)/g))
          assert.ok(variables.includes(name as never), `${uid}: $${name} in ${expr}`);
});

test('no panel lies over another', () => {
  for (const dashboard of dashboards) {
    const taken = new Set<string>();
    for (const { gridPos } of (grafanaJson(dashboard) as { panels: { gridPos: Record<'x' | 'y' | 'w' | 'h', number> }[] }).panels)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(x < 24 && !taken.has(`${x} ${y}`), `${dashboard.uid} at ${x}, ${y}`);
          taken.add(`${x} ${y}`);
        }
  }
});
