// The key store in a cluster: TenantKeys of the API server. An answer to a change comes when every pod serves it, or after a while; one
// that would not be sound is taken back.
import { setTimeout as pause } from 'node:timers/promises';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { readResource, readSpec } from '#core/resources/read.ts';
import { epochMillis } from '#core/units.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import { isKubeError } from '#platform/kube/errors.ts';
import { nameOf } from '#platform/kube/resource.ts';
import type { KeyChange, KeyObject, KeyStore } from '../../dataplane/ports.ts';
import { type OurObject, ourResources } from '../resources.ts';
import type { Source } from '../runtime/source.ts';

export type KeyObjectsOptions = {
  readonly client: KubeClient;
  readonly keys: Source<OurObject>;
  readonly now: () => number;
};

const UPDATED_AT = 'tollgate.dev/updated-at';
const CONFLICTS = 5;
const IN_FORCE_MS = 5_000;
const LOOK_MS = 20;

export function keyObjects(options: KeyObjectsOptions): KeyStore {
  const { client, keys, now } = options;
  const tenantKeys = ourResources.TenantKey;
  const stamp = (annotations: KeyChange['annotations'], before: OurObject['metadata']['annotations'] = {}) =>
    withoutAbsent({ ...before, ...annotations, [UPDATED_AT]: new Date(now()).toISOString() });
  const isAliasTaken = (alias: unknown, id: string) =>
    alias !== undefined && [...keys.objects].some(([other, { spec }]) => other !== id && spec?.alias === alias);

  return {
    list: () => [...keys.objects.values()].flatMap(keyObject),

    create: ({ namespace, name, spec, annotations }) =>
      answering(async () => {
        const id = `${namespace}/${name}`;
        if (isAliasTaken(spec.alias, id)) return aliasTaken(spec.alias);
        const made = await client.create<OurObject>(tenantKeys, {
          metadata: { namespace, name, annotations: stamp(annotations) },
          spec,
        });
        const objection = await objectionTo(made, keys);
        if (objection === undefined) return found(made);
        await client.delete(tenantKeys, { namespace, name }, { preconditions: { uid: made.metadata.uid! } });
        return refuse('invalid_request', { message: objection });
      }),

    update: (id, change) =>
      answering(async () => {
        const before = await client.find<OurObject>(tenantKeys, nameOf(id));
        const key = before && keyObject(before)[0];
        if (!key) return refuse('not_found', { message: `There is no key ${id}.` });
        const wanted = change(key);
        if (!wanted.ok) return wanted;
        if (isAliasTaken(wanted.value.spec.alias, id)) return aliasTaken(wanted.value.spec.alias);
        const { metadata } = before;
        const annotations = stamp(wanted.value.annotations, metadata.annotations);
        const spec = withoutAbsent({ ...before.spec, ...wanted.value.spec });
        const after = await client.replace<OurObject>(tenantKeys, { ...before, metadata: { ...metadata, annotations }, spec });
        const objection = await objectionTo(after, keys);
        if (objection === undefined) return found(after);
        await client.replace(tenantKeys, { ...after, spec: before.spec ?? {} });
        return refuse('invalid_request', { message: objection });
      }),

    delete: id =>
      answering(async () => {
        const before = await client.find<OurObject>(tenantKeys, nameOf(id));
        const key = before && keyObject(before)[0];
        if (!key) return refuse('not_found', { message: `There is no key ${id}.` });
        await client.delete(tenantKeys, nameOf(id), { preconditions: { uid: before.metadata.uid! } });
        return ok(key);
      }),
  };
}

/** Another writer was faster: once more, on what there is now. What the API server refuses is told in its words. */
async function answering(work: () => Promise<Parsed<KeyObject>>): Promise<Parsed<KeyObject>> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (isKubeError(error, 'conflict') && tries < CONFLICTS) continue;
      if (isKubeError(error, 'exists', 'conflict')) return refuse('invalid_request', { status: 409, message: error.message });
      if (isKubeError(error, 'invalid')) return refuse('invalid_request', { message: error.message });
      if (isKubeError(error)) return refuse('store_unavailable', { message: 'The API server did not take the change.' });
      throw error;
    }
  }
}

/** What stands against it; undefined once every pod serves it, or when that takes too long: the change is made all the same. */
async function objectionTo({ metadata }: OurObject, keys: Source<OurObject>): Promise<string | undefined> {
  const until = performance.now() + IN_FORCE_MS;
  while (performance.now() < until) {
    const status = keys.get(`${metadata.namespace}/${metadata.name}`)?.status;
    const of = (type: string) =>
      status?.conditions?.find(c => c.type === type && (c.observedGeneration ?? 0) >= (metadata.generation ?? 0));
    for (const type of ['Accepted', 'ResolvedRefs']) {
      const said = of(type);
      if (said?.status === 'False' && !HARMLESS.has(said.reason)) return `The key would not work: ${said.message}.`;
    }
    if (of('Programmed')?.status === 'True' || HARMLESS.has(of('Accepted')?.reason ?? '')) return undefined;
    await pause(LOOK_MS);
  }
  return undefined;
}

/** Reasons of Accepted that somebody may have wanted. */
const HARMLESS: ReadonlySet<string> = new Set(['Suspended', 'Expired']);

function found(object: OurObject): Parsed<KeyObject> {
  const [key] = keyObject(object);
  return key ? ok(key) : refuse('internal_error', { message: 'The key could not be read back.' });
}

function keyObject(object: OurObject): readonly KeyObject[] {
  const resource = readResource({ ...object, apiVersion: '', kind: '' });
  const spec = readSpec('TenantKey', object.spec);
  if (!resource.ok || !spec.ok) return [];
  const { name, namespace, annotations, creationTimestamp } = resource.value.metadata;
  const key = { id: `${namespace}/${name}`, namespace, name, annotations, spec: spec.value };
  return [{ ...key, createdAt: timeOf(creationTimestamp), updatedAt: timeOf(annotations[UPDATED_AT]) }];
}

function timeOf(text: string | null | undefined) {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? undefined : epochMillis(time);
}

const withoutAbsent = <T>(fields: Readonly<Record<string, T | undefined>>): Record<string, T> =>
  Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, T] => entry[1] !== undefined));

const aliasTaken = (alias: unknown) =>
  refuse('invalid_request', { message: `There is a key with the alias ${alias} already.`, param: 'key_alias' });
