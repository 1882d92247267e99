// Makes the keys that TenantKeys with `generate` ask for, and makes them anew when that is due.
import { randomBytes } from 'node:crypto';
import { KEY_FIELD, keyState, MADE_FOR } from '#core/keys/generated.ts';
import { API_VERSION } from '#core/resources/index.ts';
import type { EpochMillis } from '#core/units.ts';
import type { Clock } from '#platform/clock.ts';
import { sha256 } from '#platform/digest.ts';
import type { KubeClient } from '#platform/kube/client.ts';
import { type OurObject, ourResources, type SecretObject, secrets } from '../resources.ts';
import type { Outcome, Reconcile } from '../runtime/controller.ts';
import type { Happening } from '../runtime/events.ts';
import type { Source } from '../runtime/source.ts';
import { type GeneratedKey, generatedKey, keptKey } from './kept.ts';

export type GeneratedKeysOptions = {
  /** Whose writes are of one term of leadership. */
  readonly client: KubeClient;
  readonly keys: Source<OurObject>;
  readonly clock: Clock;
  readonly tell: (happening: Happening) => void;
};

const DONE: Outcome = { kind: 'done' };
const LABELS = { 'app.kubernetes.io/managed-by': 'tollgate' };

export function generatedKeysReconciler({ client, keys, clock, tell }: GeneratedKeysOptions): Reconcile {
  return async (id, signal) => {
    const object = keys.get(id);
    const wanted = object && generatedKey(object);
    if (!wanted || object.metadata.deletionTimestamp !== undefined) return DONE;
    const { namespace } = object.metadata;
    const secret = await client.find<SecretObject>(secrets, { namespace, name: wanted.generate.secretName }, signal);
    const now = clock.now() as EpochMillis;
    const { decision, nextRotation } = keyState(wanted, secret && keptKey(secret, object), now, sha256);
    if (decision.kind === 'write') {
      const fresh = secretWith(object, wanted.generate, decision.annotations, secret);
      // Only onto what was read: two who do it at once make one key.
      await (secret ? client.replace(secrets, fresh, signal) : client.create(secrets, fresh, signal));
      const isFirst = secret === undefined || keptKey(secret, object).key === undefined;
      tell({ resource: ourResources.TenantKey, object, isWarning: false, action: 'Generate', ...toldOf(isFirst, wanted) });
      return { kind: 'again', afterMs: 0 };
    }
    if (nextRotation === undefined) return DONE;
    return { kind: 'again', afterMs: Math.max(0, nextRotation - now) };
  };
}

/** Never of the key itself. */
function toldOf(isFirst: boolean, { generate: { secretName }, rotation }: GeneratedKey) {
  if (isFirst) return { reason: 'KeyGenerated', note: `a key was made, in the Secret ${secretName}` };
  const earlier = rotation ? `works for another ${rotation.overlap}` : 'works no more';
  return { reason: 'KeyRotated', note: `another key was made, in the Secret ${secretName}; the one before ${earlier}` };
}

function secretWith(
  { metadata: { name, namespace, uid = '' } }: OurObject,
  { secretName, prefix, bytes }: GeneratedKey['generate'],
  annotations: Readonly<Record<string, string>>,
  before: SecretObject | undefined,
): SecretObject {
  const value = prefix + randomBytes(bytes).toString('base64url');
  return {
    ...before,
    type: 'Opaque',
    metadata: {
      ...before?.metadata,
      name: secretName,
      ...(namespace !== undefined && { namespace }),
      labels: { ...before?.metadata.labels, ...LABELS },
      annotations: { ...before?.metadata.annotations, [MADE_FOR]: name, ...annotations },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'TenantKey', name, uid, controller: true }],
    },
    data: { ...before?.data, [KEY_FIELD]: Buffer.from(value).toString('base64') },
  };
}
