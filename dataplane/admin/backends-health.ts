// GET /health: how every backend is, by what is known of it. LiteLLM's shape, which asks each model something; here
// no upstream is asked: requests and probes tell enough, and cost nothing more.
import { refuse } from '#core/failure.ts';
import type { Health, TargetHealth } from '#core/health/health.ts';
import type { Connection, ModelEntry, ProviderEntry } from '#core/snapshot/snapshot.ts';
import { millis } from '#core/units.ts';
import { authenticate } from '../authenticate.ts';
import type { EndpointReport } from '../engines/engines.ts';
import type { Page, PageAnswer, PageRequest } from '../http/router.ts';
import type { Ports } from '../ports.ts';

export type HealthPorts = Pick<Ports, 'config' | 'digest' | 'now' | 'monotonic'> & {
  readonly health: Health;
  readonly engines: { report(): readonly EndpointReport[] };
  readonly isMasterKey: (headers: PageRequest['headers']) => boolean;
};

/** `?model=NAME` looks at one model alone: by its name, an alias, or its provider's name for it. */
export function backendsHealthPage(ports: HealthPorts): Page {
  return ({ headers, query }) => (ports.isMasterKey(headers) ? answer(ports, query.get('model')) : refusal(ports, headers));
}

function refusal({ config, digest, now }: HealthPorts, headers: PageRequest['headers']): PageAnswer {
  const key = authenticate(config.current(), headers, digest, now());
  return key.ok ? refuse('permission_denied', { message: 'This needs the master key.' }).failure : key.failure;
}

function answer({ config, health, engines, now, monotonic }: HealthPorts, wanted: string | null): PageAnswer {
  const [at, reports] = [monotonic(), engines.report()];
  const dateOf: DateOf = time => new Date(now() + time - at).toISOString();
  const healthy: object[] = [];
  const unhealthy: object[] = [];
  for (const provider of Object.values(config.current().snapshot.providers)) {
    const own = reports.filter(report => report.provider === provider.id);
    for (const model of provider.models) {
      if (wanted !== null && !goesBy(model, wanted)) continue;
      const known = health.of({ backend: provider.name, provider, model, priority: 0, weight: 1 }, at);
      const error = ailment(known, at, dateOf);
      const entry = backend({ provider, model, endpoints: own, known, now: at, dateOf });
      if (error === undefined) healthy.push(entry);
      else unhealthy.push({ ...entry, error });
    }
  }
  const body = {
    healthy_endpoints: healthy,
    unhealthy_endpoints: unhealthy,
    healthy_count: healthy.length,
    unhealthy_count: unhealthy.length,
  };
  return { status: 200, body };
}

const goesBy = ({ name, upstreamName, aliases }: ModelEntry, wanted: string): boolean =>
  wanted === name || wanted === upstreamName || aliases.includes(wanted);

/** Of a monotonic time. */
type DateOf = (time: number) => string;

/** Why it gets no requests at this moment, or undefined. */
function ailment({ openUntil, engine }: TargetHealth, now: number, dateOf: DateOf): string | undefined {
  if (engine?.usable === 0) return 'No endpoint of the engine may get requests.';
  if (openUntil > now) return `Its circuit breaker is open until ${dateOf(openUntil)}.`;
  return openUntil > 0 ? 'Its circuit breaker is half-open: it is being tried.' : undefined;
}

/** Percentile and window of LowestLatency's defaults. */
const LATENCY = { percentile: 95, window: millis(300_000) } as const;

type Facts = {
  readonly provider: ProviderEntry;
  readonly model: ModelEntry;
  readonly endpoints: readonly EndpointReport[];
  readonly known: TargetHealth;
  readonly now: number;
  readonly dateOf: DateOf;
};

function backend({ provider: { id, connection }, model: { name, upstreamName }, endpoints, known, now, dateOf }: Facts): object {
  const { openUntil, inFlight, outstandingTokens, tokensPerSecond, errorRate, usage, engine } = known;
  return {
    model: name,
    api_base: basesOf(connection).join(','),
    model_id: `${id}/${name}`,
    tollgate: {
      provider: id,
      upstream_model: upstreamName,
      breaker: {
        state: openUntil === 0 ? 'closed' : openUntil > now ? 'open' : 'half-open',
        open_until: openUntil > now ? dateOf(openUntil) : null,
      },
      in_flight: inFlight,
      outstanding_tokens: outstandingTokens,
      tokens_per_second: tokensPerSecond ?? null,
      error_rate: errorRate ?? null,
      latency_p95_ms: known.latency(LATENCY.percentile, LATENCY.window) ?? null,
      limits_used: usage ?? null,
      engine: engine ?? null,
      ...(endpoints.length > 0 && { endpoints: endpoints.map(endpointOf) }),
    },
  };
}

const endpointOf = ({ endpoint, state, load }: EndpointReport) => ({ endpoint, state: state.name, load: load ?? null });

function basesOf(connection: Connection): readonly string[] {
  if ('endpoints' in connection) return connection.endpoints;
  if ('baseURL' in connection) return [connection.baseURL];
  return connection.endpoint === undefined ? [] : [connection.endpoint];
}
