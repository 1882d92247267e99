// The columns of docs/dialects.md: each provider type, by its wires; and the gateway before all of them.
import type { Dialect } from '#core/chat/dialect.ts';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { type Gateway, startGateway } from '#test/support/gateway.ts';
import { startGoogleMetadata } from '#test/support/google-metadata.ts';
import {
  type ProviderKind,
  patient,
  provider,
  providerSecret,
  type Resource,
  route,
  tenantKey,
  yamlOf,
} from '#test/support/resources.ts';

export type Target = {
  readonly name: string;
  readonly type: ProviderKind;
  readonly title: string;
  /** Upstream names: an ordinary model, and one that reasons. */
  readonly model: string;
  readonly thinker: string;
  /** Who made the model, for what it alone can read; absent: nobody who signs. */
  readonly maker?: 'openai' | 'anthropic' | 'google';
  /** It tells what it thinks. */
  readonly showsThinking: boolean;
  /** Bodies of these dialects pass through to it; all others are translated. */
  readonly speaks: readonly Dialect[];
  readonly spec?: Readonly<Record<string, unknown>>;
};

export const targets: readonly Target[] = [
  {
    name: 'openai',
    type: 'OpenAI',
    title: 'OpenAI',
    model: 'gpt-4o',
    thinker: 'gpt-5-mini',
    maker: 'openai',
    showsThinking: false,
    speaks: ['openai-chat', 'openai-responses'],
  },
  {
    name: 'openai-responses',
    type: 'OpenAI',
    title: 'OpenAI, Responses alone',
    model: 'gpt-4o',
    thinker: 'gpt-5-pro',
    maker: 'openai',
    showsThinking: true,
    speaks: ['openai-responses'],
    spec: { openAI: { dialects: ['Responses'] } },
  },
  {
    name: 'azure',
    type: 'AzureOpenAI',
    title: 'Azure OpenAI',
    model: 'gpt-4o',
    thinker: 'gpt-5-mini',
    maker: 'openai',
    showsThinking: false,
    speaks: ['openai-chat', 'openai-responses'],
  },
  {
    name: 'anthropic',
    type: 'Anthropic',
    title: 'Anthropic',
    model: 'claude-sonnet-4-5',
    thinker: 'claude-opus-4-5',
    maker: 'anthropic',
    showsThinking: true,
    speaks: ['anthropic-messages'],
  },
  {
    name: 'gemini',
    type: 'Gemini',
    title: 'Gemini',
    model: 'gemini-3.5-flash',
    thinker: 'gemini-3.8-flash',
    maker: 'google',
    showsThinking: true,
    speaks: ['gemini'],
  },
  {
    name: 'vertex-claude',
    type: 'Gemini',
    title: 'Vertex AI, Claude',
    model: 'claude-sonnet-4-5@20250929',
    thinker: 'claude-opus-4-5@20251101',
    maker: 'anthropic',
    showsThinking: true,
    speaks: ['anthropic-messages'],
  },
  {
    name: 'bedrock-nova',
    type: 'Bedrock',
    title: 'Bedrock, Nova',
    model: 'us.amazon.nova-2-lite-v1:0',
    thinker: 'global.amazon.nova-2-lite-v1:0',
    showsThinking: true,
    speaks: ['bedrock-converse'],
  },
  {
    name: 'bedrock-claude',
    type: 'Bedrock',
    title: 'Bedrock, Claude',
    model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
    thinker: 'global.anthropic.claude-opus-4-5-20251101-v1:0',
    maker: 'anthropic',
    showsThinking: true,
    speaks: ['anthropic-messages', 'bedrock-converse'],
  },
  {
    name: 'compatible',
    type: 'OpenAICompatible',
    title: 'OpenAICompatible',
    model: 'llama-3.3-70b',
    thinker: 'gpt-oss-120b',
    showsThinking: false,
    speaks: ['openai-chat', 'openai-completions'],
  },
  {
    name: 'vllm',
    type: 'VLLM',
    title: 'vLLM',
    model: 'tiny',
    thinker: 'qwen3-8b',
    showsThinking: true,
    speaks: ['openai-chat', 'openai-responses', 'openai-completions', 'anthropic-messages'],
  },
];

/** An ordinary model, one that reasons, or one all of whose answers have the simulator's fault of this name. */
export type ModelKind = 'model' | 'thinker' | { readonly fault: string };

/** `strict`: what a target cannot take is refused. */
export type Manner = 'drop' | 'strict';

const nameOfKind = (kind: ModelKind): string => (typeof kind === 'string' ? kind : kind.fault.replaceAll(/[^a-z0-9-]/g, '-'));

export const publicName = (target: Target, kind: ModelKind, manner: Manner = 'drop'): string =>
  `${target.name}-${nameOfKind(kind)}-${manner}`;

const upstreamName = (target: Target, kind: ModelKind): string =>
  typeof kind === 'string' ? target[kind] : `${target.model}!${kind.fault}`;

/** Dollars for a million tokens. A written token is as dear as another: not every dialect tells these apart. */
export const price = { inputPerMTok: '1', cachedInputPerMTok: '0.1', cacheWritePerMTok: '1', outputPerMTok: '2' };

export type Stage = {
  readonly gateway: Gateway;
  behind(target: Target): Simulator;
  close(): Promise<void>;
};

type Setting = {
  readonly faults?: readonly string[];
  readonly manners?: readonly Manner[];
  /** Of every provider. */
  readonly spec?: Readonly<Record<string, unknown>>;
};

export async function openStage({ faults = [], manners = ['drop'], spec = {} }: Setting = {}): Promise<Stage> {
  const kinds: readonly ModelKind[] = ['model', 'thinker', ...faults.map(fault => ({ fault }))];
  const engines = targets.filter(({ type }) => type === 'VLLM');
  const hosted = await startSimulator();
  const engine = await startSimulator({
    wire: 'vllm',
    models: engines.flatMap(one => kinds.map(kind => upstreamName(one, kind))),
  });
  const behind = ({ type }: Target) => (type === 'VLLM' ? engine : hosted);
  // Vertex AI takes no key.
  const metadata = await startGoogleMetadata('lent-token');
  const close = async () => {
    metadata.close();
    await hosted.close();
    await engine.close();
  };
  try {
    const resources = targets.flatMap(target =>
      manners.flatMap(manner => kinds.flatMap(kind => resourcesOf(target, kind, manner, behind(target).origin, spec))),
    );
    const gateway = await startGateway({
      yaml: yamlOf(providerSecret, tenantKey(), resources),
      env: { GCE_METADATA_HOST: metadata.host },
    });
    const closeAll = async () => {
      await gateway.stop();
      await close();
    };
    return { gateway, behind, close: closeAll };
  } catch (error) {
    await close();
    throw error;
  }
}

const capabilities = ['Chat', 'Tools', 'Vision', 'JSONSchema', 'Reasoning'];

function resourcesOf(
  target: Target,
  kind: ModelKind,
  manner: Manner,
  origin: string,
  spec: NonNullable<Setting['spec']>,
): Resource[] {
  const name = publicName(target, kind, manner);
  const model = { name, upstreamName: upstreamName(target, kind), capabilities, price };
  const parameters = { dropUnsupported: manner === 'drop' };
  return [
    provider(name, target.type, origin, [model], { ...specOf(target, origin), parameters, ...spec }),
    route(name, name, [name], { retries: { attempts: 0 } }),
  ];
}

function specOf({ type, name, spec = {} }: Target, origin: string): Record<string, unknown> {
  const own: Partial<Record<ProviderKind, object>> = {
    OpenAI: { openAI: { baseURL: `${origin}/v1`, ...(spec.openAI as object) } },
    // The v1 API: chat and Responses.
    AzureOpenAI: { azureOpenAI: { endpoint: origin } },
    ...(name.startsWith('vertex') && {
      Gemini: { auth: undefined, gemini: { baseURL: origin, vertex: { project: 'my-project', location: 'europe-west4' } } },
    }),
    VLLM: { vLLM: { endpoints: [origin] }, probes: { interval: '60s', staleAfter: '10m' } },
  };
  return { ...patient, ...own[type] };
}
