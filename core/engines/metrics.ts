// Which metrics of which engine say what, under all names that its versions have given them. Sources: the recordings
// of vLLM 0.32, the fixtures of DataDog's integration (Ray), the sources of TensorRT-LLM, SGLang and TGI. Adding an engine is adding data.
import type { Connection } from '../snapshot/snapshot.ts';

export type EngineKind = Extract<Connection, { type: 'VLLM' }>['engine'];

/**
 * `progress`: counters, any of which moves while the engine works. `kv`: share of the KV cache in use. `awake`: 0 is asleep.
 * `startedAt`: the start of the process. `adapters`: a series whose labels tell the LoRA adapters, its value the time they were told.
 */
export type Signal = 'running' | 'waiting' | 'kv' | 'awake' | 'progress' | 'startedAt' | 'adapters';

/** Series of one name, of those only where a label has that value. */
export type Source = { readonly name: string; readonly where?: { readonly label: string; readonly value: string } };

/** What one signal is the sum of. Each part has its names in the order of preference: a scrape may have the old and the new one. */
export type Parts = readonly (readonly Source[])[];

export type EngineMetrics = {
  /** Tells apart the engines behind one endpoint (data parallel). */
  readonly engineLabel: string;
  /** Series where one of these labels is not 0 tell once more what rank 0 tells. */
  readonly rankLabels: readonly string[];
  readonly signals: Readonly<Partial<Record<Signal, Parts>>>;
  /** It refuses a model that it does not list; the others answer to any name. */
  readonly refusesOtherModels: boolean;
};

const named = (...names: string[]): readonly Source[] => names.map(name => ({ name }));
const startedAt: Parts = [named('process_start_time_seconds')];

/** Ray puts its own name before them, and since it cleans names `_` for the colon. Its counters come without `_total` as well. */
const VLLM_PREFIXES = ['vllm:', 'ray_vllm:', 'ray_vllm_'];
const vllm = (...names: string[]): readonly Source[] => named(...names.flatMap(n => VLLM_PREFIXES.map(prefix => prefix + n)));

const sglang = (...names: string[]): readonly Source[] => named(...names.map(n => `sglang:${n}`));

/** Triton tells several figures under one name. */
const triton = (name: string, label: string, value: string): readonly Source[] => [
  { name: `nv_trt_llm_${name}_metrics`, where: { label, value } },
];

export const engineMetrics: Readonly<Record<EngineKind, EngineMetrics>> = {
  vLLM: {
    engineLabel: 'engine',
    rankLabels: [],
    refusesOtherModels: true,
    signals: {
      running: [vllm('num_requests_running')],
      // V0 swaps requests out: they wait for blocks.
      waiting: [vllm('num_requests_waiting'), vllm('num_requests_swapped')],
      // 0.9 and 0.10 have both; the second is that of V0.
      kv: [vllm('kv_cache_usage_perc', 'gpu_cache_usage_perc')],
      awake: [VLLM_PREFIXES.map(p => ({ name: `${p}engine_sleep_state`, where: { label: 'sleep_state', value: 'awake' } }))],
      progress: [
        vllm('generation_tokens_total'),
        vllm('prompt_tokens_total'),
        vllm('iteration_tokens_total_count'),
        vllm('request_success_total'),
      ],
      adapters: [vllm('lora_requests_info')],
      startedAt,
    },
  },
  SGLang: {
    engineLabel: 'dp_rank',
    rankLabels: ['tp_rank', 'pp_rank', 'moe_ep_rank'],
    refusesOtherModels: false,
    signals: {
      running: [sglang('num_running_reqs', 'num_requests_running')],
      waiting: [sglang('num_queue_reqs', 'num_requests_waiting')],
      kv: [sglang('token_usage')],
      progress: [sglang('generation_tokens_total'), sglang('prompt_tokens_total'), sglang('num_requests_total')],
      startedAt,
    },
  },
  TRTLLM: {
    engineLabel: 'engine',
    rankLabels: [],
    refusesOtherModels: false,
    signals: {
      running: [[...named('trtllm_num_requests_running'), ...triton('request', 'request_type', 'scheduled')]],
      waiting: [[...named('trtllm_num_requests_waiting'), ...triton('request', 'request_type', 'waiting')]],
      kv: [[...named('trtllm_kv_cache_utilization'), ...triton('kv_cache_block', 'kv_cache_block_type', 'fraction')]],
      progress: [
        named('trtllm_generation_tokens_total'),
        named('trtllm_prompt_tokens_total'),
        named('trtllm_num_requests_completed_total', 'trtllm_request_success_total'),
        triton('general', 'general_type', 'iteration_counter'),
      ],
      startedAt,
    },
  },
  TGI: {
    engineLabel: 'engine',
    rankLabels: [],
    refusesOtherModels: false,
    signals: {
      running: [named('tgi_batch_current_size')],
      waiting: [named('tgi_queue_size')],
      progress: [
        named('tgi_request_generated_tokens_sum'),
        named('tgi_batch_inference_duration_count', 'tgi_batch_inference_count'),
        named('tgi_request_success', 'tgi_request_success_total'),
      ],
      startedAt,
    },
  },
};
