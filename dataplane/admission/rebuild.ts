// Sums that the counters do not know (new, lost, or of a store that came back empty), made again from the ledger.
import { type Account, startsOf, sumsFor } from '#core/admission/sums.ts';
import { epochMillis } from '#core/units.ts';
import type { Ledger } from '../costlog/ledger.ts';
import type { Counters } from '../counters/counters.ts';

/** @returns whether the accounts are known now; false also where that takes longer than `patienceMs`, and then it goes on by itself */
export type Rebuild = (tenant: string, accounts: readonly Account[], patienceMs: number) => Promise<boolean>;

export type RebuildParts = {
  readonly counters: Pick<Counters, 'rebuild'>;
  readonly ledger: Pick<Ledger, 'spend'>;
  /** All rows of this process are in the ledger. */
  readonly flushed: () => Promise<void>;
  /** Names the time since the store last lost something, once all rows that the other processes had then are in the ledger too. */
  readonly epoch: () => Promise<string | undefined>;
  readonly now: () => number;
  readonly onRebuilt: (tenant: string, ms: number) => void;
  readonly onError: (tenant: string, error: unknown) => void;
};

/** A settlement that is still on its way is no older than this; twice the time for which counters remember one. */
const LATELY_MS = 240_000;

export function rebuilder(parts: RebuildParts): Rebuild {
  const running = new Map<string, Promise<boolean>>();

  const run = async (tenant: string, accounts: readonly Account[]): Promise<boolean> => {
    const startedAt = parts.now();
    const epoch = await parts.epoch();
    if (epoch === undefined) return false;
    await parts.flushed();
    const since = startsOf(accounts);
    const spend = await parts.ledger.spend(tenant, since, epochMillis(parts.now() - LATELY_MS));
    // Lost again meanwhile, or a loss that was not yet told: the others may have rows that these sums do not have.
    if ((await parts.epoch()) !== epoch) return false;
    await parts.counters.rebuild(tenant, sumsFor(accounts, since, spend));
    parts.onRebuilt(tenant, parts.now() - startedAt);
    return true;
  };

  return (tenant, accounts, patienceMs) => {
    // One at a time for the same accounts: a thousand requests that find them missing wait for the same answer.
    const key = `${tenant} ${accounts.map(({ account, span }) => `${account} ${span.start}`).join(' ')}`;
    let rebuilt = running.get(key);
    if (!rebuilt) {
      rebuilt = run(tenant, accounts)
        .catch(error => {
          parts.onError(tenant, error);
          return false;
        })
        .finally(() => running.delete(key));
      running.set(key, rebuilt);
    }
    return patienceMs > 0 ? Promise.race([rebuilt, after(patienceMs)]) : Promise.resolve(false);
  };
}

const after = (ms: number): Promise<false> => new Promise(resolve => setTimeout(() => resolve(false), ms).unref());
