// How what is around this process stands, for the statuses that the operator writes: engines, budgets, refused credentials.
import { type BudgetUse, type SurroundingsReport, stateName } from '#core/snapshot/pod-report.ts';
import type { EngineWatch } from '../engines/engines.ts';
import type { Page } from '../http/router.ts';
import type { RefusedCredentials } from '../refused-credentials.ts';
import type { BudgetLevels } from '../store-events.ts';

export type SurroundingsPorts = {
  readonly engines: Pick<EngineWatch, 'report'>;
  readonly levels: Pick<BudgetLevels, 'entries'>;
  readonly refused: Pick<RefusedCredentials, 'providers'>;
  readonly now: () => number;
};

export function surroundingsPage(ports: SurroundingsPorts): Page {
  return () => ({ status: 200, body: surroundings(ports) });
}

function surroundings({ engines, levels, refused, now }: SurroundingsPorts): SurroundingsReport {
  const byProvider = Map.groupBy(engines.report(), ({ provider }) => provider);
  const statesOf = (reports: ReturnType<EngineWatch['report']>) =>
    Object.fromEntries(reports.map(({ endpoint, state }) => [endpoint, stateName(state.name.toLowerCase())]));
  return {
    engines: Object.fromEntries([...byProvider].map(([provider, reports]) => [provider, statesOf(reports)])),
    budgets: [...levels.entries(now())].flatMap(({ labels, used }) => useOf(labels, used)),
    authFailed: refused.providers,
  };
}

function useOf({ tenant = '', key = '', budget = '' }: Record<string, string>, used: number): BudgetUse[] {
  const hundredths = Math.floor(used * 100) / 100;
  return hundredths > 0 ? [{ tenant, key, budget, used: hundredths }] : [];
}
