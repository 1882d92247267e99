// Any server that speaks OpenAI's wires, chat completions as a rule: Ollama, LM Studio, Groq, Mistral, OpenRouter and the like. May need no key.
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
import type { Address, PassedWire, Provider, UnaryWires, Wires } from '../provider.ts';
import { cohereEmbeddings, cohereRerank } from './cohere.ts';
import { mistralOf } from './mistral.ts';
import type { CompatibleConnection, CompatibleTarget } from './target.ts';

export const openAICompatible: Provider<CompatibleConnection> = {
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
  Messages: messagesWire<CompatibleConnection>(({ provider }) => provider.connection.baseURL.replace(/\/v1$/, '')),
};
const common: Spoken<CompatibleConnection> = [openAICompatible, completions];

const mistral = mistralOf(openAICompatible);
/** Its completions are of another form (`/v1/fim/completions`). */
const wiresOfMistral: Spoken<CompatibleConnection> = [mistral];

export const compatibleWires: Wires<CompatibleConnection>['of'] = ({ provider: { connection } }) => {
  const isMistral = connection.vendor === 'Mistral';
  return declared(isMistral ? { ...all, Chat: mistral } : all, connection.dialects) ?? (isMistral ? wiresOfMistral : common);
};

const embeddings = embeddingsWire('other', addressOf);
const rerank = rerankWire(addressOf);
const moderations = moderationsWire('other', addressOf);

export const compatibleUnary: UnaryWires<CompatibleConnection> = {
  Embeddings: ({ provider }) => (provider.connection.vendor === 'Cohere' ? cohereEmbeddings : embeddings),
  Rerank: ({ provider }) => (provider.connection.vendor === 'Cohere' ? cohereRerank : rerank),
  Moderations: () => moderations,
};

const passed: PassedWire<CompatibleConnection> = {
  tokenizer: 'other',
  classify: openAIDialect.classify,
  address: addressOf,
  keepsThings: true,
};

export const compatiblePassed: NonNullable<Wires<CompatibleConnection>['passed']> = () => passed;

function addressOf(target: CompatibleTarget, path: string): Address {
  return addressBelow(target.provider.connection.baseURL, path, credentialHeaders(target));
}
