// What a target of the OpenAI dialect can take: the differences between the providers that speak it, as data.
import type { Effort } from '#core/chat/request.ts';
import type { ModelEntry } from '#core/snapshot/snapshot.ts';

export type Profile = {
  /** The provider's type, as refusals name it. */
  readonly target: string;
  readonly topK: boolean;
  /** Takes PDF as `file` parts. */
  readonly files: boolean;
  readonly stopMax: number;
  /** Gives its reasoning sealed, to those who keep it themselves (`reasoning.encrypted_content`). */
  readonly sealsReasoning: boolean;
  /** `service_tier` is the same in both of OpenAI's dialects. */
  readonly serviceTiers: boolean;
  modelTraits(model: ModelEntry): ModelTraits;
};

export type ModelTraits = {
  readonly maxTokens: 'max_tokens' | 'max_completion_tokens';
  /** What `reasoning_effort` may be, from little to much; empty where the model does not reason. */
  readonly efforts: readonly Effort[];
  /** Refuses sampling parameters, logprobs and stop sequences while it reasons (OpenAI's reasoning models). */
  readonly samplesFreely: boolean;
};

const chatModel: ModelTraits = { maxTokens: 'max_tokens', efforts: [], samplesFreely: true };
const reasoning = (...efforts: Effort[]): ModelTraits => ({ maxTokens: 'max_completion_tokens', efforts, samplesFreely: false });

type Family = { readonly name: RegExp; readonly traits: ModelTraits };

/**
 * OpenAI's families by name. The list of those before the reasoning models is closed: a name that is not in it is of a newer
 * family, and those take `max_completion_tokens` only.
 */
const families: readonly Family[] = [
  { name: /^(?:gpt-3|gpt-4|chatgpt-)/, traits: chatModel },
  { name: /^o\d/, traits: reasoning('low', 'medium', 'high') },
  { name: /^gpt-5(?:-|$)/, traits: reasoning('minimal', 'low', 'medium', 'high') },
  { name: /^gpt-5\.1/, traits: reasoning('none', 'low', 'medium', 'high') },
  { name: /^(?:gpt-|codex-)/, traits: reasoning('none', 'low', 'medium', 'high', 'xhigh') },
];

function familyOf({ upstreamName }: ModelEntry): ModelTraits | undefined {
  const base = upstreamName.toLowerCase().replace(/^ft:/, '');
  return families.find(({ name }) => name.test(base))?.traits;
}

/** Models by the wire that OpenAI serves them on, where that is not the chat wire. */
const textModels = /^(?:gpt-3\.5-turbo-instruct|davinci-002|babbage-002)/;
const responsesModels = /^(?:o\d-pro|gpt-5(?:\.\d+)?-(?:pro|codex)|codex-|o\d(?:-mini)?-deep-research|computer-use-)/;

/** On which wires OpenAI serves a model, its own first. */
export function wiresOfModel({ upstreamName }: ModelEntry): 'conversation' | 'responses-only' | 'text' {
  const base = upstreamName.toLowerCase().replace(/^ft:/, '');
  if (responsesModels.test(base)) return 'responses-only';
  return textModels.test(base) ? 'text' : 'conversation';
}

/** Every model that reasons knows these three. */
const commonEfforts = (model: ModelEntry): readonly Effort[] =>
  model.capabilities.includes('Reasoning') ? ['low', 'medium', 'high'] : [];

/** A name of no known family, at OpenAI or Azure (where deployments are named freely). */
const unknownModel = (model: ModelEntry): ModelTraits => ({
  maxTokens: 'max_completion_tokens',
  efforts: commonEfforts(model),
  samplesFreely: !model.capabilities.includes('Reasoning'),
});

export const openAIProfile: Profile = {
  target: 'OpenAI',
  topK: false,
  files: true,
  // "Up to 4 sequences", says OpenAI's reference; more is answered 400.
  stopMax: 4,
  sealsReasoning: true,
  serviceTiers: true,
  modelTraits: model => familyOf(model) ?? unknownModel(model),
};

/** All Azure models of today take `max_completion_tokens`, and a deployment's name need not tell the model. */
export const azureProfile: Profile = {
  ...openAIProfile,
  target: 'AzureOpenAI',
  modelTraits: model => ({ ...openAIProfile.modelTraits(model), maxTokens: 'max_completion_tokens' }),
};

/** Servers that speak the dialect: the older name of a field is the one that all of them know. */
export const compatibleProfile: Profile = {
  target: 'OpenAICompatible',
  // Some take it, the strict ones (Groq, Mistral) answer 400; `parameters.set` gives it to those that do.
  topK: false,
  files: false,
  stopMax: 64,
  sealsReasoning: false,
  serviceTiers: false,
  modelTraits: model => ({ ...chatModel, efforts: commonEfforts(model) }),
};
