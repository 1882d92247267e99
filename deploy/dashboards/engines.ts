// Self-hosted engines, as their own metrics and our attempts show them.
import { type Dashboard, graph, percentiles, stat } from './panels.ts';

const here = 'namespace=~"$namespace", provider=~"$provider"';

export const engines: Dashboard = {
  uid: 'tollgate-engines',
  title: 'Tollgate / Engines',
  variables: ['namespace', 'provider', 'model'],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Endpoints', 'short', `count(max by (provider, endpoint) (tollgate_engine_state{${here}}))`),
        stat(
          'Ready',
          'short',
          `count(max by (provider, endpoint) (tollgate_engine_state{${here}, state="Ready"}) == 1) or vector(0)`,
        ),
        stat('Saturated', 'short', `count(max by (provider, endpoint) (tollgate_engine_load{${here}}) >= 1) or vector(0)`, {
          warn: [1, 3],
        }),
        stat(
          'Wedged',
          'short',
          `count(max by (provider, endpoint) (tollgate_engine_state{${here}, state="Wedged"}) == 1) or vector(0)`,
          { warn: [1, 1] },
        ),
        stat('Waiting requests', 'short', `sum(max by (provider, endpoint) (tollgate_engine_waiting{${here}}))`),
        stat('Fullest KV cache', 'percentunit', `max(tollgate_engine_kv_usage{${here}})`, { warn: [0.8, 0.95] }),
      ],
    },
    {
      title: 'Endpoints',
      panels: [
        graph('KV cache in use', 'percentunit', [
          { expr: `max by (provider, endpoint) (tollgate_engine_kv_usage{${here}})`, legend: '{{provider}} {{endpoint}}' },
        ]),
        graph('Waiting requests', 'short', [
          { expr: `max by (provider, endpoint) (tollgate_engine_waiting{${here}})`, legend: '{{provider}} {{endpoint}}' },
        ]),
        graph(
          'Load',
          'percentunit',
          [{ expr: `max by (provider, endpoint) (tollgate_engine_load{${here}})`, legend: '{{provider}} {{endpoint}}' }],
          {
            help: 'By which attempts are balanced; 100 % is saturation.',
          },
        ),
        graph(
          'States',
          'short',
          [
            {
              expr: `count by (provider, state) (max by (provider, endpoint, state) (tollgate_engine_state{${here}}) == 1)`,
              legend: '{{provider}} {{state}}',
            },
          ],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'Attempts and looks',
      panels: [
        graph('Attempts', 'reqps', [
          {
            expr: `sum by (provider, model, outcome) (rate(tollgate_attempts_total{${here}, model=~"$model"}[$__rate_interval]) and on (provider) count by (provider) (tollgate_engine_state))`,
            legend: '{{provider}} {{model}} {{outcome}}',
          },
        ]),
        graph('Time to read the metrics of an engine', 's', percentiles('tollgate_engine_scrape_seconds', here)),
        graph('Looks that brought nothing', 'reqps', [
          {
            expr: `sum by (provider, reason) (rate(tollgate_engine_scrape_errors_total{${here}}[$__rate_interval]))`,
            legend: '{{provider}} {{reason}}',
          },
        ]),
      ],
    },
  ],
};
