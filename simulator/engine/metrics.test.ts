// The metrics of every engine: names, labels and text against what real ones write.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { expositionOf, patternValue } from './exposition.ts';
import { defaultEngineSettings } from './index.ts';
import { type EngineNames, engineNames, pythonFloat } from './metric-names.ts';
import { Replica } from './replica.ts';

function textOf(names: EngineNames, { engines = 1, adapters = [] as string[] } = {}): string {
  const replica = new Replica({ ...defaultEngineSettings, maxNumSeqs: 2, dataParallelSize: engines }, 1_000_000);
  for (let at = 0; at < 3; at++)
    replica.submit({ promptTokens: 100, outputTokens: 10, finish: 'length', hashes: [], adapter: adapters[at] }, 1_000_000);
  replica.advance(1_000_050);
  return expositionOf(engineNames[names]({ reading: replica.reading(1_000_050), model: 'tiny', adapters }), () => undefined);
}

const valueIn = (text: string, series: string): string | undefined =>
  text
    .split('\n')
    .find(line => line.startsWith(`${series} `))
    ?.slice(series.length + 1);

test('vLLM’s V1 names', () => {
  const text = textOf('vLLM');
  assert.equal(valueIn(text, 'vllm:num_requests_running{engine="0",model_name="tiny"}'), '2.0');
  assert.equal(valueIn(text, 'vllm:num_requests_waiting{engine="0",model_name="tiny"}'), '1.0');
  assert.equal(valueIn(text, 'vllm:prompt_tokens_total{engine="0",model_name="tiny"}'), '200.0');
  assert.equal(valueIn(text, 'vllm:generation_tokens_total{engine="0",model_name="tiny"}'), '3.0');
  assert.equal(valueIn(text, 'vllm:iteration_tokens_total_count{engine="0",model_name="tiny"}'), '2.0');
  assert.equal(valueIn(text, 'vllm:engine_sleep_state{engine="0",model_name="tiny",sleep_state="awake"}'), '1.0');
  assert.equal(valueIn(text, 'process_start_time_seconds'), '1000.0');
  assert.ok(Number(valueIn(text, 'vllm:kv_cache_usage_perc{engine="0",model_name="tiny"}')) > 0);
  assert.doesNotMatch(text, /gpu_cache_usage_perc|lora_requests_info/);
});

const recording = '../shared/recordings/vllm/metrics-loaded.prom';

test('every series of the V1 names is one that the real one has, labels and all', {
  skip: !existsSync(recording) && 'no recording',
}, () => {
  const shape = (line: string) => line.replace(/ [^ ]+$/, '').replace(/="[^"]*"/g, '=');
  const shapes = (text: string) =>
    new Set(
      text
        .split('\n')
        .filter(line => line && !line.startsWith('#'))
        .map(shape),
    );
  const real = shapes(readFileSync(recording, 'utf8'));
  const ours = [...shapes(textOf('vLLM'))].filter(line => !line.startsWith('vllm:cache_config_info'));
  assert.deepEqual(
    ours.filter(line => !real.has(line)),
    [],
  );
});

test('with data parallelism each engine has its series', () => {
  const text = textOf('vLLM', { engines: 2 });
  assert.equal(valueIn(text, 'vllm:num_requests_running{engine="0",model_name="tiny"}'), '2.0');
  assert.equal(valueIn(text, 'vllm:num_requests_running{engine="1",model_name="tiny"}'), '1.0');
});

test('V0 has no engine label, and the KV usage under its old name; 0.9 has both', () => {
  const old = textOf('vLLM-V0');
  assert.ok(Number(valueIn(old, 'vllm:gpu_cache_usage_perc{model_name="tiny"}')) > 0);
  assert.equal(valueIn(old, 'vllm:num_requests_swapped{model_name="tiny"}'), '0.0');
  assert.doesNotMatch(old, /kv_cache_usage_perc|engine=|sleep_state/);
  const between = textOf('vLLM-0.9');
  assert.match(between, /^vllm:gpu_cache_usage_perc\{engine="0"/m);
  assert.match(between, /^vllm:kv_cache_usage_perc\{engine="0"/m);
});

test('the other engines’ names', () => {
  const { blockSize, numGpuBlocks } = defaultEngineSettings;
  const sglang = textOf('SGLang');
  const sglangLabels = 'engine_type="unified",model_name="tiny",pp_rank="0",tp_rank="0"';
  assert.equal(valueIn(sglang, `sglang:num_queue_reqs{${sglangLabels}}`), '1.0');
  assert.ok(Number(valueIn(sglang, `sglang:token_usage{${sglangLabels}}`)) > 0);
  assert.match(sglang, new RegExp(`cache_config_info\\{.*num_pages="${numGpuBlocks}",page_size="${blockSize}"`));
  const trtllm = textOf('TRTLLM');
  assert.match(trtllm, /^trtllm_num_requests_waiting\{.*\} 1\.0$/m);
  assert.match(trtllm, /^trtllm_kv_cache_utilization\{/m);
  const triton = textOf('Triton');
  assert.match(triton, /^nv_trt_llm_request_metrics\{model="tensorrt_llm",request_type="scheduled",version="1"\} 2\.0$/m);
  assert.match(triton, /^nv_trt_llm_kv_cache_block_metrics\{kv_cache_block_type="fraction"/m);
  const tgi = textOf('TGI');
  assert.deepEqual([valueIn(tgi, 'tgi_queue_size'), valueIn(tgi, 'tgi_batch_current_size')], ['1.0', '2.0']);
  assert.match(textOf('Ray'), /^ray_vllm_num_requests_running\{Component="core_worker",.*engine="0",model_name="tiny"\} 2\.0$/m);
});

test('adapters are named, running ones and waiting ones', () => {
  const text = textOf('vLLM', { adapters: ['sql', 'law'] });
  assert.match(
    text,
    /^vllm:lora_requests_info\{max_lora="1",running_lora_adapters="sql",waiting_lora_adapters="law"\} 1000\.05$/m,
  );
  assert.match(text, /waiting_by_reason\{engine="0",model_name="tiny",reason="deferred"\} 1\.0/);
});

test('a series can say something else, or be missing with all that describes it', () => {
  const replica = new Replica(defaultEngineSettings, 0);
  const families = engineNames.vLLM({ reading: replica.reading(0), model: 'tiny', adapters: [] });
  const said: Readonly<Record<string, number | 'missing'>> = {
    'vllm:num_requests_waiting': 7,
    'vllm:kv_cache_usage_perc': Number.NaN,
    'vllm:num_requests_running': 'missing',
  };
  const text = expositionOf(families, name => said[name]);
  assert.equal(valueIn(text, 'vllm:num_requests_waiting{engine="0",model_name="tiny"}'), '7.0');
  assert.equal(valueIn(text, 'vllm:kv_cache_usage_perc{engine="0",model_name="tiny"}'), 'NaN');
  assert.doesNotMatch(text, /num_requests_running/);
});

test('a pattern begins at one end and stays between its ends', () => {
  const at = (pattern: 'oscillate' | 'ramp' | 'squarewave', elapsed: number) =>
    patternValue({ pattern, from: 2, to: 10, period: 1000 }, elapsed);
  assert.deepEqual([at('oscillate', 0), at('oscillate', 500), at('oscillate', 1000)], [2, 10, 2]);
  assert.deepEqual([at('ramp', 0), at('ramp', 500), at('ramp', 5000)], [2, 6, 10]);
  assert.deepEqual([at('squarewave', 499), at('squarewave', 500), at('squarewave', 1000)], [2, 10, 2]);
  fc.assert(
    fc.property(
      fc.constantFrom('oscillate', 'ramp', 'squarewave'),
      fc.double({ min: 0, max: 1e7, noNaN: true }),
      (pattern, elapsed) => {
        const value = at(pattern, elapsed);
        assert.ok(value >= 2 && value <= 10);
      },
    ),
  );
});

test('numbers as Python’s client writes them', () => {
  const written: readonly (readonly [number, string])[] = [
    [4, '4.0'],
    [0.25, '0.25'],
    [1_795_256_148.8, '1.7952561488e+09'],
    [1_000_000, '1e+06'],
    [100_000, '100000.0'],
    [Number.NaN, 'NaN'],
  ];
  for (const [value, text] of written) assert.equal(pythonFloat(value), text);
});
