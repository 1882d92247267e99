// The table of failures: what each class of failure means to the client (status, type, code), to the next step
// (retry, fallback) and to the health of a backend. Everything that fails carries a class of this table.
import type { Millis } from './units.ts';

/** Entries of `retries.on`: which failures may be tried again on the same backend. */
export type RetryClass = 'ConnectFailure' | 'Timeout' | 'RateLimited' | 'ServerError' | 'Overloaded';
/** Entries of `fallback.on`: which failures may move on to another backend. */
export type FallbackTrigger =
  | 'Exhausted'
  | 'CircuitOpen'
  | 'RateLimited'
  | 'Saturated'
  | 'Timeout'
  | 'ContextLengthExceeded'
  | 'ContentFiltered';

export type FailurePolicy = {
  /** HTTP status of the client's answer when this failure is the last word. */
  readonly status: number;
  /** Who has to act: the caller, the operator of this gateway, or the provider. */
  readonly origin: 'caller' | 'gateway' | 'upstream';
  /** May be tried again on the same backend where `retries.on` has this class. Absent: never. */
  readonly retry?: RetryClass;
  /** May go to another backend where `fallback.on` has this trigger. Absent: never. */
  readonly fallback?: FallbackTrigger;
  /** Waiting on the same backend again would cost as long as it just did: another backend first, where there is one. */
  readonly elsewhereFirst?: true;
  /** Counts against the backend's health. */
  readonly hurtsHealth: boolean;
  /** `error.type` of OpenAI's envelope; its `error.code` is the class name itself. */
  readonly openAI: string;
  /** `error.type` of Anthropic's envelope. */
  readonly anthropic: string;
  /** What the client reads when the failure carries no message of its own. */
  readonly message: string;
};

const caller = { origin: 'caller', hurtsHealth: false } as const;
const invalid = { ...caller, openAI: 'invalid_request_error', anthropic: 'invalid_request_error' } as const;
const upstream = { origin: 'upstream', openAI: 'upstream_error', anthropic: 'api_error' } as const;

export const failures = {
  // Refused before any upstream was asked.
  invalid_request: { ...invalid, status: 400, message: 'The request is not valid.' },
  unsupported_parameter: { ...invalid, status: 400, message: 'The target does not support a parameter of the request.' },
  not_found: { ...invalid, status: 404, anthropic: 'not_found_error', message: 'There is nothing at this path.' },
  method_not_allowed: { ...invalid, status: 405, message: 'This path does not take this method.' },
  request_timeout: { ...invalid, status: 408, message: 'The request did not arrive in time.' },
  body_too_large: { ...invalid, status: 413, anthropic: 'request_too_large', message: 'The request body is too large.' },
  unsupported_media_type: { ...invalid, status: 415, message: 'The request body must be JSON.' },
  invalid_api_key: {
    ...caller,
    status: 401,
    openAI: 'authentication_error',
    anthropic: 'authentication_error',
    message: 'No valid API key was given.',
  },
  key_suspended: {
    ...caller,
    status: 403,
    openAI: 'permission_error',
    anthropic: 'permission_error',
    message: 'This key is suspended.',
  },
  permission_denied: {
    ...caller,
    status: 403,
    openAI: 'permission_error',
    anthropic: 'permission_error',
    message: 'This key may not do this.',
  },
  model_not_allowed: {
    ...caller,
    status: 403,
    openAI: 'permission_error',
    anthropic: 'permission_error',
    message: 'This key may not use this model.',
  },
  model_not_found: { ...invalid, status: 404, anthropic: 'not_found_error', message: 'There is no such model.' },
  budget_exceeded: {
    ...caller,
    status: 402,
    openAI: 'budget_exceeded',
    anthropic: 'billing_error',
    message: 'The budget is spent.',
  },
  rate_limit_exceeded: {
    ...caller,
    status: 429,
    openAI: 'rate_limit_error',
    anthropic: 'rate_limit_error',
    message: 'The rate limit is reached.',
  },
  unknown_price: {
    ...caller,
    status: 403,
    openAI: 'permission_error',
    anthropic: 'permission_error',
    message: 'The price of this model is not known, and the route does not allow that.',
  },
  denied_by_hook: { ...invalid, status: 400, message: 'A check of the route does not allow this.' },
  hook_failed: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 503,
    openAI: 'service_unavailable',
    anthropic: 'overloaded_error',
    message: 'A check of the route could not be made.',
  },
  not_implemented: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 501,
    openAI: 'not_implemented',
    anthropic: 'api_error',
    message: 'This is not built yet.',
  },
  store_unavailable: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 503,
    openAI: 'store_unavailable',
    anthropic: 'overloaded_error',
    message: 'A store that this key depends on is not available.',
  },
  no_backend: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 503,
    openAI: 'service_unavailable',
    anthropic: 'overloaded_error',
    message: 'No backend can take this request now.',
  },
  /** The gateway sends no more to this provider than its `limits` say; nothing was sent. */
  provider_limit_reached: {
    origin: 'gateway',
    fallback: 'Saturated',
    hurtsHealth: false,
    status: 503,
    openAI: 'overloaded_error',
    anthropic: 'overloaded_error',
    message: 'The limits that are set for this provider are reached.',
  },
  /** It has failed too often lately and gets nothing for a while; nothing was sent. */
  circuit_open: {
    origin: 'upstream',
    fallback: 'CircuitOpen',
    hurtsHealth: false,
    status: 503,
    openAI: 'overloaded_error',
    anthropic: 'overloaded_error',
    message: 'The provider has failed too often lately; it is given time to recover.',
  },
  /** None of a provider's engines may get requests: they load, sleep, are wedged, or lack the model; nothing was sent. */
  upstream_no_endpoint: {
    origin: 'upstream',
    fallback: 'Saturated',
    hurtsHealth: false,
    status: 503,
    openAI: 'overloaded_error',
    anthropic: 'overloaded_error',
    message: 'No engine of the provider can take requests now.',
  },
  shutting_down: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 503,
    openAI: 'service_unavailable',
    anthropic: 'overloaded_error',
    message: 'The gateway is shutting down.',
  },
  internal_error: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 500,
    openAI: 'internal_error',
    anthropic: 'api_error',
    message: 'The gateway failed on this request.',
  },
  /** In the ledger alone: the process that made the attempt ended without a word, and nobody knows what came of it. */
  gateway_died: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 500,
    openAI: 'internal_error',
    anthropic: 'api_error',
    message: 'The process of the gateway that served this request died.',
  },
  /** In the ledger alone: another attempt of the same request answered first. */
  hedge_lost: {
    origin: 'gateway',
    hurtsHealth: false,
    status: 500,
    openAI: 'internal_error',
    anthropic: 'api_error',
    message: 'Another attempt of the request answered first.',
  },
  client_closed: { ...caller, status: 499, openAI: 'client_closed', anthropic: 'api_error', message: 'The client went away.' },

  // What an upstream answered, or did not.
  upstream_invalid_request: { ...invalid, status: 400, message: 'The provider refused the request.' },
  upstream_request_too_large: {
    ...invalid,
    status: 413,
    anthropic: 'request_too_large',
    message: 'The request is too large for the provider.',
  },
  context_length_exceeded: {
    ...invalid,
    status: 400,
    fallback: 'ContextLengthExceeded',
    message: 'The input is longer than the context of the model.',
  },
  content_filtered: { ...invalid, status: 400, fallback: 'ContentFiltered', message: 'The provider filtered the content.' },
  upstream_model_not_found: {
    ...upstream,
    status: 404,
    fallback: 'Exhausted',
    hurtsHealth: false,
    openAI: 'invalid_request_error',
    anthropic: 'not_found_error',
    message: 'The provider does not have this model.',
  },
  upstream_auth_failed: {
    ...upstream,
    status: 502,
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The provider did not accept the credentials of the gateway.',
  },
  upstream_quota_exhausted: {
    ...upstream,
    status: 502,
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The account at the provider has no quota left.',
  },
  upstream_rate_limited: {
    ...upstream,
    status: 429,
    retry: 'RateLimited',
    fallback: 'RateLimited',
    hurtsHealth: true,
    openAI: 'rate_limit_error',
    anthropic: 'rate_limit_error',
    message: 'The provider limits the rate of requests.',
  },
  upstream_overloaded: {
    ...upstream,
    status: 503,
    retry: 'Overloaded',
    fallback: 'Exhausted',
    hurtsHealth: true,
    openAI: 'overloaded_error',
    anthropic: 'overloaded_error',
    message: 'The provider is overloaded.',
  },
  /** One replica is full: try another; not a fault of this one (vLLM's 503 at its queue bound). */
  upstream_saturated: {
    ...upstream,
    status: 503,
    retry: 'Overloaded',
    fallback: 'Saturated',
    elsewhereFirst: true,
    hurtsHealth: false,
    openAI: 'overloaded_error',
    anthropic: 'overloaded_error',
    message: 'The engine is full.',
  },
  /** The engine that the attempt waited for is wedged or gone, as its metrics or its endpoints say; another one may serve. */
  upstream_endpoint_lost: {
    ...upstream,
    status: 502,
    retry: 'ServerError',
    fallback: 'Exhausted',
    hurtsHealth: false,
    message: 'The engine that was to answer is gone.',
  },
  upstream_error: {
    ...upstream,
    status: 502,
    retry: 'ServerError',
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The provider failed.',
  },
  upstream_bad_response: {
    ...upstream,
    status: 502,
    retry: 'ServerError',
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The answer of the provider could not be read.',
  },
  upstream_empty_answer: {
    ...upstream,
    status: 502,
    retry: 'ServerError',
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The provider answered with nothing.',
  },
  upstream_redirect: {
    ...upstream,
    status: 502,
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The provider answered with a redirect, which is never followed.',
  },
  upstream_stream_truncated: {
    ...upstream,
    status: 502,
    retry: 'ServerError',
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The stream of the provider ended before the answer was complete.',
  },
  upstream_connect_failed: {
    ...upstream,
    status: 502,
    retry: 'ConnectFailure',
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The provider could not be reached.',
  },
  /** The connection died after the request was sent: the provider may have done, and billed, the work. */
  upstream_reset: {
    ...upstream,
    status: 502,
    retry: 'ConnectFailure',
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The connection to the provider was lost.',
  },
  upstream_forbidden_address: {
    ...upstream,
    status: 502,
    fallback: 'Exhausted',
    hurtsHealth: true,
    message: 'The address of the provider is not allowed.',
  },
  connect_timeout: {
    ...upstream,
    status: 504,
    retry: 'ConnectFailure',
    fallback: 'Timeout',
    elsewhereFirst: true,
    hurtsHealth: true,
    message: 'The provider did not accept the connection in time.',
  },
  first_token_timeout: {
    ...upstream,
    status: 504,
    retry: 'Timeout',
    fallback: 'Timeout',
    elsewhereFirst: true,
    hurtsHealth: true,
    message: 'The provider did not begin to answer in time.',
  },
  stream_idle_timeout: {
    ...upstream,
    status: 504,
    retry: 'Timeout',
    fallback: 'Timeout',
    elsewhereFirst: true,
    hurtsHealth: true,
    message: 'The stream of the provider stood still for too long.',
  },
  request_deadline: {
    ...upstream,
    status: 504,
    retry: 'Timeout',
    fallback: 'Timeout',
    elsewhereFirst: true,
    hurtsHealth: true,
    message: 'The answer was not complete in time.',
  },
} as const satisfies Record<string, FailurePolicy>;

export type FailureClass = keyof typeof failures;

/** A failure as a value: a row of the table plus what is known about this one. */
export type Failure = {
  readonly class: FailureClass;
  /** Safe to show to the client: no key, no internal host, no text of an unexpected exception. */
  readonly message: string;
  /** Overrides the table's status, where the upstream's own is worth keeping (409, 422). */
  readonly status?: number;
  /** The parameter of the request that is at fault, as a path: `messages[3].content`. */
  readonly param?: string;
  /** What the upstream asked for, already parsed and sane. */
  readonly retryAfter?: Millis;
  /** The status the upstream answered with. */
  readonly upstreamStatus?: number;
  /** The provider may have done, and billed, work for an attempt that failed. */
  readonly possiblyBilled?: true;
};

export type FailureDetail = Partial<Omit<Failure, 'class'>>;

/** Builds a failure; the message defaults to the table's. */
export function failure(cls: FailureClass, detail: FailureDetail = {}): Failure {
  return { class: cls, ...detail, message: detail.message ?? failures[cls].message };
}

export const policyOf = (f: Failure): FailurePolicy => failures[f.class];
export const statusOf = (f: Failure): number => f.status ?? failures[f.class].status;

/** Either a value or the failure that stands in its place. Expected failures are values, not exceptions. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };
export const ok = <T>(value: T): Parsed<T> => ({ ok: true, value });
export const refuse = (cls: FailureClass, detail?: FailureDetail): { ok: false; failure: Failure } => ({
  ok: false,
  failure: failure(cls, detail),
});
