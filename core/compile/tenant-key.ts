// TenantKey -> KeyEntry, and the rules that span keys: who owns a tenant's name, and one digest, one key.

import type { Path } from '../resources/read.ts';
import type { TenantKeySpec } from '../resources/tenant-key.ts';
import type { BudgetEntry, KeyEntry, Snapshot } from '../snapshot/snapshot.ts';
import { epochMillis } from '../units.ts';
import { budgetsOf, TenantBudgets } from './budgets.ts';
import { type Context, type Found, type RotatedOut, secretValue } from './context.ts';
import { type Resource, specPath } from './objects.ts';
import { byAge } from './verdict.ts';

type Key = Resource<'TenantKey'>;

export function compileKeys(keys: readonly Key[], context: Context): Pick<Snapshot, 'keys' | 'tenants'> {
  const oldestFirst = keys.toSorted(byAge);
  const owners = new Map<string, Key>();
  const holders = new Map<string, Key>();
  const tenantBudgets = new TenantBudgets();
  const entries: KeyEntry[] = [];
  for (const key of oldestFirst) {
    if (!ownsTenant(key, owners)) continue;
    const budgets = budgetsOf(key);
    if (!budgets) continue;
    // Of a key that has expired or lost its Secret as well: the tenant's other keys must not spend without its limit.
    tenantBudgets.add(key, budgets);
    const digest = digestOf(key, context);
    if (digest === undefined || !isSoleHolder(key, digest, originPath(key.spec), holders) || isExpired(key, context)) continue;
    const previous = key.spec.previousDigests.map(p => bare(p.digest));
    if (!previous.every((other, i) => isSoleHolder(key, other, specPath('previousDigests', i), holders))) continue;
    if (key.spec.suspended) key.draft.state('Accepted', 'False', 'Suspended', 'the key is suspended');
    key.draft.live = true;
    entries.push(entryOf(key, digest, budgets, context.rotatedOut?.get(key.id) ?? []));
  }
  entries.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
  return { keys: entries, tenants: tenantBudgets.entries() };
}

/** Make sure that nobody bills another team, or reads its cache, by choosing a string. */
function ownsTenant(key: Key, owners: Map<string, Key>): boolean {
  const owner = owners.get(key.spec.tenant);
  if (owner === undefined) owners.set(key.spec.tenant, key);
  if (owner === undefined || owner.namespace === key.namespace) return true;
  const message = `the tenant ${key.spec.tenant} belongs to namespace ${owner.namespace}, by its oldest key ${owner.id}`;
  key.draft.fail('Accepted', 'Conflicted', specPath('tenant'), message);
  return false;
}

function isSoleHolder(key: Key, digest: string, path: Path, holders: Map<string, Key>): boolean {
  const holder = holders.get(digest);
  if (holder === undefined) holders.set(digest, key);
  else key.draft.fail('Accepted', 'Conflicted', path, `the same key is already that of ${holder.id}`);
  return holder === undefined;
}

function isExpired(key: Key, { now }: Context): boolean {
  const { expiresAt } = key.spec;
  const expired = expiresAt !== undefined && Date.parse(expiresAt) <= now;
  if (expired) key.draft.state('Accepted', 'False', 'Expired', `the key expired at ${expiresAt}`);
  return expired;
}

const originPath = (spec: TenantKeySpec) => specPath(spec.secretRef ? 'secretRef' : spec.generate ? 'generate' : 'digest');

const bare = (digest: string) => digest.slice('sha256:'.length);

function digestOf(key: Key, context: Context): string | undefined {
  if (key.spec.digest !== undefined) return bare(key.spec.digest);
  const plaintext = plaintextOf(key, context);
  if (!plaintext.ok) {
    key.draft.fail('ResolvedRefs', plaintext.reason, originPath(key.spec), plaintext.message);
    return undefined;
  }
  if (plaintext.value.length < STRONG_LENGTH) {
    const message = `the key is shorter than ${STRONG_LENGTH} characters, which is less than 128 random bits`;
    key.draft.state('Accepted', 'True', 'WeakKey', message);
    key.draft.remark(originPath(key.spec), message);
  }
  return context.digest(plaintext.value);
}

/** 128 bits in base64url, which puts six into a character. */
const STRONG_LENGTH = 22;

/** Where `generate` puts a key, in its Secret. */
const GENERATED_SECRET_KEY = 'key';

function plaintextOf(key: Key, { objects, generated }: Context): Found<string> {
  const { secretRef, generate } = key.spec;
  if (secretRef !== undefined) return secretValue(objects, key.namespace, secretRef);
  const made = generated.get(key.id);
  if (made !== undefined) return { ok: true, value: made };
  return secretValue(objects, key.namespace, { name: generate?.secretName ?? '', key: GENERATED_SECRET_KEY });
}

function entryOf(
  { spec, namespace, name, labels }: Key,
  digest: string,
  budgets: readonly BudgetEntry[],
  rotatedOut: readonly RotatedOut[],
): KeyEntry {
  const previousDigests = [
    ...spec.previousDigests.map(p => ({ digest: bare(p.digest), notAfter: epochMillis(Date.parse(p.notAfter)) })),
    ...rotatedOut,
  ];
  return {
    id: digest.slice(0, 12),
    namespace,
    name,
    digests: [digest],
    ...(previousDigests.length > 0 && { previousDigests }),
    tenant: spec.tenant,
    ...(spec.alias !== undefined && { alias: spec.alias }),
    labels,
    models: { ...(spec.models.allow && { allow: spec.models.allow }), deny: spec.models.deny },
    ...(spec.routes && { routes: spec.routes.matchLabels }),
    limits: (spec.limits ?? { perModel: [] }) as KeyEntry['limits'],
    budgets: budgets.filter(budget => budget.scope === 'Key'),
    onStoreFailure: spec.onStoreFailure,
    tags: spec.tags,
    exposeSimilarity: spec.exposeSimilarity,
    ...(spec.expiresAt !== undefined && { expiresAt: epochMillis(Date.parse(spec.expiresAt)) }),
    suspended: spec.suspended,
    priority: spec.priority,
  };
}
