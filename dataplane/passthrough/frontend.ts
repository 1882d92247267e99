// A request that is passed on, as the loop sees it: which model or service it is for, what it names, what it can cost, how it is told of
// failures.
import type { IncomingMessage } from 'node:http';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../frontends/controls.ts';
import { invalid } from '../frontends/essentials.ts';
import type { Envelope, PassedFrontend, StateName } from '../frontends/frontend.ts';
import { anyDialect } from '../frontends/index.ts';
import { continuedIn, itemsNamedIn, REFERENCES_MAX, referencesIn } from '../frontends/references.ts';
import { unaryFields } from '../frontends/unary-body.ts';
import { type BodyBudget, readBody } from '../http/listener.ts';
import { PASSED_DIALECT, type PassedCall } from './endpoints.ts';
import { FormBody } from './form-body.ts';
import { type Asked, meterOf } from './meters.ts';
import { boundaryOf } from './multipart.ts';
import { serviceOf } from './service.ts';

export type BodyBounds = { readonly maxBodyBytes: number; readonly bodyBudget: BodyBudget };

/** What of an exchange is different where it is passed on. */
export type PassedRequest = {
  readonly action: 'pass';
  readonly frontend: PassedFrontend;
  readonly call: PassedCall;
  /** Present where the body is a form. */
  readonly form: FormBody | undefined;
  readonly asked: (body: JsonView) => Asked;
  readBody(): Promise<Parsed<Buffer>>;
};

export function passedRequest(req: IncomingMessage, call: PassedCall, bounds: BodyBounds): Parsed<PassedRequest> {
  const form = formOf(req, call, bounds);
  if (!form.ok) return form;
  const asked = (body: JsonView): Asked => ({
    body: body.whole(),
    bytes: form.value ? (form.value.size ?? bounds.maxBodyBytes) : body.bytes.length,
    files: form.value?.reader.files ?? 0,
  });
  return ok({
    action: 'pass',
    frontend: frontendOf(call, asked, form.value),
    call,
    form: form.value,
    asked,
    readBody: () => bodyOf(req, call, form.value, bounds),
  });
}

function formOf(req: IncomingMessage, { endpoint }: PassedCall, bounds: BodyBounds): Parsed<FormBody | undefined> {
  const type = req.headers['content-type'] ?? '';
  const isForm = endpoint.body === 'form' || (endpoint.body === 'form-or-json' && /^multipart\//i.test(type));
  if (!isForm) return ok(undefined);
  if (req.headers['content-encoding'] !== undefined)
    return refuse('unsupported_media_type', { message: 'The request body must not be compressed.' });
  const boundary = boundaryOf(type);
  if (!boundary.ok) return boundary;
  // How many pictures there are decides what the request may cost.
  const until = endpoint.model === 'none' ? 'start' : endpoint.operation === 'Images' ? 'end' : 'model';
  return ok(
    new FormBody(req, boundary.value, {
      maxBytes: bounds.maxBodyBytes,
      budget: bounds.bodyBudget,
      until,
      mayBeBatch: endpoint.path === '/files',
    }),
  );
}

/** JSON: the body itself, the fields of a form as far as they are needed, or nothing. */
async function bodyOf(
  req: IncomingMessage,
  { endpoint }: PassedCall,
  form: FormBody | undefined,
  { maxBodyBytes, bodyBudget }: BodyBounds,
): Promise<Parsed<Buffer>> {
  if (form) {
    const arrived = await form.arrived();
    return arrived.ok ? ok(Buffer.from(JSON.stringify(fieldsOf(form)))) : arrived;
  }
  const body = await readBody(req, maxBodyBytes, bodyBudget);
  const isEmpty = body.ok && body.value.length === 0;
  return endpoint.body === 'none' || isEmpty ? (body.ok ? ok(NO_BODY) : body) : body;
}

const NO_BODY = Buffer.from('{}');

/** A list where there are several of one name. */
const fieldsOf = ({ reader }: FormBody): Record<string, string | string[]> =>
  Object.fromEntries(
    [...reader.fields].map(([name, fields]) => {
      const texts = fields.map(({ value }) => value.toWellFormed());
      return [name, texts.length === 1 ? texts[0]! : texts];
    }),
  );

function frontendOf(call: PassedCall, asked: (body: JsonView) => Asked, form: FormBody | undefined): PassedFrontend {
  const { endpoint } = call;
  const meter = meterOf(endpoint.meter);
  return {
    dialect: PASSED_DIALECT,
    operation: endpoint.operation,
    fields: unaryFields(''),
    inspect(body) {
      const unclear = meter.unclear?.(asked(body));
      return unclear ? invalid(unclear.param, unclear.wanted) : inspect(body, call, form);
    },
    extent: body => meter.bound(asked(body)),
    encodeError: anyDialect.encodeError,
    encodeStreamError: anyDialect.encodeStreamError,
  };
}

const MODEL_LENGTH_MAX = 256;

function inspect(body: JsonView, call: PassedCall, form: FormBody | undefined): Parsed<Envelope> {
  const model = call.endpoint.model === 'body' ? body.get('model') : serviceOf(call.endpoint);
  if (typeof model !== 'string' || model === '' || model.length > MODEL_LENGTH_MAX)
    return invalid('model', `a string of 1 to ${MODEL_LENGTH_MAX} characters`);
  const inPath = call.named.map((named): StateName => ({ ...named, param: 'path' }));
  const whole = body.whole();
  const continued = call.endpoint.operation === 'Responses' ? continuedIn(whole) : itemsNamedIn(whole.items, 'items');
  const names = [...inPath, ...referencesIn(whole), ...continued];
  if (names.length > REFERENCES_MAX)
    return refuse('invalid_request', { message: `A request may name at most ${REFERENCES_MAX} things that are stored.` });
  // The fields of a form are its provider's alone.
  const read = form ? ok({ controls: NO_CONTROLS, edits: new Map<string, string | null>() }) : readControls(body);
  if (!read.ok) return read;
  const { edits } = read.value;
  // What makes something would make it twice.
  const controls =
    call.endpoint.method === 'GET' || call.endpoint.model === 'body' ? read.value.controls : once(read.value.controls);
  return ok({ model, stream: false, includeUsage: true, controls, edits, ...(names.length > 0 && { names }) });
}

const once = (controls: Envelope['controls']): Envelope['controls'] => ({ ...controls, numRetries: 0, disableFallbacks: true });

const NO_CONTROLS: Envelope['controls'] = { metadata: {}, tags: [], disableFallbacks: false };
