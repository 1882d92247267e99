// Azure OpenAI: the same dialect at other addresses. The `api-key` header comes from the resource's `auth.header` (its default for
// this type).
import type { Connection } from '#core/snapshot/snapshot.ts';
import {
  addressBelow,
  azureProfile,
  CHAT_COMPLETIONS,
  confidenceOf,
  credentialHeaders,
  encodeFor,
  openAIDialect,
} from '../openai/index.ts';
import type { Provider } from '../provider.ts';

type AzureOpenAI = Extract<Connection, { type: 'AzureOpenAI' }>;

export const azureOpenAI: Provider<AzureOpenAI> = {
  ...openAIDialect,
  tokenizer: 'own',
  address(target) {
    const { endpoint, apiVersion } = target.provider.connection;
    return addressBelow(endpoint, pathOf(target.model.upstreamName, apiVersion), credentialHeaders(target));
  },
  encode: encodeFor(azureProfile),
  confidence: confidenceOf(azureProfile),
  takesTemperature: model => azureProfile.modelTraits(model).samplesFreely,
};

/** The v1 form has no dated version and finds the deployment by the body's `model`; dated versions have it in the path. */
function pathOf(deployment: string, apiVersion: string | undefined): string {
  if (apiVersion === undefined || apiVersion === 'v1') return `/openai/v1${CHAT_COMPLETIONS}`;
  if (apiVersion === 'preview') return `/openai/v1${CHAT_COMPLETIONS}?api-version=preview`;
  const version = encodeURIComponent(apiVersion);
  return `/openai/deployments/${encodeURIComponent(deployment)}${CHAT_COMPLETIONS}?api-version=${version}`;
}
