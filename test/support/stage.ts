// What the client suites play on: one gateway in front of the simulator, with each provider type under model names of its own.

import assert from 'node:assert/strict';
import { type Simulator, startSimulator } from '#simulator/index.ts';
import { startGateway } from './gateway.ts';
import { type ProviderKind, patient, provider, providerSecret, type Resource, route, tenantKey, yamlOf } from './resources.ts';

export type Target = {
  readonly type: ProviderKind;
  /** Of the provider, and how its models' public names begin. */
  readonly name: string;
  /** Public names: an ordinary model and one that reasons. */
  readonly model: string;
  readonly thinker: string;
  readonly wire: 'openai' | 'anthropic' | 'gemini' | 'bedrock';
  /** What this type's wire can show; where it cannot, the tests assert what is done instead. */
  readonly showsThinking: boolean;
  readonly hasLogprobs: boolean;
  readonly takesDocuments: boolean;
  /** What is left out on the way to it, as the response header names it. */
  readonly lacks?: readonly ('parallel_tool_calls' | 'response_format')[];
  readonly countsThinking?: false;
};

const target = (
  type: ProviderKind,
  traits: Omit<Target, 'type' | 'name' | 'model' | 'thinker'>,
  name = type.toLowerCase(),
): Target => ({ type, name, model: `${name}-chat`, thinker: `${name}-thinker`, ...traits });

export const targets: readonly Target[] = [
  target('OpenAI', { wire: 'openai', showsThinking: false, hasLogprobs: true, takesDocuments: true }),
  target('Anthropic', { wire: 'anthropic', showsThinking: true, hasLogprobs: false, takesDocuments: true }),
  target('AzureOpenAI', { wire: 'openai', showsThinking: false, hasLogprobs: true, takesDocuments: true }),
  target('Bedrock', {
    wire: 'bedrock',
    showsThinking: true,
    hasLogprobs: false,
    takesDocuments: true,
    lacks: ['parallel_tool_calls', 'response_format'],
    countsThinking: false,
  }),
  target('Bedrock', { wire: 'anthropic', showsThinking: true, hasLogprobs: false, takesDocuments: true }, 'bedrock-claude'),
  target('Gemini', {
    wire: 'gemini',
    showsThinking: true,
    hasLogprobs: false,
    takesDocuments: true,
    lacks: ['parallel_tool_calls'],
  }),
  target('OpenAICompatible', { wire: 'openai', showsThinking: false, hasLogprobs: true, takesDocuments: false }),
  target('VLLM', { wire: 'openai', showsThinking: true, hasLogprobs: true, takesDocuments: false, countsThinking: false }),
];

const engineModels = ['tiny', 'qwen3-8b'] as const;
const upstreamModels: Readonly<Record<string, readonly [chat: string, thinker: string]>> = {
  openai: ['gpt-4o', 'gpt-5-mini'],
  anthropic: ['claude-sonnet-4-5', 'claude-opus-5'],
  azureopenai: ['gpt-4o', 'gpt-5-mini'],
  bedrock: ['us.amazon.nova-2-lite-v1:0', 'global.amazon.nova-2-lite-v1:0'],
  'bedrock-claude': ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'global.anthropic.claude-opus-4-6-v1'],
  gemini: ['gemini-3.5-flash', 'gemini-3.8-flash'],
  openaicompatible: ['llama-3.3-70b', 'gpt-oss-120b'],
  vllm: engineModels,
};

export type Stage = {
  readonly url: string;
  readonly hosted: Simulator;
  readonly engine: Simulator;
  /** The simulator that stands behind a target. */
  readonly behind: (target: Target) => Simulator;
  readonly logs: () => string;
  readonly close: () => Promise<void>;
};

const capabilities = ['Chat', 'Tools', 'Vision', 'JSONSchema', 'Reasoning'];

/** What a target lacks is named to the client. */
export function assertDropped({ headers }: Response, name: string): void {
  assert.ok(headers.get('x-tollgate-dropped')?.split(', ').includes(name), String(headers.get('x-tollgate-dropped')));
}

/** A model of a target whose every answer has the simulator's fault of this name. */
export const faulty = (target: Target, fault: string): string => `${target.name}-${fault.replaceAll(/[^a-z0-9-]/gi, '-')}`;

export async function openStage(
  faults: readonly string[] = [],
  more: (stage: { origin: string }) => readonly Resource[] = () => [],
): Promise<Stage> {
  const hosted = await startSimulator();
  const engine = await startSimulator({
    wire: 'vllm',
    models: [...engineModels, ...faults.map(fault => `${engineModels[0]}!${fault}`)],
  });
  const gateway = await startGateway({
    yaml: yamlOf(
      providerSecret,
      tenantKey(),
      targets.flatMap(one => resourcesFor(one, { hosted, engine }, faults)),
      more({ origin: hosted.origin }),
    ),
  });
  return {
    url: gateway.url,
    hosted,
    engine,
    behind: ({ type }) => (type === 'VLLM' ? engine : hosted),
    logs: gateway.logs,
    async close() {
      await gateway.stop();
      await hosted.close();
      await engine.close();
    },
  };
}

function resourcesFor(one: Target, simulators: { hosted: Simulator; engine: Simulator }, faults: readonly string[]): Resource[] {
  const { name } = one;
  const [chat, thinker] = upstreamModels[name]!;
  const models = [
    { name: one.model, upstreamName: chat, capabilities },
    { name: one.thinker, upstreamName: thinker, capabilities },
  ];
  const origin = one.type === 'VLLM' ? simulators.engine.origin : simulators.hosted.origin;
  const spec = {
    timeouts: { firstToken: '5s', streamIdle: '5s', request: '10s' },
    ...patient,
    // Looks at many providers, four times a second, would push the requests out of the simulator's memory.
    ...(one.type === 'VLLM' && { probes: { interval: '60s', staleAfter: '10m' } }),
  };
  const routeTo = (backend: string) => (model: { readonly name: string }) =>
    route(model.name, model.name, [backend], { retries: { attempts: 0 } });
  return [
    provider(name, one.type, origin, models, spec),
    ...models.map(routeTo(name)),
    // A provider for each fault: one that closes its account to us is not asked again, for whatever model.
    ...faults.flatMap(fault => {
      const model = { name: faulty(one, fault), upstreamName: `${chat}!${fault}`, capabilities };
      return [provider(model.name, one.type, origin, [model], spec), routeTo(model.name)(model)];
    }),
  ];
}

// A 1x1 PNG, and the smallest text that calls itself a PDF.
export const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const pdf = Buffer.from('%PDF-1.4\n%%EOF\n').toString('base64');

export const weatherSchema = {
  type: 'object',
  properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
  required: ['city', 'unit'],
  additionalProperties: false,
} as const;

export const personSchema = {
  type: 'object',
  properties: { name: { type: 'string' }, age: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
  required: ['name', 'age', 'tags'],
  additionalProperties: false,
} as const;
