// A backend that may be tried: what plans order, strategies balance and attempts go to.
import type { ModelEntry, ProviderEntry } from '../snapshot/snapshot.ts';

export type Candidate = {
  /** The backend's name in its route; the provider's name for a direct `<provider>/<model>` call. */
  readonly backend: string;
  readonly provider: ProviderEntry;
  readonly model: ModelEntry;
  readonly priority: number;
  readonly weight: number;
};
