// Any server that speaks OpenAI's wires, chat completions as a rule: Ollama, LM Studio, Groq, Mistral, OpenRouter and the like. May need no key.
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
  moderationsWire,
  openAIDialect,
  rerankWire,
  responsesWire,
  type Spoken,
} from '../openai/index.ts';
import type { Address, Provider, Target, UnaryWires, Wires } from '../provider.ts';

type OpenAICompatible = Extract<Connection, { type: 'OpenAICompatible' }>;

export const openAICompatible: Provider<OpenAICompatible> = {
  ...openAIDialect,
  tokenizer: 'other',
  address: target => addressOf(target, CHAT_COMPLETIONS),
  encode: encodeFor(compatibleProfile),
  confidence: confidenceOf(compatibleProfile),
};

const completions = completionsWire('OpenAICompatible', 'other', addressOf);
const all = {
  Chat: openAICompatible,
  Responses: responsesWire(compatibleProfile, 'other', addressOf),
  Completions: completions,
  Messages: messagesWire<OpenAICompatible>(({ provider }) => provider.connection.baseURL.replace(/\/v1$/, '')),
};
const common: Spoken<OpenAICompatible> = [openAICompatible, completions];

export const compatibleWires: Wires<OpenAICompatible>['of'] = ({ provider }) =>
  declared(all, provider.connection.dialects) ?? common;

const embeddings = embeddingsWire('other', addressOf);
const rerank = rerankWire(addressOf);
const moderations = moderationsWire('other', addressOf);

export const compatibleUnary: UnaryWires<OpenAICompatible> = {
  Embeddings: () => embeddings,
  Rerank: () => rerank,
  Moderations: () => moderations,
};

function addressOf(target: Target<OpenAICompatible>, path: string): Address {
  return addressBelow(target.provider.connection.baseURL, path, credentialHeaders(target));
}
