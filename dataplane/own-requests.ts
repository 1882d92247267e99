// Requests of the gateway's own, which no client asked for: vectors for the cache, samples of its hits, verdicts of its judge. They are
// rows of the ledger as all others, of a tenant and a key of this name, so that nobody's budget pays for them and every sum has them.
import { Calendar } from '#core/accounting/periods.ts';
import { KeyDemands } from '#core/admission/demand-of.ts';
import type { KeyEntry } from '#core/snapshot/snapshot.ts';
import type { LiveKey } from './config/live.ts';

const OWN = 'tollgate';

const entry: KeyEntry = {
  id: OWN,
  namespace: OWN,
  name: 'gateway',
  digests: [],
  tenant: OWN,
  labels: {},
  models: { deny: [] },
  limits: { perModel: [] },
  budgets: [],
  onStoreFailure: 'Allow',
  tags: {},
  exposeSimilarity: false,
  suspended: false,
  // Whoever waits at a provider goes first.
  priority: -1000,
};

/** @param digest SHA-256, hex */
export const ownKey = (digest: (text: string) => string): LiveKey => ({
  entry,
  name: `${entry.namespace}/${entry.name}`,
  demands: new KeyDemands(entry, [], { calendar: new Calendar(), digest }),
  mayUse: () => true,
  isDenied: () => false,
});
