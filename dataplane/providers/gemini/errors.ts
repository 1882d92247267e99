// Which failure an error of Google's is: of an HTTP answer, of an error object in a 200 or in a stream. The envelope is that of all of
// Google's APIs (google.rpc.Status): a code, a status and typed details.
import type { Failure } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { type Millis, millis } from '#core/units.ts';
import { failureBy, type Rule, refusalThatSays, status } from '../error-rules.ts';
import type { UpstreamError } from '../provider.ts';
import { retryAfterOf } from '../retry-after.ts';
import { entryOf, recordOf, recordsOf, textOf } from '../wire.ts';

type Facts = {
  readonly status: number;
  /** `RESOURCE_EXHAUSTED` and the like. */
  readonly rpc: string;
  readonly message: string;
  readonly details: readonly JsonRecord[];
};

/** google.rpc.Code: a stream may tell only the name. */
const statusOfRpc: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  OUT_OF_RANGE: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

/** The first that matches. */
const rules: readonly Rule<Facts>[] = [
  { class: 'upstream_redirect', when: f => f.status >= 300 && f.status < 400 },
  // Not before midnight in California, or before somebody pays.
  { class: 'upstream_quota_exhausted', when: f => f.status === 429 && (isPerDay(f) || isUnpaid(f)) },
  { class: 'upstream_rate_limited', when: status(429) },
  { class: 'upstream_overloaded', when: status(503, 529) },
  { class: 'upstream_auth_failed', when: status(401, 403) },
  // A wrong key is a 400 of Google's own API ("API key not valid", "API key expired"), and so is a place where it is not offered.
  { class: 'upstream_auth_failed', when: f => f.status === 400 && hasReason(f, 'API_KEY_INVALID') },
  {
    class: 'upstream_auth_failed',
    when: refusalThatSays(/api key (?:not valid|expired|not found)|user location is not supported/i),
  },
  {
    class: 'upstream_quota_exhausted',
    when: f => f.status === 402 || (f.rpc === 'FAILED_PRECONDITION' && /\bbilling\b/i.test(f.message)),
  },
  {
    class: 'context_length_exceeded',
    when: refusalThatSays(/input token count.{0,40}exceeds the maximum|exceeds? the (?:model's )?context/i),
  },
  { class: 'upstream_request_too_large', when: f => f.status === 413 || /payload size exceeds/i.test(f.message) },
  // `models/x is not found for API version v1beta`, `Publisher Model ... was not found`; a missing file or cache is the caller's.
  { class: 'upstream_model_not_found', when: f => f.status === 404 && (f.message === '' || /\bmodels?\b/i.test(f.message)) },
  { class: 'upstream_error', when: status(408, 499) },
  { class: 'upstream_invalid_request', when: f => f.status >= 400 && f.status < 500 },
];

const isPerDay = ({ details }: Facts): boolean =>
  violationsIn(details).some(({ quotaId, quotaMetric }) => /PerDay|_per_day/i.test(`${textOf(quotaId)} ${textOf(quotaMetric)}`));

/** A limit of 0 is a plan that does not have the model. */
const isUnpaid = ({ details, message }: Facts): boolean =>
  /credits? (?:are|is) depleted|billing account/i.test(message) ||
  violationsIn(details).some(({ quotaValue }) => quotaValue === '0') ||
  /\blimit: 0\b/.test(message);

const violationsIn = (details: readonly JsonRecord[]): readonly JsonRecord[] =>
  details.flatMap(detail => recordsOf(detail.violations));
const hasReason = ({ details }: Facts, reason: string): boolean => details.some(detail => detail.reason === reason);

export function classify(error: UpstreamError): Failure {
  const facts = factsOf(parsed(error.body), error.status);
  const wait = retryInfoOf(facts) ?? retryAfterOf(error.headers, error.now);
  return failureBy(rules, facts, KEPT_STATUSES, wait);
}

/** The failure of an error object that came with a good status, or inside a stream. */
export function failureOfErrorObject(body: JsonRecord): Failure {
  const facts = factsOf(body, 200);
  const wait = retryInfoOf(facts);
  return failureBy(rules, facts, KEPT_STATUSES, wait);
}

/** A refusal of the caller's request keeps its own status where the table's would say less. */
const KEPT_STATUSES = new Set([404, 409]);

/** Pages of proxies and load balancers (HTML) have no status and no message: nothing of them is shown. */
function factsOf(body: JsonRecord, answered: number): Facts {
  const error = recordOf(body.error);
  const rpc = textOf(error.status);
  const code = Number.isSafeInteger(error.code) ? (error.code as number) : undefined;
  return {
    status: answered >= 300 ? answered : (entryOf(statusOfRpc, rpc) ?? code ?? 500),
    rpc,
    message: textOf(error.message),
    details: recordsOf(error.details),
  };
}

/** A stream that was asked for as a list answers with a list of one error. */
function parsed(body: string): JsonRecord {
  try {
    const value: unknown = JSON.parse(body);
    return recordOf(Array.isArray(value) ? value.find(isRecord) : value);
  } catch {
    return {};
  }
}

/** `retryDelay` of google.rpc.RetryInfo: seconds, with a fraction. */
function retryInfoOf({ details }: Facts): Millis | undefined {
  const delays = details.map(({ retryDelay }) => /^(\d{1,5}(?:\.\d{1,9})?)s$/.exec(textOf(retryDelay))?.[1]);
  const delay = delays.find(found => found !== undefined);
  return delay === undefined ? undefined : millis(Math.ceil(Number(delay) * 1000));
}
