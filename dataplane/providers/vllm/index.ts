// Self-hosted engines (vLLM, SGLang, TensorRT-LLM, TGI): the dialect at one of several endpoints. Read against vLLM 0.32:
// thinking comes as `reasoning` (`reasoning_content` before), structured output is asked for with `response_format`.
import { isRecord } from '#core/json/record.ts';
import type { Connection } from '#core/snapshot/snapshot.ts';
import {
  addressBelow,
  CHAT_COMPLETIONS,
  compatibleProfile,
  completionsWire,
  confidenceOf,
  credentialHeaders,
  declared,
  embeddingsWire,
  encodeFor,
  messagesWire,
  openAIDialect,
  rerankWire,
  responsesWire,
  type Spoken,
} from '../openai/index.ts';
import type { Address, PassedWire, Provider, RequestFields, Target, UnaryWires, Wires } from '../provider.ts';

type VLLM = Extract<Connection, { type: 'VLLM' }>;

/** vLLM refuses the first beside `add_generation_prompt`, which is on by default; SGLang knows the first alone, and ignores the other. */
const goOn: ReadonlyMap<string, string | null> = new Map([
  ['continue_final_message', 'true'],
  ['add_generation_prompt', 'false'],
]);

/** What constrains an answer does so from its beginning, which is not where a continued one begins. */
const CONSTRAINTS = [
  'structured_outputs',
  'guided_json',
  'guided_regex',
  'guided_choice',
  'guided_grammar',
  'regex',
  'ebnf',
  'json_schema',
];

/** A model that reasons would begin by that, in the middle of its answer. */
function continuation(body: RequestFields, { model, provider }: Target<VLLM>): ReadonlyMap<string, string | null> | undefined {
  const { engine } = provider.connection;
  const format = body.get('response_format');
  const isFree = !(isRecord(format) && format.type !== 'text') && !CONSTRAINTS.some(name => body.has(name));
  const isKnown = engine === 'vLLM' || engine === 'SGLang';
  return isKnown && isFree && !model.capabilities.includes('Reasoning') ? goOn : undefined;
}

const profile = { ...compatibleProfile, target: 'VLLM', topK: true };

export const vllm: Provider<VLLM> = {
  ...openAIDialect,
  tokenizer: 'other',
  address: target => addressOf(target, CHAT_COMPLETIONS),
  encode: encodeFor(profile),
  confidence: confidenceOf(compatibleProfile),
  continuation,
};

const completions = completionsWire('VLLM', 'other', addressOf);
const all = {
  Chat: vllm,
  Responses: responsesWire(profile, 'other', addressOf),
  Completions: completions,
  Messages: messagesWire<VLLM>(endpointOf),
};
const wiresOfVLLM: Spoken<VLLM> = [vllm, all.Responses, completions, all.Messages];
const common: Spoken<VLLM> = [vllm, completions];

export const vllmWires: Wires<VLLM>['of'] = ({ provider: { connection } }) =>
  declared(all, connection.dialects) ?? (connection.engine === 'vLLM' ? wiresOfVLLM : common);

const embeddings = embeddingsWire('other', addressOf);
const rerank = rerankWire(addressOf);

export const vllmUnary: UnaryWires<VLLM> = { Embeddings: () => embeddings, Rerank: () => rerank };

const passed: PassedWire<VLLM> = { tokenizer: 'other', classify: openAIDialect.classify, address: addressOf, keepsThings: false };

export const vllmPassed: NonNullable<Wires<VLLM>['passed']> = () => passed;

function addressOf(target: Target<VLLM>, path: string): Address {
  return addressBelow(endpointOf(target), `/v1${path}`, credentialHeaders(target));
}

function endpointOf({ endpoint, provider }: Target<VLLM>): string {
  return endpoint ?? provider.connection.endpoints[0] ?? '';
}
