// What a TenantKey asks to be made, and the Secret that has it, as the decisions about generated keys read them.
import { KEY_FIELD, type KeptKey, type KeyWish, MADE_FOR, ROTATE_AT, timeOf } from '#core/keys/generated.ts';
import { readSpec } from '#core/resources/read.ts';
import type { TenantKeySpec } from '#core/resources/tenant-key.ts';
import type { OurObject, SecretObject } from '../resources.ts';

export type GeneratedKey = KeyWish & { readonly generate: NonNullable<TenantKeySpec['generate']> };

/** undefined: it asks for none, or not in a form that can be read. */
export function generatedKey({ metadata, spec }: OurObject): GeneratedKey | undefined {
  const read = spec?.generate === undefined ? undefined : readSpec('TenantKey', spec);
  if (!read?.ok || !read.value.generate) return undefined;
  const { generate, rotation } = read.value;
  return { generate, rotation, rotateAt: timeOf(metadata.annotations?.[ROTATE_AT]) };
}

export function keptKey(secret: SecretObject, key: OurObject): KeptKey {
  const encoded = secret.data?.[KEY_FIELD];
  const { annotations = {} } = secret.metadata;
  return {
    key: encoded ? Buffer.from(encoded, 'base64').toString('utf8').trim() || undefined : undefined,
    isOurs: annotations[MADE_FOR] === key.metadata.name,
    annotations,
  };
}
