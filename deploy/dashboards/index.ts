// All dashboards. `npm run gen` writes each as JSON beside this file, for Grafana and the chart.
import { engines } from './engines.ts';
import { operatorAndConfiguration } from './operator.ts';
import { overview } from './overview.ts';
import { type Dashboard, grafanaJson } from './panels.ts';
import { providersAndFallbacks } from './providers.ts';
import { tenantsAndBudgets } from './tenants.ts';

export const dashboards: readonly Dashboard[] = [
  overview,
  tenantsAndBudgets,
  providersAndFallbacks,
  engines,
  operatorAndConfiguration,
];

/** By path from the project's root. */
export const dashboardFiles = (): readonly (readonly [path: string, json: string])[] =>
  dashboards.map(dashboard => [
    `deploy/dashboards/json/${dashboard.uid}.json`,
    `${JSON.stringify(grafanaJson(dashboard), undefined, 2)}\n`,
  ]);
