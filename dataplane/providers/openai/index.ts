// OpenAI, and the building blocks of every provider that speaks its chat completions dialect.
import type { Connection } from '#core/snapshot/snapshot.ts';
import type { Address, PassedWire, Provider, Target, UnaryWires, Wires } from '../provider.ts';
import { addressBelow, CHAT_COMPLETIONS, credentialHeaders } from './address.ts';
import { completionsWire } from './completions/index.ts';
import { confidenceOf } from './confidence.ts';
import { decodeReply, inspectReply, leavesOut, notable, streamDecoder } from './decode.ts';
import { embeddingsWire } from './embed.ts';
import { encodeFor } from './encode.ts';
import { classify } from './errors.ts';
import { telling } from './keeps.ts';
import { moderationsWire } from './moderate.ts';
import { outputAsked, outputLimitField } from './output.ts';
import { passthroughEdits } from './passthrough.ts';
import { openAIProfile, wiresOfModel } from './profile.ts';
import { responsesWire } from './responses/index.ts';
import { serviceAsked } from './service.ts';
import { toolsAsked } from './tools.ts';
import { declared, type Spoken } from './wires.ts';

export { addressBelow, CHAT_COMPLETIONS, credentialHeaders } from './address.ts';
export { completionsWire } from './completions/index.ts';
export { confidenceOf } from './confidence.ts';
export { embeddingsWire } from './embed.ts';
export { encodeFor } from './encode.ts';
export { classify } from './errors.ts';
export { messagesWire } from './messages.ts';
export { moderationsWire } from './moderate.ts';
export { azureProfile, compatibleProfile, wiresOfModel } from './profile.ts';
export { rerankWire } from './rerank.ts';
export { responsesWire } from './responses/index.ts';
export { inspectList } from './unary-reply.ts';
export { declared, type Spoken } from './wires.ts';

/** Everything of this dialect that does not depend on who serves it. */
export const openAIDialect = {
  dialect: 'openai-chat',
  passthroughEdits,
  outputAsked,
  outputLimitField,
  // We add nothing of our own to what clients get, so every history in this dialect is one that its servers take.
  isForeign: () => false,
  decodeReply,
  leavesOut,
  inspectReply,
  toolsAsked,
  serviceAsked,
  streamDecoder,
  notable,
  telling,
  classify,
} as const satisfies Partial<Provider>;

type OpenAI = Extract<Connection, { type: 'OpenAI' }>;

export const openAI: Provider<OpenAI> = {
  ...openAIDialect,
  tokenizer: 'own',
  address: target => addressOf(target, CHAT_COMPLETIONS),
  encode: encodeFor(openAIProfile),
  confidence: confidenceOf(openAIProfile),
  takesTemperature: model => openAIProfile.modelTraits(model).samplesFreely,
};

const embeddings = embeddingsWire('own', addressOf);
const moderations = moderationsWire('own', addressOf);

export const openAIUnary: UnaryWires<OpenAI> = { Embeddings: () => embeddings, Moderations: () => moderations };

const passed: PassedWire<OpenAI> = { tokenizer: 'own', classify, address: addressOf, keepsThings: true };

export const openAIPassed: NonNullable<Wires<OpenAI>['passed']> = () => passed;

function addressOf(target: Target<OpenAI>, path: string): Address {
  const { baseURL, organization, project } = target.provider.connection;
  return addressBelow(baseURL, path, {
    ...credentialHeaders(target),
    ...(organization !== undefined && { 'openai-organization': organization }),
    ...(project !== undefined && { 'openai-project': project }),
  });
}

const responses = responsesWire(openAIProfile, 'own', addressOf);
const completions = completionsWire('OpenAI', 'own', addressOf);
const all = { Chat: openAI, Responses: responses, Completions: completions };

const byModel: Readonly<Record<ReturnType<typeof wiresOfModel>, Spoken<OpenAI>>> = {
  conversation: [openAI, responses],
  'responses-only': [responses],
  text: [completions],
};

export const openAIWires: Wires<OpenAI>['of'] = ({ provider, model }) =>
  declared(all, provider.connection.dialects) ?? byModel[wiresOfModel(model)];
