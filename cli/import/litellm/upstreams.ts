// LiteLLM's providers, by the prefix of `model` (docs.litellm.ai, "Providers"): which type of ours speaks their wire, where they are, and
// which variable LiteLLM takes their key from where the file names none.
export type Upstream = {
  readonly type: 'OpenAI' | 'Anthropic' | 'AzureOpenAI' | 'Gemini' | 'Bedrock' | 'OpenAICompatible' | 'VLLM';
  /** Its public address; absent: `api_base` is required, or the type knows its own. */
  readonly base?: string;
  readonly keyVariable?: string;
  /** LiteLLM speaks a wire of its own to it, at the root; OpenAI's is below. */
  readonly path?: '/v1';
};

const compatible = (base?: string, keyVariable?: string): Upstream => ({
  type: 'OpenAICompatible',
  ...(base && { base }),
  ...(keyVariable && { keyVariable }),
});

const upstreams: Readonly<Record<string, Upstream>> = {
  __proto__: null as never,
  openai: { type: 'OpenAI', keyVariable: 'OPENAI_API_KEY' },
  anthropic: { type: 'Anthropic', keyVariable: 'ANTHROPIC_API_KEY' },
  azure: { type: 'AzureOpenAI', keyVariable: 'AZURE_API_KEY' },
  gemini: { type: 'Gemini', keyVariable: 'GEMINI_API_KEY' },
  bedrock: { type: 'Bedrock' },
  hosted_vllm: { type: 'VLLM' },
  vllm: { type: 'VLLM' },
  ollama: { type: 'OpenAICompatible', base: 'http://localhost:11434', path: '/v1' },
  ollama_chat: { type: 'OpenAICompatible', base: 'http://localhost:11434', path: '/v1' },
  lm_studio: compatible(),
  llamafile: compatible('http://127.0.0.1:8080/v1'),
  openai_like: compatible(),
  custom_openai: compatible(),
  litellm_proxy: compatible(undefined, 'LITELLM_PROXY_API_KEY'),
  cerebras: compatible('https://api.cerebras.ai/v1', 'CEREBRAS_API_KEY'),
  deepinfra: compatible('https://api.deepinfra.com/v1/openai', 'DEEPINFRA_API_KEY'),
  deepseek: compatible('https://api.deepseek.com/v1', 'DEEPSEEK_API_KEY'),
  fireworks_ai: compatible('https://api.fireworks.ai/inference/v1', 'FIREWORKS_API_KEY'),
  groq: compatible('https://api.groq.com/openai/v1', 'GROQ_API_KEY'),
  mistral: compatible('https://api.mistral.ai/v1', 'MISTRAL_API_KEY'),
  nvidia_nim: compatible('https://integrate.api.nvidia.com/v1', 'NVIDIA_NIM_API_KEY'),
  openrouter: compatible('https://openrouter.ai/api/v1', 'OPENROUTER_API_KEY'),
  perplexity: compatible('https://api.perplexity.ai', 'PERPLEXITYAI_API_KEY'),
  sambanova: compatible('https://api.sambanova.ai/v1', 'SAMBANOVA_API_KEY'),
  together_ai: compatible('https://api.together.xyz/v1', 'TOGETHERAI_API_KEY'),
  xai: compatible('https://api.x.ai/v1', 'XAI_API_KEY'),
};

/** Models that LiteLLM knows without a prefix; it has a list of them, of which these are the families. */
const families: readonly (readonly [pattern: RegExp, provider: string])[] = [
  [/^(gpt-|chatgpt-|o\d|text-embedding-)/, 'openai'],
  [/^claude-/, 'anthropic'],
  [/^gemini-/, 'vertex_ai'],
  [/^(command|embed-)/, 'cohere'],
];

export type NamedModel = { readonly provider: string; readonly model: string };

/** `azure/my-deployment`, `gpt-4o`; the provider that is named apart wins, as in LiteLLM. */
export function namedModel(model: string, custom: string | undefined): NamedModel {
  const slash = model.indexOf('/');
  const prefix = slash < 0 ? undefined : model.slice(0, slash);
  if (custom !== undefined) return { provider: custom, model: prefix === custom ? model.slice(slash + 1) : model };
  if (prefix !== undefined) return { provider: prefix, model: model.slice(slash + 1) };
  return { provider: families.find(([pattern]) => pattern.test(model))?.[1] ?? model, model };
}

export const upstreamOf = (provider: string): Upstream | undefined => upstreams[provider];

export type Place = {
  readonly base?: string | undefined;
  readonly version?: string | undefined;
  readonly organization?: string | undefined;
  readonly region?: string | undefined;
};

export type Connection = { readonly type: Upstream['type']; readonly block: Readonly<Record<string, unknown>> };

/** The type and its block of settings; or which field of LiteLLM's is missing. */
export function connectionOf({ type, base: known, path }: Upstream, place: Place): Connection | { readonly missing: string } {
  const given = place.base?.replace(/\/+$/, '') ?? known;
  const base = given === undefined || !path || given.endsWith(path) ? given : `${given}${path}`;
  switch (type) {
    case 'OpenAI':
      return openAI(base, place.organization);
    case 'Anthropic':
      return { type, block: base ? { anthropic: { baseURL: base.replace(/\/v1(\/messages)?$/, '') } } : {} };
    case 'Gemini':
      return { type, block: base ? { gemini: { baseURL: base } } : {} };
    case 'Bedrock':
      if (!place.region) return { missing: 'aws_region_name' };
      return { type, block: { bedrock: { region: place.region, ...(base && { endpoint: base }) } } };
    case 'AzureOpenAI':
      if (!base) return { missing: 'api_base' };
      return { type, block: { azureOpenAI: { endpoint: base, ...(place.version && { apiVersion: place.version }) } } };
    case 'VLLM':
      if (!base) return { missing: 'api_base' };
      return { type, block: { vLLM: { endpoints: [base.replace(/\/v1$/, '')] } } };
    case 'OpenAICompatible':
      if (!base) return { missing: 'api_base' };
      return { type, block: { openAICompatible: { baseURL: base } } };
  }
}

/** `openai/` with another address is LiteLLM's way to name any server that speaks OpenAI's wire. */
function openAI(base: string | undefined, organization: string | undefined): Connection {
  if (base !== undefined && new URL(base).hostname !== 'api.openai.com')
    return { type: 'OpenAICompatible', block: { openAICompatible: { baseURL: base } } };
  const settings = { ...(base && { baseURL: base }), ...(organization && { organization }) };
  return { type: 'OpenAI', block: Object.keys(settings).length > 0 ? { openAI: settings } : {} };
}
