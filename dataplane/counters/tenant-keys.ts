// Names of what a tenant has in Redis: all with one hash tag, so that a cluster keeps them in one slot. No tenant can name another's.
import { createHash } from 'node:crypto';

const MAX_TAG = 100;
const MAX_REMEMBERED = 10_000;

/** `tollgate:{<tenant>}:` for each tenant, made once. */
export function tenantPrefixes(): (tenant: string) => string {
  const made = new Map<string, string>();
  return tenant => {
    let prefix = made.get(tenant);
    if (prefix === undefined) {
      if (made.size >= MAX_REMEMBERED) made.clear();
      prefix = `tollgate:{${tagOf(tenant)}}:`;
      made.set(tenant, prefix);
    }
    return prefix;
  };
}

/** Braces would end the tag: percent-encoding has none. `#` marks a digest, and is in no encoded text. */
function tagOf(tenant: string): string {
  const escaped = encodeURIComponent(tenant.toWellFormed());
  return escaped.length > 0 && escaped.length <= MAX_TAG ? escaped : `#${createHash('sha256').update(tenant).digest('hex')}`;
}
