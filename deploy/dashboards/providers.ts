// How the backends answer, what stands in for what, and why.
import { type Dashboard, graph, percentiles, stat } from './panels.ts';

const here = 'namespace=~"$namespace"';
const backends = `${here}, provider=~"$provider", model=~"$model"`;
const rate = (metric: string, by: string, selector: string) => `sum by (${by}) (rate(${metric}{${selector}}[$__rate_interval]))`;

export const providersAndFallbacks: Dashboard = {
  uid: 'tollgate-providers',
  title: 'Tollgate / Providers and fallbacks',
  variables: ['namespace', 'provider', 'model'],
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Attempts', 'reqps', `sum(rate(tollgate_attempts_total{${backends}}[$__rate_interval]))`),
        stat(
          'Attempts that failed',
          'percentunit',
          `(sum(rate(tollgate_attempts_total{${backends}, outcome!="ok"}[$__rate_interval])) or vector(0)) / sum(rate(tollgate_attempts_total{${backends}}[$__rate_interval]))`,
          { warn: [0.01, 0.05] },
        ),
        stat(
          'Breakers that are open',
          'short',
          `count(max by (provider, model) (tollgate_breaker_state{${backends}}) == 2) or vector(0)`,
          { warn: [1, 3] },
        ),
        stat(
          'Share of attempts that stood in for another backend',
          'percentunit',
          `(sum(rate(tollgate_fallback_attempts_total{${here}}[$__rate_interval])) or vector(0)) / sum(rate(tollgate_attempts_total{${here}}[$__rate_interval]))`,
          { warn: [0.05, 0.1] },
        ),
        stat(
          'Cost of fallbacks an hour',
          'currencyUSD',
          `3600 * (sum(rate(tollgate_fallback_cost_usd_total{${here}}[$__rate_interval])) or vector(0))`,
        ),
        stat(
          'Retries denied',
          'reqps',
          `sum(rate(tollgate_retries_denied_total{${here}, provider=~"$provider"}[$__rate_interval])) or vector(0)`,
        ),
      ],
    },
    {
      title: 'Attempts',
      panels: [
        graph('By provider', 'reqps', [{ expr: rate('tollgate_attempts_total', 'provider', backends), legend: '{{provider}}' }], {
          stacked: true,
        }),
        graph('Failures', 'reqps', [
          {
            expr: rate('tollgate_attempts_total', 'provider, outcome', `${backends}, outcome!="ok"`),
            legend: '{{provider}} {{outcome}}',
          },
        ]),
        graph('Time of an attempt, p95', 's', [percentiles('tollgate_attempt_duration_seconds', backends, 'provider')[1]!]),
        graph('Time to the first token by model, p95', 's', [
          {
            expr: 'histogram_quantile(0.95, sum by (le, gen_ai_response_model) (rate(gen_ai_client_operation_time_to_first_chunk_seconds_bucket{namespace=~"$namespace", gen_ai_response_model=~"$model"}[$__rate_interval])))',
            legend: '{{gen_ai_response_model}}',
          },
        ]),
        graph('Time for each token by model, p50', 's', [
          {
            expr: 'histogram_quantile(0.5, sum by (le, gen_ai_response_model) (rate(gen_ai_server_time_per_output_token_seconds_bucket{namespace=~"$namespace", gen_ai_response_model=~"$model"}[$__rate_interval])))',
            legend: '{{gen_ai_response_model}}',
          },
        ]),
        graph(
          'Cost an hour',
          'currencyUSD',
          [{ expr: `3600 * ${rate('tollgate_cost_usd_total', 'provider', backends)}`, legend: '{{provider}}' }],
          { stacked: true },
        ),
      ],
    },
    {
      title: 'Fallbacks',
      panels: [
        graph(
          'Why another backend came next',
          'reqps',
          [{ expr: rate('tollgate_fallbacks_total', 'route, reason', here), legend: '{{route}} {{reason}}' }],
          { stacked: true },
        ),
        graph('Attempts that stood in', 'reqps', [
          {
            expr: rate('tollgate_fallback_attempts_total', 'route, provider', `${here}, provider=~"$provider"`),
            legend: '{{route}} to {{provider}}',
          },
        ]),
        graph(
          'State of breakers',
          'none',
          [{ expr: `max by (provider, model) (tollgate_breaker_state{${backends}})`, legend: '{{provider}} {{model}}' }],
          {
            help: '0: closed, all goes there; 1: half-open, a few requests try it; 2: open, nothing goes there.',
          },
        ),
        graph('Changes of breakers', 'short', [
          {
            expr: `sum by (provider, model, to) (increase(tollgate_breaker_transitions_total{${here}, provider=~"$provider"}[$__rate_interval]))`,
            legend: '{{provider}} {{model}} {{to}}',
          },
        ]),
        graph('Hedges', 'reqps', [
          { expr: rate('tollgate_hedges_total', 'route, outcome', here), legend: '{{route}} {{outcome}}' },
        ]),
        graph('Streams that were continued', 'reqps', [
          { expr: rate('tollgate_streams_continued_total', 'route, outcome', here), legend: '{{route}} {{outcome}}' },
        ]),
        graph('Answers of cascades', 'reqps', [
          {
            expr: rate('tollgate_cascade_answers_total', 'route, backend, verdict', here),
            legend: '{{route}} {{backend}} {{verdict}}',
          },
        ]),
      ],
    },
  ],
};
