// What each engine calls its measures: the families of vLLM's versions, SGLang, TensorRT-LLM (its own server and Triton) and TGI, made of
// one reading. vLLM's V1 names, labels and texts are those of a recording of 0.32.0; the others those that routers read
// (llm-d-router's and production-stack's sources, DataDog's fixtures).
import type { HistogramReading } from './histogram.ts';
import type { EngineReading, ReplicaReading } from './replica.ts';

export type Labels = Readonly<Record<string, string>>;
export type Sample = { readonly name: string; readonly labels: Labels; readonly value: number };
export type Family = {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
};

/** A reading and what is served: `adapters` are LoRA adapters, if it has any. */
export type Subject = { readonly reading: ReplicaReading; readonly model: string; readonly adapters: readonly string[] };

type Kind = Family['type'];
type Value = (engine: EngineReading) => number;

/** `vLLM-V0`: up to 0.8. `vLLM-0.9`: 0.9 and 0.10, which export old and new names. `vLLM`: V1. `Ray`: vLLM under Ray Serve. */
export const engineNames = {
  vLLM: v1Families,
  'vLLM-0.9': transitionalFamilies,
  'vLLM-V0': v0Families,
  Ray: rayFamilies,
  SGLang: sglangFamilies,
  TRTLLM: trtllmFamilies,
  Triton: tritonFamilies,
  TGI: tgiFamilies,
} as const satisfies Record<string, (subject: Subject) => readonly Family[]>;
export type EngineNames = keyof typeof engineNames;

/** How a series of one engine is labelled. */
type EngineLabels = (engine: EngineReading) => Labels;

function v1Families(subject: Subject): readonly Family[] {
  const labels: EngineLabels = ({ engine }) => ({ engine: String(engine), model_name: subject.model });
  const { each, histogram } = familiesOf(subject, labels);
  return [
    processStart(subject),
    each('vllm:num_requests_running', 'gauge', 'Number of requests in model execution batches.', of => of.running),
    each('vllm:num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.', of => of.waiting),
    each(
      'vllm:num_requests_waiting_by_reason',
      'gauge',
      'Number of waiting requests by reason.',
      {
        capacity: of => of.waiting - of.deferred,
        deferred: of => of.deferred,
      },
      'reason',
    ),
    sleepState(subject, labels),
    each('vllm:kv_cache_usage_perc', 'gauge', 'KV-cache usage. 1 means 100 percent usage.', of => of.kvUsage),
    ...prefixCounters(subject, labels),
    each(
      'vllm:num_preemptions_total',
      'counter',
      'Cumulative number of preemption from the engine.',
      of => of.counters.preemptions,
    ),
    ...tokenCounters(subject, labels),
    each(
      'vllm:prompt_tokens_by_source_total',
      'counter',
      'Number of prompt tokens by source.',
      {
        local_compute: of => of.counters.promptTokens - of.counters.prefixHits,
        local_cache_hit: of => of.counters.prefixHits,
        external_kv_transfer: () => 0,
      },
      'source',
    ),
    each(
      'vllm:request_success_total',
      'counter',
      'Count of successfully processed requests.',
      {
        ...finishes,
        error: () => 0,
        repetition: () => 0,
      },
      'finished_reason',
    ),
    {
      name: 'vllm:admission_rejections_total',
      type: 'counter',
      help: 'Number of admission attempts rejected by a queue limit, by reason.',
      samples: Object.entries({ max_num_queued_reqs: totalRefusals(subject), max_num_queued_tokens: 0 }).map(
        ([reason, value]) => ({
          name: 'vllm:admission_rejections_total',
          labels: { model_name: subject.model, reason },
          value,
        }),
      ),
    },
    histogram(
      'vllm:iteration_tokens_total',
      'Histogram of number of tokens per engine_step.',
      of => of.histograms.iterationTokens,
    ),
    ...latencies(subject, labels, 'vllm:inter_token_latency_seconds'),
    cacheConfig(subject, labels),
    ...loraInfo(subject),
  ];
}

function transitionalFamilies(subject: Subject): readonly Family[] {
  const labels: EngineLabels = ({ engine }) => ({ engine: String(engine), model_name: subject.model });
  const { each } = familiesOf(subject, labels);
  return [
    processStart(subject),
    each('vllm:num_requests_running', 'gauge', 'Number of requests in model execution batches.', of => of.running),
    each('vllm:num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.', of => of.waiting),
    each('vllm:gpu_cache_usage_perc', 'gauge', 'GPU KV-cache usage. 1 means 100 percent usage.', of => of.kvUsage),
    each('vllm:kv_cache_usage_perc', 'gauge', 'KV-cache usage. 1 means 100 percent usage.', of => of.kvUsage),
    each('vllm:gpu_prefix_cache_queries_total', 'counter', 'GPU prefix cache queries.', of => of.counters.prefixQueries),
    each('vllm:gpu_prefix_cache_hits_total', 'counter', 'GPU prefix cache hits.', of => of.counters.prefixHits),
    ...prefixCounters(subject, labels),
    ...sameBeforeV1(subject, labels),
  ];
}

/** What V0 and the releases between it and V1 have alike. */
function sameBeforeV1(subject: Subject, labels: EngineLabels): readonly Family[] {
  const { each, histogram } = familiesOf(subject, labels);
  return [
    each(
      'vllm:num_preemptions_total',
      'counter',
      'Cumulative number of preemption from the engine.',
      of => of.counters.preemptions,
    ),
    ...tokenCounters(subject, labels),
    each('vllm:request_success_total', 'counter', 'Count of successfully processed requests.', finishes, 'finished_reason'),
    histogram(
      'vllm:iteration_tokens_total',
      'Histogram of number of tokens per engine_step.',
      of => of.histograms.iterationTokens,
    ),
    ...latencies(subject, labels, 'vllm:time_per_output_token_seconds'),
    cacheConfig(subject, labels),
    ...loraInfo(subject),
  ];
}

function v0Families(subject: Subject): readonly Family[] {
  const labels: EngineLabels = () => ({ model_name: subject.model });
  const { each } = familiesOf(subject, labels);
  return [
    processStart(subject),
    each('vllm:num_requests_running', 'gauge', 'Number of requests currently running on GPU.', of => of.running),
    each('vllm:num_requests_swapped', 'gauge', 'Number of requests swapped to CPU.', () => 0),
    each('vllm:num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.', of => of.waiting),
    each('vllm:gpu_cache_usage_perc', 'gauge', 'GPU KV-cache usage. 1 means 100 percent usage.', of => of.kvUsage),
    each('vllm:cpu_cache_usage_perc', 'gauge', 'CPU KV-cache usage. 1 means 100 percent usage.', () => 0),
    each('vllm:gpu_prefix_cache_hit_rate', 'gauge', 'GPU prefix cache block hit rate.', hitRate),
    ...sameBeforeV1(subject, labels),
  ];
}

/** Ray puts its prefix before the name, an underscore for the colon and labels of its own beside vLLM's. */
function rayFamilies(subject: Subject): readonly Family[] {
  const own = { Component: 'core_worker', NodeAddress: '127.0.0.1', SessionName: 'session_simulated', WorkerId: 'f00d' };
  const renamed = (name: string) => name.replace(/^vllm:/, 'ray_vllm_');
  return v1Families(subject)
    .filter(({ name }) => name.startsWith('vllm:'))
    .map(family => ({
      ...family,
      name: renamed(family.name),
      samples: family.samples.map(({ name, labels, value }) => ({ name: renamed(name), labels: { ...own, ...labels }, value })),
    }));
}

function sglangFamilies(subject: Subject): readonly Family[] {
  const { blockSize, numGpuBlocks } = subject.reading.settings;
  const labels: EngineLabels = ({ engine }) => ({
    engine_type: 'unified',
    model_name: subject.model,
    pp_rank: '0',
    tp_rank: '0',
    ...(subject.reading.engines.length > 1 && { dp_rank: String(engine) }),
  });
  const { each, info } = familiesOf(subject, labels);
  return [
    processStart(subject),
    each('sglang:num_running_reqs', 'gauge', 'The number of running requests.', of => of.running),
    each('sglang:num_queue_reqs', 'gauge', 'The number of requests in the waiting queue.', of => of.waiting),
    each('sglang:num_used_tokens', 'gauge', 'The number of used tokens.', of => of.kvUsage * blockSize * numGpuBlocks),
    each('sglang:token_usage', 'gauge', 'The token usage.', of => of.kvUsage),
    each('sglang:cache_hit_rate', 'gauge', 'The prefix cache hit rate.', hitRate),
    info('sglang:cache_config_info', 'Cache configuration.', { page_size: String(blockSize), num_pages: String(numGpuBlocks) }),
    each('sglang:prompt_tokens_total', 'counter', 'Number of prefill tokens processed.', of => of.counters.promptTokens),
    each(
      'sglang:generation_tokens_total',
      'counter',
      'Number of generation tokens processed.',
      of => of.counters.generationTokens,
    ),
    each('sglang:num_requests_total', 'counter', 'Number of requests processed.', allFinished),
  ];
}

function trtllmFamilies(subject: Subject): readonly Family[] {
  const { blockSize, numGpuBlocks } = subject.reading.settings;
  const { each } = familiesOf(subject, () => ({ engine_type: 'trtllm', model_name: subject.model }));
  return [
    processStart(subject),
    each('trtllm_num_requests_running', 'gauge', 'Number of active requests.', of => of.running),
    each('trtllm_num_requests_waiting', 'gauge', 'Number of queued requests.', of => of.waiting),
    each('trtllm_kv_cache_utilization', 'gauge', 'KV cache utilization.', of => of.kvUsage),
    each('trtllm_kv_cache_hit_rate', 'gauge', 'KV cache hit rate.', hitRate),
    each('trtllm_kv_cache_tokens_per_block', 'gauge', 'Tokens in a block of the KV cache.', () => blockSize),
    each('trtllm_kv_cache_max_blocks', 'gauge', 'Blocks of the KV cache.', () => numGpuBlocks),
    each('trtllm_request_success_total', 'counter', 'Count of successfully processed requests.', finishes, 'finished_reason'),
  ];
}

function tritonFamilies(subject: Subject): readonly Family[] {
  const { blockSize, numGpuBlocks } = subject.reading.settings;
  const { each } = familiesOf(subject, () => ({ model: 'tensorrt_llm', version: '1' }));
  return [
    each('nv_inference_request_success', 'counter', 'Number of successful inference requests.', allFinished),
    each(
      'nv_trt_llm_general_metrics',
      'gauge',
      'General TRT LLM metrics',
      { iteration_counter: of => of.histograms.iterationTokens.count },
      'general_type',
    ),
    each(
      'nv_trt_llm_request_metrics',
      'gauge',
      'TRT LLM request metrics',
      {
        waiting: of => of.waiting,
        context: () => 0,
        scheduled: of => of.running,
        max: of => of.running + of.waiting,
        active: of => of.running + of.waiting,
      },
      'request_type',
    ),
    each(
      'nv_trt_llm_kv_cache_block_metrics',
      'gauge',
      'TRT LLM KV cache block metrics',
      {
        fraction: of => of.kvUsage,
        tokens_per: () => blockSize,
        used: of => Math.round(of.kvUsage * numGpuBlocks),
        free: of => Math.round((1 - of.kvUsage) * numGpuBlocks),
        max: () => numGpuBlocks,
      },
      'kv_cache_block_type',
    ),
  ];
}

function tgiFamilies(subject: Subject): readonly Family[] {
  const { each } = familiesOf(subject, () => ({}));
  return [
    each('tgi_queue_size', 'gauge', 'Current number of requests in the queue', of => of.waiting),
    each('tgi_batch_current_size', 'gauge', 'Current batch size', of => of.running),
    each('tgi_request_count', 'counter', 'Number of requests', of => of.running + of.waiting + allFinished(of)),
    each(
      'tgi_batch_inference_duration_count',
      'counter',
      'Batch inference duration',
      { prefill: of => of.histograms.firstToken.count, decode: of => of.histograms.iterationTokens.count },
      'method',
    ),
    each('tgi_request_success', 'counter', 'Number of successful requests', allFinished),
  ];
}

// ------------------------------------------------------------------ families that several share

const finishes: Readonly<Record<string, Value>> = {
  stop: of => of.counters.finished.stop,
  length: of => of.counters.finished.length,
  abort: of => of.counters.finished.abort,
};

const allFinished: Value = ({ counters: { finished } }) => finished.stop + finished.length + finished.abort;

const hitRate: Value = ({ counters }) => (counters.prefixQueries === 0 ? 0 : counters.prefixHits / counters.prefixQueries);

const totalRefusals = ({ reading }: Subject): number => reading.engines.reduce((sum, of) => sum + of.counters.refusals, 0);

function prefixCounters(subject: Subject, labels: EngineLabels): Family[] {
  const { each } = familiesOf(subject, labels);
  const unit = 'in terms of number of';
  return [
    each(
      'vllm:prefix_cache_queries_total',
      'counter',
      `Prefix cache queries, ${unit} queried tokens.`,
      of => of.counters.prefixQueries,
    ),
    each('vllm:prefix_cache_hits_total', 'counter', `Prefix cache hits, ${unit} cached tokens.`, of => of.counters.prefixHits),
  ];
}

function tokenCounters(subject: Subject, labels: EngineLabels): Family[] {
  const { each } = familiesOf(subject, labels);
  return [
    each('vllm:prompt_tokens_total', 'counter', 'Number of prefill tokens processed.', of => of.counters.promptTokens),
    each('vllm:generation_tokens_total', 'counter', 'Number of generation tokens processed.', of => of.counters.generationTokens),
  ];
}

function latencies(subject: Subject, labels: EngineLabels, perToken: string): Family[] {
  const { histogram } = familiesOf(subject, labels);
  return [
    histogram('vllm:time_to_first_token_seconds', 'Histogram of time to first token in seconds.', of => of.histograms.firstToken),
    histogram(perToken, 'Histogram of inter-token latency in seconds.', of => of.histograms.interToken),
    histogram('vllm:e2e_request_latency_seconds', 'Histogram of e2e request latency in seconds.', of => of.histograms.endToEnd),
    histogram(
      'vllm:request_queue_time_seconds',
      'Histogram of time spent in WAITING phase for request.',
      of => of.histograms.queueTime,
    ),
  ];
}

function processStart({ reading }: Subject): Family {
  const name = 'process_start_time_seconds';
  const help = 'Start time of the process since unix epoch in seconds.';
  return { name, type: 'gauge', help, samples: [{ name, labels: {}, value: reading.startedAt / 1000 }] };
}

function sleepState({ reading }: Subject, labels: EngineLabels): Family {
  const name = 'vllm:engine_sleep_state';
  const states = ['awake', 'weights_offloaded', 'discard_all'];
  const samples = reading.engines.flatMap(engine =>
    states.map(state => ({
      name,
      labels: { ...labels(engine), sleep_state: state },
      value: Number(reading.sleep === state),
    })),
  );
  return { name, type: 'gauge', help: 'Engine sleep state; awake = 0 means engine is sleeping.', samples };
}

function cacheConfig(subject: Subject, labels: EngineLabels): Family {
  const { blockSize, numGpuBlocks } = subject.reading.settings;
  return familiesOf(subject, labels).info('vllm:cache_config_info', 'Information of the LLMEngine CacheConfig', {
    block_size: String(blockSize),
    cache_dtype: 'auto',
    enable_prefix_caching: 'True',
    gpu_memory_utilization: '0.92',
    num_cpu_blocks: 'None',
    num_gpu_blocks: String(numGpuBlocks),
  });
}

/** One series for all engines; its value is when it was last written. */
function loraInfo({ reading, adapters }: Subject): Family[] {
  if (adapters.length === 0) return [];
  const name = 'vllm:lora_requests_info';
  const joined = (of: (engine: EngineReading) => readonly string[]) => [...new Set(reading.engines.flatMap(of))].join(',');
  const labels = {
    max_lora: String(reading.settings.maxLoras),
    running_lora_adapters: joined(engine => engine.runningAdapters),
    waiting_lora_adapters: joined(engine => engine.waitingAdapters),
  };
  return [
    { name, type: 'gauge', help: 'Running stats on lora requests.', samples: [{ name, labels, value: reading.now / 1000 }] },
  ];
}

// ------------------------------------------------------------------ building

function familiesOf({ reading }: Subject, labels: EngineLabels) {
  const { engines } = reading;
  /** One series for each engine; of a table of values one for each of its names too, under the label `by`. */
  const each = (name: string, type: Kind, help: string, value: Value | Readonly<Record<string, Value>>, by = ''): Family => ({
    name,
    type,
    help,
    samples: engines.flatMap(engine =>
      typeof value === 'function'
        ? [{ name, labels: labels(engine), value: value(engine) }]
        : Object.entries(value).map(([key, of]) => ({ name, labels: { ...labels(engine), [by]: key }, value: of(engine) })),
    ),
  });
  const info = (name: string, help: string, facts: Labels): Family => ({
    name,
    type: 'gauge',
    help,
    samples: engines.map(engine => ({ name, labels: { ...facts, ...labels(engine) }, value: 1 })),
  });
  const histogram = (name: string, help: string, of: (engine: EngineReading) => HistogramReading): Family => ({
    name,
    type: 'histogram',
    help,
    samples: engines.flatMap(engine => histogramSamples(name, labels(engine), of(engine))),
  });
  return { each, info, histogram };
}

const histogramSamples = (name: string, labels: Labels, { bounds, counts, count, sum }: HistogramReading): Sample[] => [
  ...bounds.map((bound, at) => ({ name: `${name}_bucket`, labels: { ...labels, le: pythonFloat(bound) }, value: counts[at]! })),
  { name: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
  { name: `${name}_count`, labels, value: count },
  { name: `${name}_sum`, labels, value: sum },
];

/** As Python's client library writes numbers: `4.0`, `1.7952561488e+09`, `NaN`. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const text = Number.isInteger(value) ? `${value}.0` : String(value);
  const dot = text.indexOf('.');
  if (value <= 0 || dot <= 6) return text;
  const mantissa = `${text[0]}.${text.slice(1, dot)}${text.slice(dot + 1)}`.replace(/[0.]+$/, '');
  return `${mantissa}e+${String(dot - 1).padStart(2, '0')}`;
}
