// What compile needs to have at hand before it runs: asked of the raw objects, because compile itself fetches nothing.
import { API_VERSION } from '../resources/index.ts';
import { readSpec } from '../resources/read.ts';
import type { SourceObject } from './objects.ts';
import { pricesExtrasAlone } from './prices.ts';

type Loose = { readonly [field: string]: unknown };
const fieldsOf = (value: unknown): Loose => (typeof value === 'object' && value !== null ? (value as Loose) : {});

function* specsOf(kind: string, objects: readonly SourceObject[]): Generator<{ readonly metadata: Loose; readonly spec: Loose }> {
  for (const { value } of objects) {
    const { apiVersion, kind: actual, metadata, spec } = fieldsOf(value);
    if (apiVersion === API_VERSION && actual === kind) yield { metadata: fieldsOf(metadata), spec: fieldsOf(spec) };
  }
}

/** Does any model leave its price or its limits to the bundled catalogue? */
export function needsCatalogue(objects: readonly SourceObject[]): boolean {
  for (const { spec } of specsOf('LLMProvider', objects)) {
    const models = Array.isArray(spec.models) ? spec.models.map(fieldsOf) : [];
    const leaves = (price: unknown) => price === undefined || pricesExtrasAlone(fieldsOf(price));
    if (models.some(({ price, contextWindow }) => leaves(price) || contextWindow === undefined)) return true;
  }
  return false;
}

/** A key that is to be made; `id` is what `CompileInput.generated` is looked up by. */
export type KeyRequest = { readonly id: string; readonly secretName: string; readonly prefix: string; readonly bytes: number };

export function keysToGenerate(objects: readonly SourceObject[]): readonly KeyRequest[] {
  const requests: KeyRequest[] = [];
  for (const { metadata, spec } of specsOf('TenantKey', objects)) {
    if (spec.generate === undefined) continue;
    const read = readSpec('TenantKey', spec);
    if (read.ok && read.value.generate)
      requests.push({ id: `${metadata.namespace ?? 'default'}/${metadata.name}`, ...read.value.generate });
  }
  return requests;
}
