// The keys of a cluster as the administration API reads them: made of the snapshot, since a data plane sees no TenantKeys. Changes are
// the operator's; the API forwards them before they would come here.
import { formatUsd } from '#core/accounting/money.ts';
import { refuse } from '#core/failure.ts';
import type { TenantKeySpec } from '#core/resources/tenant-key.ts';
import type { BudgetEntry, KeyEntry, Snapshot } from '#core/snapshot/snapshot.ts';
import type { ConfigSource, KeyObject, KeyStore } from '../ports.ts';

export function clusterKeys(config: ConfigSource): KeyStore {
  let made: { readonly of: Snapshot; readonly keys: readonly KeyObject[] } | undefined;
  const elsewhere = () => Promise.resolve(refuse('not_implemented', { message: 'Keys are changed by the operator.' }));
  return {
    list() {
      const { snapshot } = config.current();
      if (made?.of !== snapshot) made = { of: snapshot, keys: snapshot.keys.map(entry => keyObject(entry, snapshot)) };
      return made.keys;
    },
    create: elsewhere,
    update: elsewhere,
    delete: elsewhere,
  };
}

function keyObject(entry: KeyEntry, { tenants }: Snapshot): KeyObject {
  const { namespace, name } = entry;
  const ofTenant = Object.hasOwn(tenants, entry.tenant) ? tenants[entry.tenant]!.budgets : [];
  const spec = {
    tenant: entry.tenant,
    ...(entry.alias !== undefined && { alias: entry.alias }),
    digest: `sha256:${entry.digests[0]}`,
    previousDigests: (entry.previousDigests ?? []).map(({ digest, notAfter }) => ({
      digest: `sha256:${digest}`,
      notAfter: iso(notAfter),
    })),
    models: entry.models,
    ...(entry.routes && { routes: { matchLabels: entry.routes } }),
    limits: entry.limits,
    budgets: [...entry.budgets, ...ofTenant].map(budgetSpec),
    onStoreFailure: entry.onStoreFailure,
    tags: entry.tags,
    exposeSimilarity: entry.exposeSimilarity,
    ...(entry.expiresAt !== undefined && { expiresAt: iso(entry.expiresAt) }),
    suspended: entry.suspended,
    priority: entry.priority,
  } as unknown as TenantKeySpec;
  return { id: `${namespace}/${name}`, namespace, name, annotations: {}, createdAt: undefined, updatedAt: undefined, spec };
}

const iso = (time: number): string => new Date(time).toISOString();
const budgetSpec = ({ amount, ...budget }: BudgetEntry) => ({ ...budget, amount: formatUsd(amount), currency: 'USD' });
