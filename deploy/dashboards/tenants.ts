// Who uses it, what that costs, and how near everybody is to their budgets and limits.
import { type Dashboard, graph, stat, table } from './panels.ts';

const tenants = 'namespace=~"$namespace", tenant=~"$tenant"';
const models = `${tenants}, model=~"$model"`;
const rate = (metric: string, by: string, selector: string) => `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;

export const tenantsAndBudgets: Dashboard = {
  uid: 'tollgate-tenants',
  title: 'Tollgate / Tenants and budgets',
  variables: ['namespace', 'tenant', 'model'],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Cost an hour', 'currencyUSD', `3600 * sum(rate(tollgate_tenant_cost_usd_total{${models}}[$__rate_interval]))`),
        stat('Requests', 'reqps', `sum(rate(tollgate_tenant_requests_total{${models}}[$__rate_interval]))`),
        stat('Tokens', 'tps', `sum(rate(tollgate_tenant_tokens_total{${models}}[$__rate_interval]))`),
        stat(
          'Budgets above 80 %',
          'short',
          `count(max by (tenant, key, budget) (tollgate_budget_used_ratio{${tenants}}) >= 0.8) or vector(0)`,
          {
            warn: [1, 5],
          },
        ),
        stat(
          'Refused for a limit',
          'reqps',
          `sum(rate(tollgate_tenant_requests_total{${models}, status="429"}[$__rate_interval])) or vector(0)`,
        ),
        stat(
          'Refused for a budget',
          'reqps',
          `sum(rate(tollgate_tenant_requests_total{${models}, status="402"}[$__rate_interval])) or vector(0)`,
          {
            help: 'Status 402; with BUDGET_EXCEEDED_STATUS another one.',
          },
        ),
      ],
    },
    {
      title: 'Use',
      panels: [
        graph(
          'Cost an hour by tenant',
          'currencyUSD',
          [{ expr: `3600 * ${rate('tollgate_tenant_cost_usd_total', 'tenant', models)}`, legend: '{{tenant}}' }],
          { stacked: true },
        ),
        graph(
          'Requests by tenant',
          'reqps',
          [{ expr: rate('tollgate_tenant_requests_total', 'tenant', models), legend: '{{tenant}}' }],
          { stacked: true },
        ),
        graph(
          'Tokens by tenant',
          'tps',
          [{ expr: rate('tollgate_tenant_tokens_total', 'tenant, kind', models), legend: '{{tenant}} {{kind}}' }],
          { stacked: true },
        ),
        graph('Statuses', 'reqps', [{ expr: rate('tollgate_tenant_requests_total', 'status', models), legend: '{{status}}' }], {
          stacked: true,
        }),
        table(
          'Cost of the last day by key',
          'currencyUSD',
          `topk(50, sum by (tenant, key) (increase(tollgate_key_cost_usd_total{${tenants}}[1d])))`,
        ),
        table(
          'Requests of the last day by key',
          'short',
          `topk(50, sum by (tenant, key) (increase(tollgate_key_requests_total{${tenants}}[1d])))`,
        ),
      ],
    },
    {
      title: 'Budgets and limits',
      panels: [
        table('Used', 'percentunit', `topk(50, max by (tenant, key, budget) (tollgate_budget_used_ratio{${tenants}}))`, {
          help: 'Settled and reserved, as a part of the amount. No key: a budget of the whole tenant.',
          warn: [0.8, 1],
        }),
        table(
          'Remaining',
          'currencyUSD',
          `bottomk(50, min by (tenant, key, budget) (tollgate_budget_remaining_usd{${tenants}}))`,
        ),
        graph('Used over time', 'percentunit', [
          {
            expr: `topk(10, max by (tenant, key, budget) (tollgate_budget_used_ratio{${tenants}}))`,
            legend: '{{tenant}} {{key}} {{budget}}',
          },
        ]),
        graph('Amounts', 'currencyUSD', [
          {
            expr: `topk(10, max by (tenant, key, budget) (tollgate_budget_limit_usd{${tenants}}))`,
            legend: '{{tenant}} {{key}} {{budget}}',
          },
        ]),
        table(
          'Until the period ends',
          's',
          `bottomk(50, min by (tenant, key, budget) (tollgate_budget_reset_seconds{${tenants}}))`,
        ),
        graph('What is left of limits', 'percentunit', [
          {
            expr: `bottomk(10, min by (tenant, key, kind) (tollgate_key_limit_remaining{${tenants}}) / max by (tenant, key, kind) (tollgate_key_limit{${tenants}}))`,
            legend: '{{tenant}} {{key}} {{kind}}',
          },
        ]),
      ],
    },
  ],
};
