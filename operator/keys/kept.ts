// A Secret as the decisions about generated keys read it.
import { KEY_FIELD, type KeptKey, MADE_FOR } from '#core/keys/generated.ts';
import type { OurObject, SecretObject } from '../resources.ts';

export function keptKey(secret: SecretObject, key: OurObject): KeptKey {
  const encoded = secret.data?.[KEY_FIELD];
  const { annotations = {} } = secret.metadata;
  return {
    key: encoded ? Buffer.from(encoded, 'base64').toString('utf8').trim() || undefined : undefined,
    isOurs: annotations[MADE_FOR] === key.metadata.name,
    annotations,
  };
}
