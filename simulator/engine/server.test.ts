// An engine over HTTP: what a probe and a client see of it in each state.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '../shape.ts';
import { type EngineOptions, type SimulatedEngine, startEngine } from './index.ts';

const quick: EngineOptions['settings'] = { cost: { step: 2, perSequence: 0, perPrefillToken: 0.001 } };

type Scope = { after(fn: () => unknown): void };

async function started(t: Scope, settings: EngineOptions['settings'] = {}): Promise<SimulatedEngine> {
  const engine = await startEngine({ settings: { ...quick, ...settings } });
  t.after(() => engine.close());
  return engine;
}

const chat = (engine: SimulatedEngine, rest: Json = {}, init: RequestInit = {}) =>
  fetch(`${engine.origin}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], ...rest }),
    ...init,
  });

const tokens = (count: number, text = ''): Json => ({ messages: [{ role: 'user', content: `${text}[[tokens=${count}]]` }] });

async function metric(engine: SimulatedEngine, name: string): Promise<number> {
  const text = await (await fetch(`${engine.origin}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
}

const control = async (engine: SimulatedEngine, method: string, path: string, body?: Json) => {
  const response = await fetch(`${engine.origin}/__simulator/${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
  return { status: response.status, value: (await response.json()) as Json };
};

test('it answers as vLLM does, streamed and whole, and its counters say so', async t => {
  const engine = await started(t);
  const whole = (await (await chat(engine, tokens(7))).json()) as Json;
  assert.deepEqual([whole.usage.completion_tokens, whole.system_fingerprint], [7, 'vllm-0.32.0-simulated']);
  const streamed = await (await chat(engine, { ...tokens(7), stream: true })).text();
  assert.equal([...streamed.matchAll(/"content":"[^"]/g)].length, 7, 'a frame for each token');
  assert.match(streamed, /data: \[DONE\]\n\n$/);
  assert.equal(await metric(engine, 'vllm:generation_tokens_total'), 14);
  assert.equal(await metric(engine, 'vllm:prompt_tokens_total'), 2 * whole.usage.prompt_tokens);
});

test('health, ping and models; a model it does not serve is 404, too long a prompt 400', async t => {
  const engine = await started(t, { model: 'llama', adapters: ['sql'], maxModelLen: 100 });
  for (const path of ['/health', '/ping']) assert.equal((await fetch(engine.origin + path)).status, 200);
  const { data } = (await (await fetch(`${engine.origin}/v1/models`)).json()) as Json;
  assert.deepEqual(
    data.map(({ id, parent, max_model_len }: Json) => [id, parent, max_model_len]),
    [
      ['llama', null, 100],
      ['sql', 'llama', null],
    ],
  );
  const unknown = await chat(engine, { model: 'tiny' });
  assert.deepEqual([unknown.status, ((await unknown.json()) as Json).error.type], [404, 'NotFoundError']);
  const long = await chat(engine, { model: 'llama', ...tokens(1, 'x'.repeat(400)) });
  assert.match(((await long.json()) as Json).error.message, /maximum context length is 100 tokens/);
  assert.equal((await chat(engine, { model: 'sql', max_tokens: 2 })).status, 200);
});

test('a stream’s headers come at once, its first chunk with its first token', async t => {
  const engine = await started(t, { maxNumSeqs: 1, cost: { step: 20, perSequence: 0, perPrefillToken: 0 } });
  engine.occupy({ count: 1, promptTokens: 8, outputTokens: 1000 });
  const waiting = await chat(engine, { ...tokens(2), stream: true });
  assert.equal(waiting.status, 200);
  const reader = waiting.body!.getReader();
  assert.equal(await Promise.race([reader.read(), delay(100, 'nothing')]), 'nothing');
  assert.equal(await metric(engine, 'vllm:num_requests_waiting'), 1);
  engine.change({ vacate: true });
});

test('a client that goes away frees its place', async t => {
  const engine = await started(t, { maxNumSeqs: 1 });
  const gone = new AbortController();
  const response = await chat(engine, { ...tokens(50_000), stream: true }, { signal: gone.signal });
  await response.body!.getReader().read();
  gone.abort();
  await (await chat(engine, tokens(2))).text();
  assert.equal(await metric(engine, 'vllm:request_success_total\\{engine="0",finished_reason="abort",model_name="tiny"\\}'), 1);
});

test('a full queue is 503 in vLLM’s words, and counted', async t => {
  const engine = await started(t, { maxNumSeqs: 1, maxNumQueuedReqs: 1 });
  engine.occupy({ count: 2, promptTokens: 8, outputTokens: 100_000 });
  const refused = await chat(engine);
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /The engine is currently busy and cannot accept new requests/);
  assert.equal(await metric(engine, 'vllm:admission_rejections_total\\{model_name="tiny",reason="max_num_queued_reqs"\\}'), 1);
});

test('a prefix that it has seen is a hit', async t => {
  const engine = await started(t);
  const system = { role: 'system', content: 'A long set of instructions. '.repeat(40) };
  for (const question of ['One?', 'Two?'])
    await (await chat(engine, { messages: [system, { role: 'user', content: question }] })).text();
  assert.equal(await metric(engine, 'vllm:prefix_cache_hits_total'), Math.floor((system.content.length / 4 + 4) / 16) * 16);
});

test('loading: everything is 503 until it serves', async t => {
  const engine = await started(t, { startup: 3_600_000 });
  for (const path of ['/health', '/v1/models', '/metrics']) assert.equal((await fetch(engine.origin + path)).status, 503);
  assert.equal((await chat(engine)).status, 503);
  engine.change({ restart: { startup: 20 } });
  await delay(60);
  assert.equal((await chat(engine)).status, 200);
});

test('wedged: health is 200, metrics stand still, requests hang', async t => {
  const engine = await started(t);
  engine.occupy({ count: 1, promptTokens: 8, outputTokens: 10_000 });
  await delay(20);
  assert.equal((await control(engine, 'POST', 'engine', { state: 'wedged' })).value.state, 'wedged');
  assert.equal((await fetch(`${engine.origin}/health`)).status, 200);
  const before = engine.metrics();
  await assert.rejects(chat(engine, {}, { signal: AbortSignal.timeout(50) }));
  assert.equal(engine.metrics(), before);
  assert.equal(await metric(engine, 'vllm:num_requests_running'), 1);
});

test('dead: health is 503, chats are 500, streams end with an error, gauges keep their values', async t => {
  const engine = await started(t);
  const whole = chat(engine, tokens(10_000));
  const stream = await chat(engine, { ...tokens(10_000), stream: true });
  const reader = stream.body!.getReader();
  await reader.read();
  engine.change({ state: 'dead' });
  assert.equal((await whole).status, 500);
  let rest = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) rest += Buffer.from(part.value).toString();
  assert.match(rest, /"error":\{"message":"EngineCore encountered an issue.*data: \[DONE\]\n\n$/s);
  assert.deepEqual([(await fetch(`${engine.origin}/health`)).status, (await chat(engine)).status], [503, 500]);
  assert.equal((await fetch(`${engine.origin}/v1/models`)).status, 200);
  assert.equal(await metric(engine, 'vllm:num_requests_running'), 2);
});

test('a restart resets what is under way and takes the counters to zero', async t => {
  const engine = await started(t);
  await (await chat(engine, tokens(3))).text();
  const stream = await chat(engine, { ...tokens(10_000), stream: true });
  const before = await metric(engine, 'process_start_time_seconds');
  engine.change({ restart: { startup: 3_600_000 } });
  await assert.rejects(stream.text());
  assert.equal((await fetch(`${engine.origin}/health`)).status, 503);
  engine.change({ restart: { startup: 0 } });
  assert.equal(await metric(engine, 'vllm:generation_tokens_total'), 0);
  assert.ok((await metric(engine, 'process_start_time_seconds')) > before);
});

test('it sleeps and wakes up by vLLM’s own paths', async t => {
  const engine = await started(t);
  assert.equal((await fetch(`${engine.origin}/sleep`, { method: 'POST' })).status, 200);
  assert.deepEqual(await (await fetch(`${engine.origin}/is_sleeping`)).json(), { is_sleeping: true });
  const asleep = 'vllm:engine_sleep_state\\{engine="0",model_name="tiny",sleep_state="awake"\\}';
  assert.equal(await metric(engine, asleep), 0);
  const answer = chat(engine, tokens(2));
  await delay(30);
  await fetch(`${engine.origin}/wake_up`, { method: 'POST' });
  assert.equal((await answer).status, 200);
  assert.equal(await metric(engine, asleep), 1);
});

test('draining: what it has ends, new requests are refused', async t => {
  const engine = await started(t);
  const stream = await chat(engine, { ...tokens(30), stream: true });
  engine.change({ state: 'draining' });
  assert.equal((await chat(engine)).status, 503);
  assert.match(await stream.text(), /\[DONE\]/);
});

test('metrics say what they are told to, late if asked', async t => {
  const engine = await started(t);
  const overrides = {
    'vllm:num_requests_waiting': 9,
    'vllm:kv_cache_usage_perc': 'NaN',
    'vllm:num_requests_running': { pattern: 'squarewave', from: 1, to: 1, period: 10 },
  };
  assert.equal((await control(engine, 'POST', 'engine', { metrics: { overrides, delay: 60 } })).status, 200);
  const before = performance.now();
  assert.equal(await metric(engine, 'vllm:num_requests_waiting'), 9);
  assert.ok(performance.now() - before > 50);
  assert.ok(Number.isNaN(await metric(engine, 'vllm:kv_cache_usage_perc')));
  assert.equal(await metric(engine, 'vllm:num_requests_running'), 1);
  await control(engine, 'POST', 'engine', { metrics: { status: 500 } });
  assert.equal((await fetch(`${engine.origin}/metrics`)).status, 500);
  await control(engine, 'POST', 'engine', { metrics: null });
  assert.equal(await metric(engine, 'vllm:num_requests_waiting'), 0);
});

test('a change that it does not understand is refused, and nothing happens', async t => {
  const engine = await started(t);
  for (const [change, problem] of [
    [{ state: 'tired' }, /state: choice/],
    [{ state: 'wedged', metrics: { overrides: { 'vllm:nonsense': 1 } } }, /no series vllm:nonsense/],
    [{ nonsense: 1 }, /nonsense: unknown/],
  ] as const) {
    const { status, value } = await control(engine, 'POST', 'engine', change);
    assert.equal(status, 400);
    assert.match(value.error, problem);
  }
  assert.equal(engine.state(), 'serving');
});

test('the simulator’s faults work on an engine, and one that refuses is no work for it', async t => {
  const engine = await started(t);
  assert.equal((await chat(engine, { model: 'tiny!500' })).status, 500);
  await assert.rejects((await chat(engine, { model: 'tiny!cut;chunks=2', ...tokens(50), stream: true })).text());
  assert.equal(await metric(engine, 'vllm:num_requests_running'), 0);
  assert.equal(engine.reading().engines[0]!.counters.finished.abort, 1);
  engine.addFault({ fault: 'reset', match: { path: '/metrics' } });
  await assert.rejects(fetch(`${engine.origin}/metrics`).then(response => response.text()));
});

test('metrics and health leave no trace in the record', async t => {
  const engine = await started(t);
  await metric(engine, 'x');
  await (await chat(engine)).text();
  assert.deepEqual(
    engine.requests().map(({ path }) => path),
    ['/v1/chat/completions'],
  );
});

test('a close ends it at once, whatever is under way', async () => {
  const engine = await startEngine({ settings: quick });
  const response = await chat(engine, { ...tokens(50_000), stream: true });
  await engine.close();
  await assert.rejects(response.text());
});
