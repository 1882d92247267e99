// What a request that is open in the ledger holds: in which period of each account. It belongs to the period of its admission, which
// its id tells.
import { uuidTime } from '#core/units.ts';
import type { AccountPeriod, TenantSums } from './counters.ts';

export type OpenHold = Pick<TenantSums['open'][number], 'id' | 'cost' | 'leaseUntil'> & {
  readonly holds: readonly AccountPeriod[];
};

export function holdsOf(sums: TenantSums): readonly OpenHold[] {
  const periods = new Map<string, AccountPeriod[]>();
  for (const { account, period } of sums.accounts) {
    const known = periods.get(account);
    if (known === undefined) periods.set(account, [{ account, period }]);
    else known.push({ account, period });
  }
  for (const list of periods.values()) list.sort((a, b) => b.period - a.period);
  return sums.open.map(({ id, cost, leaseUntil, accounts }) => {
    const admitted = timeOf(id);
    const holds = accounts.flatMap(account => periods.get(account)?.find(({ period }) => period <= admitted) ?? []);
    return { id, cost, leaseUntil, holds };
  });
}

/** An id of another make belongs to the newest period. */
const timeOf = (id: string): number => (/^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(id) ? uuidTime(id) : Number.POSITIVE_INFINITY);
