// What objects name that has to be looked up in the cluster, read from their raw specs: what is not there, or not of the right form, is
// for compile to complain about.
import type { OurObject } from '../resources.ts';

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});
const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : []);

/** `namespace/name` of the Secrets that providers, keys and the hooks of routes need. */
export function* referencedSecrets(
  providers: Iterable<OurObject>,
  keys: Iterable<OurObject>,
  routes: Iterable<OurObject>,
): Generator<string> {
  for (const { metadata, spec } of providers) {
    const name = textOf(fieldsOf(fieldsOf(spec?.auth).secretRef).name);
    if (name !== undefined) yield `${metadata.namespace}/${name}`;
  }
  for (const { metadata, spec } of keys) {
    const name = textOf(fieldsOf(spec?.secretRef).name) ?? textOf(fieldsOf(spec?.generate).secretName);
    if (name !== undefined) yield `${metadata.namespace}/${name}`;
  }
  for (const { metadata, spec } of routes)
    for (const { http } of listOf(spec?.hooks))
      for (const { secretRef } of listOf(fieldsOf(http).headers)) {
        const name = textOf(fieldsOf(secretRef).name);
        if (name !== undefined) yield `${metadata.namespace}/${name}`;
      }
}

/** How a provider's engines are found; undefined: it lists them, or is no engine. */
export type EngineSource =
  | { readonly kind: 'service'; readonly service: string; readonly port: number }
  | { readonly kind: 'pods'; readonly labels: Readonly<Record<string, string>>; readonly port: number };

export function engineSource({ metadata, spec }: OurObject): EngineSource | undefined {
  const { serviceRef, podSelector, port } = fieldsOf(spec?.vLLM);
  const service = fieldsOf(serviceRef);
  if (textOf(service.name) !== undefined)
    return { kind: 'service', service: `${metadata.namespace}/${service.name}`, port: Number(service.port) };
  if (podSelector === undefined) return undefined;
  const labels = fieldsOf(fieldsOf(podSelector).matchLabels) as Readonly<Record<string, string>>;
  return { kind: 'pods', labels, port: Number(port) };
}
