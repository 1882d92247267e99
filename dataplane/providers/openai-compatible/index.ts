// Any server that speaks OpenAI's chat completions: Ollama, LM Studio, Groq, Mistral, OpenRouter and the like. May need no key.
import type { Connection } from '#core/snapshot/snapshot.ts';
import {
  addressBelow,
  CHAT_COMPLETIONS,
  compatibleProfile,
  confidenceOf,
  credentialHeaders,
  embeddingsWire,
  encodeFor,
  moderationsWire,
  openAIDialect,
  rerankWire,
} from '../openai/index.ts';
import type { Address, Provider, Target, UnaryWires } from '../provider.ts';

type OpenAICompatible = Extract<Connection, { type: 'OpenAICompatible' }>;

export const openAICompatible: Provider<OpenAICompatible> = {
  ...openAIDialect,
  tokenizer: 'other',
  address: target => addressOf(target, CHAT_COMPLETIONS),
  encode: encodeFor(compatibleProfile),
  confidence: confidenceOf(compatibleProfile),
};

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
