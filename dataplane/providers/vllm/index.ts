// Self-hosted engines (vLLM, SGLang, TensorRT-LLM, TGI): the dialect at one of several endpoints. Read against vLLM 0.32:
// thinking comes as `reasoning` (`reasoning_content` before), structured output is asked for with `response_format`.
import type { Connection } from '#core/snapshot/snapshot.ts';
import {
  addressBelow,
  CHAT_COMPLETIONS,
  compatibleProfile,
  confidenceOf,
  credentialHeaders,
  encodeFor,
  openAIDialect,
} from '../openai/index.ts';
import type { Provider } from '../provider.ts';

type VLLM = Extract<Connection, { type: 'VLLM' }>;

export const vllm: Provider<VLLM> = {
  ...openAIDialect,
  tokenizer: 'other',
  address(target) {
    const endpoint = target.endpoint ?? target.provider.connection.endpoints[0] ?? '';
    return addressBelow(endpoint, `/v1${CHAT_COMPLETIONS}`, credentialHeaders(target));
  },
  encode: encodeFor({ ...compatibleProfile, target: 'VLLM', topK: true }),
  confidence: confidenceOf(compatibleProfile),
};
