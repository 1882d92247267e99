// Any server that speaks OpenAI's chat completions: Ollama, LM Studio, Groq, Mistral, OpenRouter and the like. May need no key.
import type { Connection } from '#core/snapshot/snapshot.ts';
import {
  addressBelow,
  CHAT_COMPLETIONS,
  compatibleProfile,
  confidenceOf,
  credentialHeaders,
  EMBEDDINGS,
  encodeFor,
  openAIDialect,
} from '../openai/index.ts';
import type { Provider } from '../provider.ts';

type OpenAICompatible = Extract<Connection, { type: 'OpenAICompatible' }>;

export const openAICompatible: Provider<OpenAICompatible> = {
  ...openAIDialect,
  tokenizer: 'other',
  address: target => addressBelow(target.provider.connection.baseURL, CHAT_COMPLETIONS, credentialHeaders(target)),
  embeddingsAddress: target => addressBelow(target.provider.connection.baseURL, EMBEDDINGS, credentialHeaders(target)),
  encode: encodeFor(compatibleProfile),
  confidence: confidenceOf(compatibleProfile),
};
