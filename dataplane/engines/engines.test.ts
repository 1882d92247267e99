// The watch over engines, over HTTP: servers of the test stand in for engines, time is real, intervals are short.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Alert } from '#core/admission/alerts.ts';
import type { EngineStateName } from '#core/engines/state.ts';
import type { Connection, ProviderEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import { aModel, aProvider } from '#core/snapshot/testing.ts';
import { millis } from '#core/units.ts';
import { createHttpClient, type HttpClient } from '#platform/http-client.ts';
import { freePort } from '#test/support/ports.ts';
import { until } from '#test/support/until.ts';
import { startUpstream, type Upstream } from '#test/support/upstream.ts';
import { liveConfig } from '../config/live.ts';
import { EngineWatch } from './engines.ts';

type VLLM = Extract<Connection, { type: 'VLLM' }>;

/** What a stand-in says of itself; a test changes it as it goes. */
type Engine = Upstream & {
  running: number;
  waiting: number;
  kv: number;
  tokens: number;
  awake: number;
  startedAt: number;
  health: number;
  models: readonly string[];
  adapters: readonly string[];
  /** Does not answer for its metrics. */
  isSilent: boolean;
  metricsStatus: number;
};

async function anEngine(): Promise<Engine> {
  const upstream = await startUpstream((response, { path }) => {
    if (path === '/health') return void response.writeHead(engine.health).end();
    if (path === '/v1/models') {
      const data = [...engine.models.map(id => ({ id, parent: null })), ...engine.adapters.map(id => ({ id, parent: 'llama' }))];
      return void response.end(JSON.stringify({ object: 'list', data }));
    }
    if (engine.isSilent) return;
    response.writeHead(engine.metricsStatus).end(metricsOf(engine));
  });
  const engine: Engine = Object.assign(upstream, {
    running: 0,
    waiting: 0,
    kv: 0.1,
    tokens: 100,
    awake: 1,
    startedAt: 1,
    health: 200,
    models: ['llama'],
    adapters: [],
    isSilent: false,
    metricsStatus: 200,
  });
  return engine;
}

const metricsOf = ({ running, waiting, kv, tokens, awake, startedAt }: Engine): string => `# HELP a scrape
process_start_time_seconds ${startedAt}
vllm:num_requests_running{engine="0",model_name="llama"} ${running}
vllm:num_requests_waiting{engine="0",model_name="llama"} ${waiting}
vllm:kv_cache_usage_perc{engine="0",model_name="llama"} ${kv}
vllm:generation_tokens_total{engine="0",model_name="llama"} ${tokens}
vllm:engine_sleep_state{engine="0",model_name="llama",sleep_state="awake"} ${awake}
`;

const probes = {
  interval: millis(50),
  staleAfter: millis(600),
  queueDepth: 5,
  kvCacheUtilization: 0.8,
  wedgedAfter: millis(300),
};

const provider = (endpoints: readonly string[], more: Partial<VLLM> = {}, rest: Partial<ProviderEntry> = {}): ProviderEntry =>
  aProvider('engines', {
    models: [aModel('llama')],
    connection: { type: 'VLLM', endpoints, engine: 'vLLM', metricsPath: '/metrics', probes, ...more },
    ...rest,
  });

const configOf = (...providers: ProviderEntry[]) => {
  const byId = Object.fromEntries(providers.map(each => [each.id, each]));
  const snapshot: Snapshot = { schemaVersion: 1, providers: byId, routes: [], keys: [], tenants: {} };
  return liveConfig(snapshot, new Map([['default/token/key', 'sk-engine']]), 1, text => text);
};

describe('the watch over engines', () => {
  let engines: Engine[];
  let http: HttpClient;
  let config: ReturnType<typeof configOf>;
  let watch: EngineWatch;
  let alerts: Alert[];
  let scrapes: string[];

  beforeEach(async () => {
    engines = [await anEngine(), await anEngine()];
    http = createHttpClient({ isForbidden: () => false });
    config = configOf(provider(urls()));
    alerts = [];
    scrapes = [];
    watch = new EngineWatch({
      current: () => config,
      http,
      alerts: { emit: alert => void alerts.push(alert) },
      log: { info() {}, debug() {} },
      pods: () => 1,
      onScrape: (_provider, _seconds, outcome) => void scrapes.push(outcome),
      monotonic: () => performance.now(),
      random: Math.random,
    });
  });
  afterEach(async () => {
    watch.close();
    await http.close();
    for (const engine of engines) await engine.close();
  });

  const urls = () => engines.map(engine => engine.url);
  const stateOf = (engine: { readonly url: string }) =>
    watch.report().find(({ endpoint }) => endpoint === engine.url)?.state.name;
  const becomes = (engine: { readonly url: string }, name: EngineStateName) =>
    until(`it is ${name}`, () => stateOf(engine) === name);
  const bothReady = async () => {
    for (const engine of engines) await becomes(engine, 'Ready');
  };
  const served = { provider: provider([]), model: aModel('llama') };
  const pick = (tried: readonly string[] = [], model = 'llama') =>
    watch.pick({ ...served, model: aModel(model) }, { tried, prefix: undefined, random: Math.random() });
  const picked = (model?: string) => new Set(Array.from({ length: 40 }, () => pick([], model)));

  test('brings every state to light', async () => {
    const [engine] = engines as [Engine];
    await bothReady();
    engine.waiting = 7;
    await becomes(engine, 'Saturated');
    engine.waiting = 0;
    await becomes(engine, 'Ready');
    engine.awake = 0;
    await becomes(engine, 'Sleeping');
    engine.awake = 1;
    await becomes(engine, 'Ready');
    engine.health = 503;
    await becomes(engine, 'Loading');
    engine.health = 200;
    await becomes(engine, 'Ready');
    engine.running = 2;
    await becomes(engine, 'Wedged');
    engine.tokens++;
    await becomes(engine, 'Ready');
    engine.running = 0;
    engine.isSilent = true;
    await becomes(engine, 'Stale');
    engine.isSilent = false;
    await becomes(engine, 'Ready');
    engine.startedAt = 2;
    await becomes(engine, 'Restarted');
    await becomes(engine, 'Ready');
    engine.metricsStatus = 404;
    await becomes(engine, 'Unknown');
    config = configOf(provider(urls(), { draining: [engine.url] }));
    await becomes(engine, 'Draining');
    assert.ok(['read', 'missed', 'unreadable'].every(outcome => scrapes.includes(outcome)));
  });

  test('sends nothing where nobody listens, and on again when somebody does', async () => {
    const port = await freePort();
    const gone = { url: `http://127.0.0.1:${port}` };
    config = configOf(provider([gone.url, engines[0]!.url]));
    await becomes(gone, 'Loading');
    await becomes(engines[0]!, 'Ready');
    assert.deepEqual([...picked()], [engines[0]!.url]);
    assert.equal(watch.load(served)?.usable, 1);
  });

  test('goes to the other replica once one is saturated, and says when all are', async () => {
    await bothReady();
    assert.equal(picked().size, 2);
    engines[0]!.waiting = 9;
    await becomes(engines[0]!, 'Saturated');
    assert.deepEqual([...picked()], [engines[1]!.url]);
    assert.equal(watch.load(served)?.saturated, false);
    engines[1]!.waiting = 6;
    await becomes(engines[1]!, 'Saturated');
    assert.deepEqual([...picked()], [engines[1]!.url, engines[0]!.url].slice(0, picked().size));
    assert.equal(watch.load(served)?.saturated, true);
    engines[1]!.waiting = 4;
    await becomes(engines[1]!, 'Ready');
    assert.equal(watch.load(served)?.saturated, false);
  });

  test('counts what it sends until the next reading', async () => {
    await bothReady();
    for (const engine of engines) engine.isSilent = true;
    await delay(2 * probes.interval);
    const loads = () => watch.report().map(({ load }) => load!);
    const before = loads();
    for (let i = 0; i < 20; i++) pick();
    const [one, two] = loads() as [number, number];
    assert.ok(one > before[0]! && two > before[1]! && Math.abs(one - two) <= 0.4, `${one} ${two}`);
  });

  test('tries another endpoint than before', async () => {
    await bothReady();
    for (let i = 0; i < 20; i++) assert.equal(pick([engines[0]!.url]), engines[1]!.url);
    assert.ok(pick(urls()) !== undefined);
  });

  test('sends to those that have the model or the adapter', async () => {
    engines[1]!.adapters = ['poems'];
    await bothReady();
    await until('the adapter is known', () => picked('poems').size === 1);
    assert.deepEqual([...picked('poems')], [engines[1]!.url]);
    await until('the models of both are known', () => pick([], 'unheard-of') === undefined);
    assert.equal(watch.load({ ...served, model: aModel('unheard-of') })?.usable, 0);
  });

  test('tells attempts without an answer when their engine is wedged or gone, once, and warns once an episode', async () => {
    const [engine] = engines as [Engine];
    await bothReady();
    let lost = 0;
    const attempt = { endpointLost: () => void lost++ };
    const answered = { endpointLost: () => assert.fail('it has its first byte') };
    watch.watch(served.provider, engine.url, attempt);
    watch.watch(served.provider, engine.url, answered);
    watch.unwatch(served.provider, engine.url, answered);
    engine.running = 1;
    await becomes(engine, 'Wedged');
    await delay(4 * probes.interval);
    assert.equal(lost, 1);
    assert.equal(alerts.length, 1);
    assert.equal(alerts[0]!.kind, 'engine_wedged');
    assert.deepEqual(alerts[0]!.fields, { provider: 'default/engines', endpoint: engine.url, wedged_after_seconds: 0.3 });
    engine.running = 0;
    await becomes(engine, 'Ready');
    watch.watch(served.provider, engine.url, attempt);
    engine.health = 503;
    await becomes(engine, 'Loading');
    assert.equal(lost, 2);
  });

  test("takes failures at one engine for its own, and for the provider's when no other is left", async () => {
    const [bad, good] = engines as [Engine, Engine];
    await bothReady();
    const { consecutiveFailures } = served.provider.circuitBreaker;
    for (let i = 0; i < consecutiveFailures; i++) {
      assert.equal(picked().size, 2);
      assert.equal(watch.ended(served, bad.url, true), false);
    }
    assert.deepEqual([...picked()], [good.url], 'it comes last');
    assert.equal(watch.ended(served, good.url, true), true);
    watch.ended(served, bad.url, false);
    assert.ok(picked().has(bad.url), 'it is well again');
  });

  test('follows the configuration, and keeps what it knows of endpoints that stay', async () => {
    await bothReady();
    engines[0]!.waiting = 9;
    await becomes(engines[0]!, 'Saturated');
    const since = watch.report()[0]!.state.since;
    const added = await anEngine();
    engines.push(added);
    config = configOf(provider(urls()));
    await becomes(added, 'Ready');
    assert.deepEqual([stateOf(engines[0]!), watch.report()[0]!.state.since], ['Saturated', since]);
    config = configOf(provider([added.url]));
    await until('the others are gone', () => watch.report().length === 1);
    assert.deepEqual([...picked()], [added.url]);
    config = configOf();
    await until('nothing is watched', () => watch.report().length === 0);
    const { length } = added.asked;
    await delay(4 * probes.interval);
    assert.equal(added.asked.length, length, 'and nobody is asked');
    assert.equal(watch.load(served), undefined);
  });

  test('sends to any endpoint of a provider that it has not seen yet', () => {
    const unseen = { provider: aProvider('unseen', { connection: provider(urls()).connection }), model: aModel('llama') };
    const random = { prefix: undefined, random: 0.9 };
    assert.equal(watch.load(unseen), undefined);
    assert.equal(watch.pick(unseen, { tried: [], ...random }), engines[1]!.url);
    assert.equal(watch.pick(unseen, { tried: [engines[1]!.url], ...random }), engines[0]!.url);
    assert.equal(watch.pick({ provider: aProvider('hosted'), model: aModel('m') }, { tried: [], ...random }), undefined);
  });

  test('asks below the path of an endpoint, with the credentials of its provider', async () => {
    const auth = { credential: 'default/token/key', header: { name: 'Authorization', prefix: 'Bearer ' } };
    config = configOf(provider([`${engines[0]!.url}/engine`], { metricsPath: '/prometheus/metrics' }, { auth }));
    const asked = await until('it is asked', () => engines[0]!.asked.find(({ path }) => path === '/engine/prometheus/metrics'));
    assert.equal(asked.headers.authorization, 'Bearer sk-engine');
  });

  test('reads no more than there can be', async () => {
    engines[0]!.answer(response => {
      response.writeHead(200);
      const line = Buffer.alloc(64 * 1024, 'vllm:num_requests_waiting{engine="0"} 1\n');
      const write = () => {
        while (!response.destroyed && response.write(line));
      };
      response.on('drain', write);
      write();
    });
    config = configOf(provider([engines[0]!.url], {}, { id: 'default/endless' }));
    await until('it gave up', () => scrapes.includes('missed'));
  });
});
