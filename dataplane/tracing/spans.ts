// A request that is over as spans of OpenTelemetry: the request, its admission, its visit to the cache, each of its attempts. The names are
// those of the conventions for generative AI, which are in development: this file is the only one that knows them. No text of a prompt or an
// answer, no key and no name of an end user is in a span. (github.com/open-telemetry/semantic-conventions-genai)
import { type Attributes, type HrTime, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { CostRecord } from '#core/accounting/cost-record.ts';
import { promptTokens } from '#core/chat/usage.ts';
import { type FailureClass, statusOf } from '#core/failure.ts';
import { operationNames } from '../metrics-genai.ts';
import type { RequestTrace } from './request-trace.ts';
import type { TraceParent } from './trace-context.ts';

export type SpanContext = {
  readonly resource: Resource;
  /** gen_ai.provider.name of a provider, by its id. */
  providerName(id: string): string | undefined;
};

const scope = { name: 'tollgate' };
const SAMPLED = 1;

export function spansOf(trace: RequestTrace, context: SpanContext): readonly ReadableSpan[] {
  const { own, steps, attempts, rows } = trace;
  const child = (spanId: string, name: string, kind: SpanKind, from: number, to: number, attributes: Attributes) =>
    span(context, { traceId: own.traceId, spanId }, own, { name, kind, from, to, attributes, failure: undefined });
  return [
    ...steps.map(step => child(step.spanId, step.name, SpanKind.INTERNAL, step.from, step.to, { ...step.attributes })),
    ...rows
      .filter(({ attempt }) => attempts.has(attempt))
      .map(row =>
        span(context, { traceId: own.traceId, spanId: attempts.get(row.attempt)! }, own, {
          name: `${operationNames[row.operation]} ${row.model}`,
          kind: SpanKind.CLIENT,
          from: row.at,
          to: row.at + row.duration,
          attributes: attemptAttributes(row, context),
          failure: row.failure,
        }),
      ),
    requestSpan(trace, context),
  ];
}

function requestSpan(trace: RequestTrace, context: SpanContext): ReadableSpan {
  const { own, parent, exchange, epoch, endedAt, trip, refusal } = trace;
  const failure = refusal?.class ?? trip?.failure?.class;
  return span(context, own, parent, {
    name: `POST ${exchange.path}`,
    kind: SpanKind.SERVER,
    from: exchange.startedAt + epoch,
    to: endedAt,
    attributes: requestAttributes(trace),
    failure,
  });
}

function requestAttributes({ exchange, trip, refusal, rows }: RequestTrace): Attributes {
  const attributes: Attributes = {
    'http.request.method': 'POST',
    'url.path': exchange.path,
    'http.response.status_code': refusal ? statusOf(refusal) : exchange.client.status,
    'gen_ai.operation.name': operationNames[exchange.frontend.operation],
    'tollgate.request_id': exchange.id,
  };
  if (!trip) return attributes;
  const { entry } = trip.call.key;
  const { envelope, plan } = trip.call;
  attributes['gen_ai.request.model'] = envelope.model;
  attributes['gen_ai.response.model'] = trip.candidate.model.name;
  attributes['gen_ai.request.stream'] = envelope.stream;
  attributes['tollgate.tenant'] = entry.tenant;
  attributes['tollgate.key'] = `${entry.namespace}/${entry.name}`;
  attributes['tollgate.provider'] = trip.candidate.provider.id;
  attributes['tollgate.attempts'] = trip.attempts;
  attributes['tollgate.fallbacks'] = trip.fallbacks;
  if (plan.route) attributes['tollgate.route'] = plan.route.id;
  if (trip.visit) attributes['tollgate.cache'] = trip.visit.state;
  if (trip.firstTokenMs !== undefined) attributes['tollgate.first_token_ms'] = trip.firstTokenMs;
  if (rows.length > 0) attributes['tollgate.cost_usd'] = rows.reduce((sum, { cost }) => sum + (cost ?? 0), 0) / 1e9;
  return attributes;
}

function attemptAttributes(row: CostRecord, { providerName }: SpanContext): Attributes {
  const { usage } = row;
  const attributes: Attributes = {
    'gen_ai.operation.name': operationNames[row.operation],
    'gen_ai.request.model': row.model,
    'gen_ai.response.model': row.upstreamModel,
    'tollgate.provider': row.provider,
    'tollgate.attempt': row.attempt,
  };
  const input = promptTokens(usage);
  if (input > 0) attributes['gen_ai.usage.input_tokens'] = input;
  if (usage.output > 0) attributes['gen_ai.usage.output_tokens'] = usage.output;
  const name = providerName(row.provider);
  if (name !== undefined) attributes['gen_ai.provider.name'] = name;
  if (usage.cacheRead > 0) attributes['gen_ai.usage.cache_read.input_tokens'] = usage.cacheRead;
  const written = usage.cacheWrite5m + usage.cacheWrite1h;
  if (written > 0) attributes['gen_ai.usage.cache_creation.input_tokens'] = written;
  if (row.upstreamId !== undefined) attributes['gen_ai.response.id'] = row.upstreamId;
  if (row.upstreamStatus > 0) attributes['http.response.status_code'] = row.upstreamStatus;
  if (row.endpoint !== '') attributes['server.address'] = row.endpoint;
  if (row.purpose !== undefined) attributes['tollgate.purpose'] = row.purpose;
  if (row.firstToken !== undefined) attributes['tollgate.first_token_ms'] = row.firstToken;
  // Langfuse takes it for the cost of the generation.
  if (row.cost !== null) attributes['gen_ai.usage.cost'] = row.cost / 1e9;
  if (row.estimated) attributes['tollgate.estimated'] = true;
  return attributes;
}

type Told = {
  readonly name: string;
  readonly kind: SpanKind;
  /** Epoch milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly attributes: Attributes;
  readonly failure: FailureClass | undefined;
};

/** A span as the SDK's exporters read it: it is made when all is known, so nothing of it has to be kept open. */
function span(
  { resource }: SpanContext,
  { traceId, spanId }: Pick<TraceParent, 'traceId' | 'spanId'>,
  parent: Pick<TraceParent, 'traceId' | 'spanId'> | undefined,
  { name, kind, from, to, attributes, failure }: Told,
): ReadableSpan {
  if (failure !== undefined) attributes['error.type'] = failure;
  return {
    name,
    kind,
    spanContext: () => ({ traceId, spanId, traceFlags: SAMPLED }),
    ...(parent && { parentSpanContext: { traceId: parent.traceId, spanId: parent.spanId, traceFlags: SAMPLED } }),
    startTime: hrTime(from),
    endTime: hrTime(to),
    duration: hrTime(to - from),
    status: failure === undefined ? OK : { code: SpanStatusCode.ERROR, message: failure },
    attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

const OK = { code: SpanStatusCode.UNSET };

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
