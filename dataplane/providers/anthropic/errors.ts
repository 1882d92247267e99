// Which failure an error of Anthropic's is: of an HTTP answer, of an error object in a 200, of an `error` event in a stream.
import type { Failure } from '#core/failure.ts';
import { type JsonRecord, parseRecord } from '#core/json/record.ts';
import { failureBy, type Rule, refusalThatSays, status } from '../error-rules.ts';
import type { UpstreamError } from '../provider.ts';
import { retryAfterOf } from '../retry-after.ts';
import { entryOf, recordOf, textOf } from '../wire.ts';

type Facts = { readonly status: number; readonly type: string; readonly message: string };

/** The statuses of the error types (platform.claude.com, "Errors"): a stream tells only the type. */
const statusOfType: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

/** The first that matches. */
const rules: readonly Rule<Facts>[] = [
  { class: 'upstream_redirect', when: f => f.status >= 300 && f.status < 400 },
  { class: 'upstream_overloaded', when: f => f.type === 'overloaded_error' || f.status === 529 || f.status === 503 },
  { class: 'upstream_rate_limited', when: status(429) },
  { class: 'upstream_auth_failed', when: status(401, 403) },
  { class: 'upstream_quota_exhausted', when: status(402) },
  // Both come as 400 invalid_request_error: an empty account, and a spending limit that the customer set.
  { class: 'upstream_quota_exhausted', when: refusalThatSays(/credit balance is too low|specified API usage limits/i) },
  // Not `max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens`: a longer context would not help.
  { class: 'context_length_exceeded', when: refusalThatSays(/prompt is too long|exceed context limit|context window/i) },
  { class: 'content_filtered', when: refusalThatSays(/blocked by content filtering/i) },
  // A missing model answers `model: <name>`; other things that may be missing are the caller's (files, containers).
  { class: 'upstream_model_not_found', when: f => f.status === 404 && (f.type === '' || /\bmodel\b/i.test(f.message)) },
  { class: 'upstream_request_too_large', when: status(413) },
  { class: 'upstream_error', when: status(408) },
  { class: 'upstream_invalid_request', when: f => f.status >= 400 && f.status < 500 },
];

export function classify(error: UpstreamError): Failure {
  const facts = factsOf(parseRecord(error.body) ?? {}, error.status);
  const wait = retryAfterOf(error.headers, error.now);
  return failureBy(rules, facts, KEPT_STATUSES, wait);
}

/** The failure of an error object that came with a good status, or inside a stream. */
export function failureOfErrorObject(body: JsonRecord): Failure {
  return failureBy(rules, factsOf(body, 200), KEPT_STATUSES, undefined);
}

/** A refusal of the caller's request keeps its own status where the table's would say less (409, 422). */
const KEPT_STATUSES = new Set([404, 409, 422]);

/** Pages of proxies and load balancers (HTML) have no type and no message: nothing of them is shown. */
function factsOf(body: JsonRecord, answered: number): Facts {
  const error = recordOf(body.error);
  const type = textOf(error.type);
  return { status: answered >= 300 ? answered : (entryOf(statusOfType, type) ?? 500), type, message: textOf(error.message) };
}
