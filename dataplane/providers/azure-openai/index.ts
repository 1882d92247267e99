// Azure OpenAI: the same dialect at other addresses. The `api-key` header comes from the resource's `auth.header` (its default for
// this type).
import type { Connection } from '#core/snapshot/snapshot.ts';
import {
  addressBelow,
  azureProfile,
  CHAT_COMPLETIONS,
  confidenceOf,
  credentialHeaders,
  embeddingsWire,
  encodeFor,
  openAIDialect,
  responsesWire,
  type Spoken,
  wiresOfModel,
} from '../openai/index.ts';
import type { Address, PassedWire, Provider, Target, UnaryWires, Wires } from '../provider.ts';

type AzureOpenAI = Extract<Connection, { type: 'AzureOpenAI' }>;

export const azureOpenAI: Provider<AzureOpenAI> = {
  ...openAIDialect,
  tokenizer: 'own',
  address: target => addressOf(target, CHAT_COMPLETIONS),
  encode: encodeFor(azureProfile),
  confidence: confidenceOf(azureProfile),
  takesTemperature: model => azureProfile.modelTraits(model).samplesFreely,
};

const embeddings = embeddingsWire('own', addressOf);

export const azureUnary: UnaryWires<AzureOpenAI> = { Embeddings: () => embeddings };

const responses = responsesWire(azureProfile, 'own', addressOf);
const both: Spoken<AzureOpenAI> = [azureOpenAI, responses];
const responsesAlone: Spoken<AzureOpenAI> = [responses];
const chatAlone: Spoken<AzureOpenAI> = [azureOpenAI];

/** Responses are a part of the v1 form alone; deployments are named freely, and mostly after their model. */
export const azureWires: Wires<AzureOpenAI>['of'] = ({ provider, model }) => {
  if (!isV1(provider.connection.apiVersion)) return chatAlone;
  return wiresOfModel(model) === 'responses-only' ? responsesAlone : both;
};

const isV1 = (apiVersion: string | undefined): boolean =>
  apiVersion === undefined || apiVersion === 'v1' || apiVersion === 'preview';

const wire = { tokenizer: 'own', classify: openAIDialect.classify, address: addressOf } as const;
const passed: PassedWire<AzureOpenAI> = { ...wire, keepsThings: true };
const ofModels: PassedWire<AzureOpenAI> = { ...wire, keepsThings: false };

/** With a dated version, paths are those of a deployment. */
export const azurePassed: NonNullable<Wires<AzureOpenAI>['passed']> = ({ provider }) =>
  isV1(provider.connection.apiVersion) ? passed : ofModels;

function addressOf(target: Target<AzureOpenAI>, path: string): Address {
  const { endpoint, apiVersion } = target.provider.connection;
  return addressBelow(endpoint, pathOf(target.model.upstreamName, apiVersion, path), credentialHeaders(target));
}

/** The v1 form has no dated version and finds the deployment by the body's `model`; dated versions have it in the path. */
function pathOf(deployment: string, apiVersion: string | undefined, path: string): string {
  if (apiVersion === undefined || apiVersion === 'v1') return `/openai/v1${path}`;
  if (apiVersion === 'preview') return `/openai/v1${path}?api-version=preview`;
  const version = encodeURIComponent(apiVersion);
  return `/openai/deployments/${encodeURIComponent(deployment)}${path}?api-version=${version}`;
}
