// From a request that is passed on and a candidate to one upstream request: the client's bytes, with the model's name and our own controls
// changed, and nothing of the client's headers that could mean something else there.
import { noUsage, type Usage } from '#core/chat/usage.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { editObject } from '#core/json/edit.ts';
import { isRecord } from '#core/json/record.ts';
import type { Candidate } from '#core/plan/candidate.ts';
import type { HttpRequest } from '#platform/http-client.ts';
import type { ReadReply } from './attempt.ts';
import type { Call } from './call.ts';
import type { PassedExchange } from './exchange.ts';
import { HEADERS_PASSED_ON, type PassedCall } from './passthrough/endpoints.ts';
import { PassedFlow } from './passthrough/flow.ts';
import type { Splice } from './passthrough/form-body.ts';
import { queryOf } from './passthrough/kept.ts';
import { type Asked, type Meter, meterOf } from './passthrough/meters.ts';
import { passedWireFor } from './providers/index.ts';
import type { PassedWire, Target } from './providers/provider.ts';
import { type Preparation, type Prepared, parseJson, targetOf, withQuery } from './upstream-request.ts';

export function preparePassed({ call, candidate, endpoint }: Preparation, exchange: PassedExchange): Parsed<Prepared> {
  const target = targetOf(call, candidate, endpoint);
  const wire = passedWireFor(target);
  if (!wire) return refuse('unsupported_parameter', { message: hasNone(exchange, target), param: 'model' });
  const request = requestOf(exchange, call, wire, target);
  if (!request.ok) return request;
  const passed = exchange.call;
  const meter = meterOf(passed.endpoint.meter);
  const asked = exchange.asked(call.body);
  return ok({
    provider: wire,
    chat: undefined,
    target,
    relay: undefined,
    request: request.value,
    dropped: [],
    output: meter.bound(asked).output,
    read: bytes => readWhole(bytes, meter, asked),
    flow: () =>
      new PassedFlow({
        isContent: passed.endpoint.path.endsWith('/content'),
        usageIn: event => meter.usageIn(event, asked),
        usageOfBytes: usageOfBytes(candidate, meter, asked),
        failed: body => wire.classify({ status: 500, headers: {}, body, now: 0 as never }),
      }),
    bodyFailure: () => exchange.form?.failure,
  });
}

const hasNone = ({ frontend }: PassedExchange, { provider }: Target): string =>
  `The provider ${provider.id} (type ${provider.connection.type}) has no ${frontend.operation}.`;

/** Bytes tell nothing: what is paid by the unit is known of the request; the rest has to be estimated. */
function usageOfBytes({ model }: Candidate, { price, unitsOf }: Meter, asked: Asked): Usage | undefined {
  if (price !== 'model') return noUsage;
  const rates = model.price?.rates;
  const isByUnit = rates?.perUnit !== undefined && rates.input === 0 && rates.output === 0 && rates.audioOutput === 0;
  return isByUnit && unitsOf ? { ...noUsage, units: unitsOf(asked) } : undefined;
}

// ---------------------------------------------------------------- the request

function requestOf(exchange: PassedExchange, call: Call, wire: PassedWire, target: Target): Parsed<HttpRequest> {
  const passed = exchange.call;
  const { origin, path, headers } = wire.address(target, passed.path);
  for (const name of HEADERS_PASSED_ON) {
    const value = exchange.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  headers['accept-encoding'] = 'identity';
  const body = exchange.form ? formOf(exchange, target, headers) : ok(jsonOf(passed, call, target, headers));
  if (!body.ok) return body;
  return ok({
    method: exchange.method,
    origin,
    path: withQuery(path, queryOf(passed)),
    headers,
    ...body.value,
    connectTimeoutMs: target.provider.timeouts.connect,
  });
}

type Body = Pick<HttpRequest, 'body' | 'bodyStream'>;

function jsonOf({ endpoint }: PassedCall, { body, envelope }: Call, target: Target, headers: Record<string, string>): Body {
  if (endpoint.body === 'none') return { body: null };
  headers['content-type'] = 'application/json';
  const edits = new Map(envelope.edits);
  const { upstreamName } = target.model;
  if (endpoint.model === 'body' && body.get('model') !== upstreamName) edits.set('model', JSON.stringify(upstreamName));
  return { body: edits.size > 0 ? editObject(body, edits) : body.bytes };
}

function formOf({ form, call: { endpoint } }: PassedExchange, target: Target, headers: Record<string, string>): Parsed<Body> {
  const splice = endpoint.model === 'body' ? modelIn(form!.reader.fields.get('model')?.[0], target) : undefined;
  const stream = form!.stream(splice);
  if (!stream)
    return refuse('upstream_error', {
      message: 'The request was on its way to a provider that failed, and cannot be sent to another one.',
    });
  headers['content-type'] = form!.contentType;
  const size = form!.sizeWith(splice);
  if (size !== undefined) headers['content-length'] = String(size);
  return ok({ body: null, bodyStream: stream });
}

function modelIn(
  field: { readonly value: string; readonly at: Splice['at'] } | undefined,
  { model }: Target,
): Splice | undefined {
  return field && field.value !== model.upstreamName ? { at: field.at, text: model.upstreamName } : undefined;
}

// ---------------------------------------------------------------- the reply

function readWhole(bytes: Buffer, meter: Meter, asked: Asked): ReadReply {
  if (bytes.length === 0) return refuse('upstream_empty_answer');
  const reply = parseJson(bytes);
  if (!reply.ok) return reply;
  if (!isRecord(reply.value)) return refuse('upstream_bad_response');
  if (isRecord(reply.value.error) && !('object' in reply.value)) return refuse('upstream_bad_response');
  const { id, model } = reply.value;
  return ok({
    body: bytes,
    usage: meter.usageIn(reply.value, asked),
    said: undefined,
    model: textIn(model),
    upstreamId: textIn(id),
  });
}

const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
