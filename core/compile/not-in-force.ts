// The fields that are accepted and do nothing yet. A verdict names those that an object sets, so that none is silently ignored.
// Whoever builds the behaviour deletes the line.
import type { Kind } from '../resources/index.ts';

/** `[]` stands for every item of a list. `needsCluster`: it is in force there. */
type Later = { readonly path: string; readonly needsCluster?: true };

const later: Readonly<Record<Kind, readonly Later[]>> = {
  LLMProvider: [
    { path: 'vLLM.serviceRef', needsCluster: true },
    { path: 'vLLM.podSelector', needsCluster: true },
  ],
  LLMRoute: [],
  TenantKey: [{ path: 'rotation', needsCluster: true }],
};

/** Paths below the object, such as `spec.limits`, of what `spec` sets. */
export function notInForce(kind: Kind, spec: unknown, standalone: boolean): readonly string[] {
  const asksFor = ({ path }: Later) => valuesAt(spec, path.split('.')).length > 0;
  return later[kind].filter(field => (standalone || !field.needsCluster) && asksFor(field)).map(({ path }) => `spec.${path}`);
}

function valuesAt(value: unknown, [step, ...rest]: readonly string[]): readonly unknown[] {
  if (step === undefined) return value === undefined ? [] : [value];
  if (typeof value !== 'object' || value === null) return [];
  const name = step.replace('[]', '');
  const child = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
  if (!step.endsWith('[]')) return valuesAt(child, rest);
  return Array.isArray(child) ? child.flatMap(item => valuesAt(item, rest)) : [];
}
