// A real Prometheus scrapes a gateway under load and an operator's metrics, and every query of every dashboard returns figures.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { startEngine, startSimulator } from '#simulator/index.ts';
import { chat, chatPath, post } from '#test/support/client.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { freePort } from '#test/support/ports.ts';
import { type Prometheus, startPrometheus } from '#test/support/prometheus.ts';
import { withoutPrometheus } from '#test/support/promtool.ts';
import { startRedis, withoutRedis } from '#test/support/redis.ts';
import { patient, provider, providerSecret, type Resource, route, tenantKey, yamlOf } from '#test/support/resources.ts';
import { until } from '#test/support/until.ts';
import { json, type Script, startUpstream } from '#test/support/upstream.ts';
import { groups, isAlert } from '../../deploy/alerts/alerts.ts';
import { alertRulesYaml } from '../../deploy/alerts/rules-file.ts';
import { dashboards } from '../../deploy/dashboards/index.ts';
import { operatorMetrics } from '../../operator/metrics.ts';
import { runtimeMetrics } from '../../operator/runtime/metrics.ts';

const behind = (name: string, model: string) => ({ name, providerRef: { name }, model });
const once = { retries: { attempts: 0 } };
const LOAD_MS = 15_000;

/** A stream that breaks off after its first words. */
const cutOff: Script = response => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = {
    id: 'c',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta: { content: 'One' } }],
  };
  response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  setTimeout(() => response.destroy(), 20);
};

/** With a model whose price nobody knows. */
const unpriced = (origin: string): Resource => {
  const resource = provider('free', 'OpenAI', origin, ['free']);
  const spec = { ...(resource.spec as object), models: [{ name: 'free' }] };
  return { ...resource, spec };
};

describe('dashboards', { skip: withoutPrometheus || withoutRedis }, () => {
  let gateway: Gateway;
  let prometheus: Prometheus;
  const stops: (() => Promise<unknown>)[] = [];

  before(async () => {
    const [good, engine, redis] = await Promise.all([startSimulator(), startEngine({ settings: {} }), startRedis()]);
    const [away, slow, cut] = await Promise.all([
      startUpstream(json(503, { error: { message: 'away' } })),
      startUpstream(async (response, asked) => {
        await sleep(400);
        await json(200, {
          id: 's',
          object: 'chat.completion',
          created: 1,
          model: 'm',
          choices: [{ index: 0, message: { role: 'assistant', content: 'Slow.' }, finish_reason: 'stop' }],
          usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
        })(response, asked);
      }),
      startUpstream(cutOff),
    ]);
    stops.push(
      () => good.close(),
      () => engine.close(),
      () => redis.stop(),
      () => away.close(),
      () => slow.close(),
      () => cut.close(),
    );
    gateway = await startGateway({
      env: { REDIS_URL: redis.url },
      yaml: yamlOf(
        providerSecret,
        provider('good', 'OpenAI', good.origin, ['m', 'small']),
        provider('away', 'OpenAI', away.url, ['m']),
        provider('broken', 'OpenAI', away.url, ['m'], patient),
        provider('slow', 'OpenAI', slow.url, ['m'], patient),
        provider('cut', 'OpenAI', cut.url, ['m'], patient),
        unpriced(good.origin),
        provider('engines', 'VLLM', engine.origin, ['tiny']),
        provider('gone', 'VLLM', `http://127.0.0.1:${await freePort()}`, ['tiny']),
        route('plain', 'plain', [behind('good', 'm')], {
          hooks: [{ name: 'private', when: 'Before', sensitiveData: { kinds: ['Email'], action: 'Mask' } }],
        }),
        route('cached', 'cached', [behind('good', 'm')], { cache: { mode: 'Exact', onlyDeterministic: false } }),
        route('similar', 'similar', [behind('good', 'm')], {
          cache: {
            mode: 'Semantic',
            onlyDeterministic: false,
            sample: '1',
            judge: { providerRef: { name: 'good' }, model: 'small' },
          },
        }),
        route('falls', 'falls', [behind('away', 'm'), behind('good', 'm')], {
          retries: { attempts: 2, budgetPercent: 1, backoff: { base: '1ms', max: '1ms' } },
        }),
        route('failing', 'failing', [behind('broken', 'm')], once),
        route('hedged', 'hedged', [behind('slow', 'm'), behind('good', 'm')], {
          ...once,
          hedge: { after: '50ms', maxPercent: 100 },
        }),
        route('continued', 'continued', [behind('cut', 'm'), behind('engines', 'tiny')], {
          ...once,
          fallback: { midStream: 'Continue' },
        }),
        route('cut', 'cut', [behind('cut', 'm')], once),
        route('cascaded', 'cascaded', [behind('good', 'small'), behind('slow', 'm')], {
          ...once,
          cascade: { steps: [{ backend: 'good', accept: { rules: ['ValidJSON'] } }, { backend: 'slow' }] },
        }),
        route('free', 'free', [behind('free', 'free')]),
        route('tiny', 'tiny', [behind('engines', 'tiny')]),
        tenantKey('client', undefined, {
          limits: { rpm: 100_000, tpm: 10_000_000 },
          budgets: [{ name: 'daily', amount: '100', period: 'Daily' }],
        }),
        tenantKey('limited', LIMITED, { limits: { rpm: 1 }, onStoreFailure: 'Deny' }),
        tenantKey('poor', POOR, { tenant: 'poor', budgets: [{ name: 'all', amount: '0.0000001', period: 'Total' }] }),
      ),
    });
    const operator = await startOperatorPage();
    stops.push(operator.close);
    prometheus = await startPrometheus(
      { gateway: new URL(gateway.internalUrl).host, operator: operator.host },
      { namespace: 'tollgate' },
      // As often as the scrapes here, which are thirty times as many.
      alertRulesYaml().replace(/^ +interval: .*\n/m, ''),
    );
    stops.push(() => prometheus.stop());
    await until('both are scraped', async () => {
      const { gateway, operator } = await prometheus.targets();
      return gateway === true && operator === true;
    });
    // Series are there before they grow: a rate needs two values.
    await round(gateway);
    await sleep(2_500);
    for (const end = Date.now() + LOAD_MS; Date.now() < end; ) await round(gateway);
    redis.pause();
    for (let i = 0; i < 3; i++) await ask(gateway, 'plain', { key: LIMITED });
    await sleep(1_500);
    redis.resume();
    await sleep(2_500);
  });

  after(async () => {
    await gateway?.stop();
    for (const stop of stops) await stop();
  });

  for (const dashboard of dashboards)
    test(`every query of ${dashboard.title} returns figures`, async () => {
      const empty: string[] = [];
      for (const { panels, title: row } of dashboard.rows)
        for (const { queries, title } of panels)
          for (const { expr } of queries) {
            const values = await prometheus.query(asked(expr));
            if (!values.some(value => Number.isFinite(value))) empty.push(`${row} / ${title}: ${asked(expr)} = [${values}]`);
          }
      assert.deepEqual(empty, []);
    });

  test('every rule can be evaluated, and what is recorded has figures', async () => {
    assert.deepEqual(await prometheus.brokenRules(), []);
    for (const rule of groups.flatMap(({ rules }) => rules))
      if (!isAlert(rule)) assert.ok((await prometheus.query(rule.record)).length > 0, rule.record);
  });
});

const LIMITED = 'sk-test-limited-0123456789abcdef0123456789';
const POOR = 'sk-test-poor-0123456789abcdef0123456789ab';

/** As Grafana fills it in, with everything selected. */
const asked = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '1m').replace(/\$(?:namespace|tenant|model|provider)\b/g, '.*');

type Options = { readonly key?: string; readonly stream?: boolean; readonly text?: string; readonly more?: object };

const ask = (gateway: Gateway, model: string, { key, stream = false, text = 'Say hello.', more = {} }: Options = {}) =>
  post(gateway.url + chatPath, chat(model, { stream, messages: [{ role: 'user', content: text }], ...more }), { key })
    // A stream that is cut off.
    .catch(() => undefined);

const KEPT = 'What is the capital of France?';
/** Only compared with it: the same in other words, and another question. */
const COMPARED = ['Tell me the capital of France', 'What is the capital of Italy?'];

let turn = 0;

/** One request of every kind. */
async function round(gateway: Gateway): Promise<void> {
  turn++;
  await Promise.all([
    ask(gateway, 'plain'),
    ask(gateway, 'plain', { stream: true }),
    ask(gateway, 'cached', { text: `${turn}` }),
    ask(gateway, 'cached', { text: 'always the same' }),
    ask(gateway, 'similar', { text: KEPT }),
    ...COMPARED.map(text => ask(gateway, 'similar', { text, more: { cache: { 'no-store': true } } })),
    // A near miss for the judge, of what the turn before has kept.
    ask(gateway, 'similar', { text: `Convert ${turn} km to miles` }),
    ask(gateway, 'similar', { text: `Convert ${turn - 1}.0 km to miles` }),
    // What asks for a seed is for no cache.
    ask(gateway, 'similar', { more: { seed: 1 } }),
    ask(gateway, 'falls'),
    ask(gateway, 'failing'),
    ask(gateway, 'hedged'),
    ask(gateway, 'continued', { stream: true }),
    ask(gateway, 'cut', { stream: true }),
    ask(gateway, 'cascaded'),
    ask(gateway, 'free'),
    ask(gateway, 'tiny', { stream: true }),
    ask(gateway, 'plain', { key: LIMITED }),
    ask(gateway, 'plain', { key: POOR }),
  ]);
}

/** What an operator tells, by its own code, of a life that is made up. */
async function startOperatorPage(): Promise<{ readonly host: string; close(): Promise<void> }> {
  const registry = new Registry();
  const { reflector, controller, leading, requested } = runtimeMetrics(registry);
  const own = operatorMetrics(registry);
  const publish = controller('publish', 4, () => ({ depth: 1, runningMs: [3] }));
  reflector.observe('LLMRoute', () => 4);
  leading('tollgate-operator', true);
  const live = () => {
    reflector.listed('LLMRoute');
    reflector.watched('LLMRoute');
    reflector.failed('LLMRoute', 'gone');
    requested({ method: 'GET', code: '200', host: 'api', seconds: 0.01 });
    publish.added();
    publish.taken(2);
    publish.reconciled('success', 20);
    publish.reconciled('error', 20);
    own.published(1, performance.now() - 200);
    own.served(1, performance.now());
  };
  const timer = setInterval(live, 200);
  const server = createServer(async (_, res) =>
    res.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics()),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      clearInterval(timer);
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
