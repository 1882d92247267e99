// The metrics of a data plane against their table, and against Prometheus's own rules for names where promtool is installed.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { noUsage } from '#core/chat/usage.ts';
import type { Snapshot } from '#core/snapshot/snapshot.ts';
import { nanoUsd, tokens } from '#core/units.ts';
import type { MetricSpec } from '#platform/metrics.ts';
import { costRecord } from '#test/support/cost-records.ts';
import { createMetrics } from './metrics.ts';
import { genAiMetrics } from './metrics-genai.ts';
import { litellmMetrics } from './metrics-litellm.ts';
import { registerServing } from './metrics-serving.ts';
import { labelBounds, ownMetrics, runtimePrefixes } from './metrics-table.ts';
import { observer } from './observe.ts';

const all: readonly MetricSpec[] = [...ownMetrics, ...Object.values(litellmMetrics), ...Object.values(genAiMetrics)];

const config = {
  snapshot: { providers: {}, routes: [] } as unknown as Snapshot,
  keyNamed: () => undefined,
};

/** Of a data plane that did nothing but make these attempts. */
async function pageAfter(...rows: readonly CostRecord[]): Promise<string> {
  const metrics = createMetrics();
  registerServing(metrics, {
    config: { current: () => config as never, loadedAt: () => 0 },
    levels: { standings: () => [] },
    health: { report: () => [] },
    inFlight: () => 0,
    now: () => 0,
    monotonic: () => 0,
  });
  const watch = observer(metrics, { isLevelEnabled: () => false } as never, () => 0);
  for (const row of rows) watch.attempted(row);
  return metrics.page();
}

const used = costRecord(0, {
  route: 'default/r',
  provider: 'default/p',
  model: 'm',
  state: 'settled',
  streamed: true,
  fallbackPosition: 1,
  usage: { ...noUsage, inputUncached: tokens(100), output: tokens(20) },
  cost: nanoUsd(1_500_000_000),
});

test('no name is declared twice, and every label has a bound', () => {
  const names = all.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
  assert.deepEqual(
    ownMetrics.flatMap(({ name, labels }) => labels.filter(label => !labelBounds[label]).map(label => `${name} ${label}`)),
    [],
  );
});

test('nothing is on the page that is not in the table', async () => {
  const page = await pageAfter(used);
  const typed = new Map([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  const declared = new Map(all.map(({ name, type }) => [name, type as string]));
  const unknown = [...typed].filter(
    ([name, type]) => declared.get(name) !== type && !runtimePrefixes.some(prefix => name.startsWith(prefix)),
  );
  assert.deepEqual(unknown, []);
});

test('an attempt counts once in each of its metrics, and under the names of LiteLLM and OpenTelemetry', async () => {
  const page = await pageAfter(used, used);
  const { tenant, keyName } = used;
  for (const line of [
    'tollgate_attempts_total{provider="default/p",model="m",outcome="ok"} 2',
    'tollgate_cost_usd_total{provider="default/p",model="m"} 3',
    'tollgate_fallback_cost_usd_total{route="default/r"} 3',
    'tollgate_tokens_total{provider="default/p",model="m",kind="inputUncached"} 200',
    `tollgate_tenant_tokens_total{tenant="${tenant}",model="m",kind="output"} 40`,
    `tollgate_key_cost_usd_total{tenant="${tenant}",key="${keyName}"} 3`,
    'gen_ai_client_token_usage_bucket{gen_ai_operation_name="chat",gen_ai_request_model="m",gen_ai_response_model="m",gen_ai_token_type="output",le="16"} 0',
    'gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_request_model="m",gen_ai_response_model="m",gen_ai_token_type="output"} 40',
  ])
    assert.ok(page.includes(`${line}\n`), `${line}\n\n${page.replace(/^(nodejs|process).*\n/gm, '')}`);
  assert.match(page, /^litellm_spend_metric_total\{hashed_api_key=.*,model="m",team=.*\} 3$/m);
});

test('a failed attempt is counted by its class', async () => {
  const page = await pageAfter({ ...used, failure: 'upstream_error', cost: nanoUsd(0), usage: noUsage });
  assert.match(page, /^tollgate_attempts_total\{provider="default\/p",model="m",outcome="upstream_error"\} 1$/m);
  assert.match(page, /^litellm_deployment_failure_responses_total\{.*exception_class="upstream_error".*\} 1$/m);
  assert.match(page, /^gen_ai_client_operation_duration_seconds_count\{.*error_type="_OTHER"\} 1$/m);
});

const promtool = spawnSync('promtool', ['--version']).status === 0;

test('names follow the rules of Prometheus', {
  skip: !promtool && 'promtool is not installed (Debian: prometheus)',
}, async () => {
  const input = await pageAfter(used, { ...used, failure: 'upstream_error' });
  const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
