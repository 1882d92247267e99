// How the tests of counters speak: a tenant's limits, budgets and requests in few words.
import type {
  Admission,
  BudgetDemand,
  Demand,
  Extended,
  Extension,
  LimitDemand,
  Settled,
  Settlement,
} from '#core/admission/demand.ts';
import { epochMillis, nanoUsd, tokens } from '#core/units.ts';
import type { Counters, TenantSums } from '../counters.ts';

export type Stage = {
  readonly counters: Counters;
  /** Of the store's clock. */
  now(): Promise<number>;
  wait(ms: number): Promise<void>;
};

export const MAY = epochMillis(1_777_593_600_000);
export const JUNE = epochMillis(1_780_272_000_000);
export const JULY = epochMillis(1_782_864_000_000);
export const LEASE = epochMillis(4_000_000_000_000);

export const rpm = (max: number, id = 'k/rpm'): LimitDemand => ({ id, kind: 'requests', max });
export const tpm = (max: number, id = 'k/tpm'): LimitDemand => ({ id, kind: 'tokens', max });
export const slots = (max: number, id = 'k/slots'): LimitDemand => ({ id, kind: 'concurrency', max });
export const budget = (amount: number, more: Partial<BudgetDemand> = {}): BudgetDemand => ({
  name: 'monthly',
  scope: 'Key',
  account: 'k/month',
  period: MAY,
  amount: nanoUsd(amount),
  onExhausted: 'Block',
  warnAt: [],
  ...more,
});

type Asked = {
  id: string;
  cost?: number;
  tokens?: number;
  limits?: LimitDemand[];
  budgets?: BudgetDemand[];
  tenant?: string;
  lease?: number;
};
export type Caller = ReturnType<typeof callerOf>;

/** A tenant's requests in few words. */
export function callerOf(counters: Counters, tenant = 'team-a') {
  const settlement = (asked: Asked): Settlement => ({
    tenant: asked.tenant ?? tenant,
    id: asked.id,
    limits: asked.limits ?? [],
    budgets: asked.budgets ?? [],
    cost: nanoUsd(asked.cost ?? 0),
    tokens: tokens(asked.tokens ?? 0),
  });
  return {
    counters,
    reserve: (asked: Asked & { limitsAlone?: boolean }): Promise<Admission> => {
      const demand: Demand = {
        ...settlement(asked),
        leaseUntil: epochMillis(asked.lease ?? LEASE),
        limitsAlone: asked.limitsAlone ?? false,
      };
      return counters.reserve(demand);
    },
    extend: (asked: Asked): Promise<Extended> => {
      const extension: Extension = { ...settlement(asked), leaseUntil: epochMillis(asked.lease ?? LEASE) };
      return counters.extend(extension);
    },
    settle: (asked: Asked): Promise<Settled> => counters.settle(settlement(asked)),
    /** Makes accounts known. */
    know: (budgets: BudgetDemand[], more: Partial<TenantSums> & { settled?: number } = {}): Promise<void> =>
      counters.rebuild(tenant, {
        accounts: budgets.map(({ account, period }) => ({ account, period, settled: nanoUsd(more.settled ?? 0) })),
        open: more.open ?? [],
        settledLately: more.settledLately ?? [],
      }),
    level: async ({ account, period }: BudgetDemand): Promise<[settled: number, reserved: number] | undefined> => {
      const [level] = await counters.levels(tenant, [{ account, period }]);
      return level && [level.settled, level.reserved];
    },
  };
}

/** A sentence of the contract; each runs with a store nobody has used. */
export type Says = (sentence: string, run: (caller: Caller, stage: Stage) => Promise<void>) => void;
