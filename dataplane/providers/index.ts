// The table of provider types. A type of the resources' enum that has no adapter yet is `undefined` here, said on purpose.
import type { Connection, ProviderType } from '#core/snapshot/snapshot.ts';
import { anthropic } from './anthropic/index.ts';
import { azureOpenAI } from './azure-openai/index.ts';
import { openAI } from './openai/index.ts';
import { openAICompatible } from './openai-compatible/index.ts';
import type { Provider } from './provider.ts';
import { vllm } from './vllm/index.ts';

type Adapters = { readonly [T in ProviderType]: Provider<Extract<Connection, { type: T }>> | undefined };

const adapters = {
  OpenAI: openAI,
  Anthropic: anthropic,
  AzureOpenAI: azureOpenAI,
  OpenAICompatible: openAICompatible,
  VLLM: vllm,
  Gemini: undefined,
  Bedrock: undefined,
} satisfies Adapters;

/** An adapter gets only targets of its own connection type: the table's key is that type. */
export const providers: Readonly<Record<ProviderType, Provider | undefined>> = adapters;

export const served: ReadonlySet<ProviderType> = new Set(
  (Object.keys(adapters) as ProviderType[]).filter(type => adapters[type]),
);
