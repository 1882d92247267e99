// The providers of the bundled configuration without any key in the environment: the simulator stands in for all of them.
import type { SourceObject } from '#core/compile/index.ts';

const FROM_ENVIRONMENT = /\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g;

/** Names of the environment variables that Secrets take values from. */
export function environmentNames(objects: readonly SourceObject[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { value } of objects) {
    if (!isRecord(value) || value.kind !== 'Secret' || !isRecord(value.stringData)) continue;
    for (const text of Object.values(value.stringData))
      for (const [, name] of String(text).matchAll(FROM_ENVIRONMENT)) names.add(name!);
  }
  return names;
}

/** The same objects with every provider's address at the simulator. */
export function simulated(objects: readonly SourceObject[], origin: string): readonly SourceObject[] {
  return objects.map(object => {
    const { value } = object;
    if (!isRecord(value) || value.kind !== 'LLMProvider' || !isRecord(value.spec)) return object;
    const spec = { ...value.spec, ...addressAt(origin, String(value.spec.type), value.spec) };
    return { ...object, value: { ...value, spec } };
  });
}

function addressAt(origin: string, type: string, spec: Record<string, unknown>): Record<string, unknown> {
  const block = (name: string, fields: Record<string, unknown>) => ({
    [name]: { ...(spec[name] as object | undefined), ...fields },
  });
  switch (type) {
    case 'OpenAI':
      return block('openAI', { baseURL: `${origin}/v1` });
    case 'Anthropic':
      return block('anthropic', { baseURL: origin });
    case 'AzureOpenAI':
      return block('azureOpenAI', { endpoint: origin });
    case 'Gemini':
      return block('gemini', { baseURL: origin });
    case 'Bedrock':
      return block('bedrock', { endpoint: origin });
    case 'OpenAICompatible':
      return block('openAICompatible', { baseURL: `${origin}/v1` });
    case 'VLLM':
      return block('vLLM', { endpoints: [`${origin}/vllm`] });
    default:
      return {};
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
