// The first page: is it well, how much goes through it, what does it cost.
import { type Dashboard, graph, type Panel, percentiles, stat } from './panels.ts';

const here = 'namespace=~"$namespace"';
const rate = (metric: string, selector = here) => `sum(rate(${metric}{${selector}}[$__rate_interval]))`;

const byLabel = (title: string, metric: string, label: string): Panel =>
  graph(title, 'reqps', [{ expr: `sum by (${label}) (rate(${metric}{${here}}[$__rate_interval]))`, legend: `{{${label}}}` }], {
    stacked: true,
  });

export const overview: Dashboard = {
  uid: 'tollgate-overview',
  title: 'Tollgate / Overview',
  variables: ['namespace', 'model'],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Requests', 'reqps', rate('tollgate_requests_total')),
        stat(
          'Errors of the gateway and its backends',
          'percentunit',
          `(${rate('tollgate_requests_total', `${here}, status=~"5.."`)} or vector(0)) / ${rate('tollgate_requests_total')}`,
          {
            help: 'Statuses 5xx. What clients did wrong, and limits and budgets that hold, are not among them.',
            warn: [0.001, 0.01],
          },
        ),
        stat('First token, p95', 's', percentiles('tollgate_first_token_seconds', here)[1]!.expr),
        stat('Cost an hour', 'currencyUSD', `3600 * ${rate('tollgate_cost_usd_total', `${here}, model=~"$model"`)}`),
        stat('Saved by the cache an hour', 'currencyUSD', `3600 * ${rate('tollgate_cache_saved_usd_total')}`),
        stat('In flight', 'short', `sum(tollgate_inflight_requests{${here}})`),
      ],
    },
    {
      title: 'Traffic',
      panels: [
        graph(
          'Requests by status',
          'reqps',
          [{ expr: `sum by (status) (rate(tollgate_requests_total{${here}}[$__rate_interval]))`, legend: '{{status}}' }],
          { stacked: true },
        ),
        graph(
          'Requests by route',
          'reqps',
          [{ expr: `sum by (route) (rate(tollgate_requests_total{${here}}[$__rate_interval]))`, legend: '{{route}}' }],
          { stacked: true },
        ),
        graph('Time to the end of the answer', 's', percentiles('tollgate_request_duration_seconds', here)),
        graph('Time to the first token', 's', percentiles('tollgate_first_token_seconds', here)),
        graph('Time in the gateway', 's', percentiles('tollgate_overhead_seconds', here), {
          help: 'What was not spent on waiting for upstreams: the gateway itself, places at providers, backoff.',
        }),
        graph('Streams that died after their first token', 'reqps', [
          {
            expr: `sum by (provider, model) (rate(tollgate_streams_truncated_total{${here}, model=~"$model"}[$__rate_interval]))`,
            legend: '{{provider}} {{model}}',
          },
        ]),
      ],
    },
    {
      title: 'Tokens and money',
      panels: [
        graph(
          'Tokens by model',
          'tps',
          [
            {
              expr: `sum by (model) (rate(tollgate_tokens_total{${here}, model=~"$model", kind=~"inputUncached|cacheRead|cacheWrite5m|cacheWrite1h|output"}[$__rate_interval]))`,
              legend: '{{model}}',
            },
          ],
          { stacked: true },
        ),
        graph(
          'Cost an hour by model',
          'currencyUSD',
          [
            {
              expr: `3600 * sum by (model) (rate(tollgate_cost_usd_total{${here}, model=~"$model"}[$__rate_interval]))`,
              legend: '{{model}}',
            },
          ],
          { stacked: true },
        ),
        graph('Attempts without a known price', 'reqps', [
          {
            expr: `sum by (provider, model) (rate(tollgate_unpriced_attempts_total{${here}, model=~"$model"}[$__rate_interval]))`,
            legend: '{{provider}} {{model}}',
          },
        ]),
        graph('What fallbacks cost an hour', 'currencyUSD', [
          {
            expr: `3600 * sum by (route) (rate(tollgate_fallback_cost_usd_total{${here}}[$__rate_interval]))`,
            legend: '{{route}}',
          },
        ]),
      ],
    },
    {
      title: 'Cache',
      panels: [
        byLabel('Requests at the cache', 'tollgate_cache_requests_total', 'outcome'),
        graph('Hit rate by route', 'percentunit', [
          {
            expr: `sum by (route) (rate(tollgate_cache_requests_total{${here}, outcome=~"hit|stale"}[$__rate_interval])) / sum by (route) (rate(tollgate_cache_requests_total{${here}}[$__rate_interval]))`,
            legend: '{{route}}',
          },
        ]),
        graph('Time at the cache', 's', percentiles('tollgate_cache_lookup_seconds', here)),
        graph('Saved an hour', 'currencyUSD', [
          {
            expr: `3600 * sum by (route) (rate(tollgate_cache_saved_usd_total{${here}}[$__rate_interval]))`,
            legend: '{{route}}',
          },
        ]),
        byLabel('Requests that the cache has nothing to do with', 'tollgate_cache_bypasses_total', 'reason'),
        byLabel('Similar questions refused, by guard', 'tollgate_cache_refusals_total', 'guard'),
        byLabel('Hits that were asked upstream as well', 'tollgate_cache_samples_total', 'outcome'),
        graph('Wrong hits, estimated', 'percentunit', [
          { expr: `max by (route, bound) (tollgate_cache_false_hit_share{${here}})`, legend: '{{route}} {{bound}}' },
        ]),
        byLabel('Near misses before the judge', 'tollgate_cache_judgements_total', 'outcome'),
      ],
    },
    {
      title: 'Hooks',
      panels: [
        byLabel('What hooks said', 'tollgate_hook_calls_total', 'outcome'),
        graph('Time of hooks', 's', percentiles('tollgate_hook_seconds', here)),
      ],
    },
  ],
};
