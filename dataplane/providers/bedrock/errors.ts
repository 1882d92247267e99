// Which failure an error of Bedrock's is: of an HTTP answer, or an exception inside a stream.
import { type Failure, failure } from '#core/failure.ts';
import { parseRecord } from '#core/json/record.ts';
import { both, either, isForClient, type Rule, status } from '../error-rules.ts';
import type { SseMessage, UpstreamError } from '../provider.ts';
import { retryAfterOf } from '../retry-after.ts';
import { scrub } from '../scrub.ts';
import { entryOf, type recordOf, textOf } from '../wire.ts';

/** `type` is a name such as `ThrottlingException`. */
type Facts = { readonly status: number; readonly type: string; readonly message: string };

/** The statuses of the exceptions (Bedrock's API reference): a stream tells only the name. */
const statusOfType: Readonly<Record<string, number>> = {
  AccessDeniedException: 403,
  ConflictException: 400,
  InternalServerException: 500,
  ModelErrorException: 424,
  ModelNotReadyException: 429,
  ModelStreamErrorException: 424,
  ModelTimeoutException: 408,
  ResourceNotFoundException: 404,
  ServiceQuotaExceededException: 400,
  ServiceUnavailableException: 503,
  ThrottlingException: 429,
  ValidationException: 400,
};

type Worded = Rule<Facts> & { readonly message?: string };

const type =
  (...types: readonly string[]) =>
  (facts: Facts): boolean =>
    types.includes(facts.type);
const says =
  (pattern: RegExp) =>
  ({ message }: Facts): boolean =>
    pattern.test(message);

const CLOCK = 'The clock of the gateway is not right: the provider refused the time of its signature.';

/** The first that matches. */
const rules: readonly Worded[] = [
  { class: 'upstream_redirect', when: f => f.status >= 300 && f.status < 400 },
  // "Signature expired: 20261121T… is now earlier than …" and "Signature not yet current: …"
  { class: 'upstream_auth_failed', when: says(/^Signature (?:expired|not yet current)/i), message: CLOCK },
  // A model that the account was not let in to is one that it does not have; the others it still has.
  { class: 'upstream_model_not_found', when: both(status(403), says(/access to the model/i)) },
  { class: 'upstream_auth_failed', when: either(status(401, 403), type('UnrecognizedClientException', 'ExpiredTokenException')) },
  { class: 'upstream_auth_failed', when: both(status(400), says(/^Operation not allowed\.?$/i)) },
  { class: 'upstream_overloaded', when: either(type('ModelNotReadyException'), status(503, 529)) },
  { class: 'upstream_quota_exhausted', when: either(type('ServiceQuotaExceededException'), status(402)) },
  // Not the minute's: waiting does not help before tomorrow.
  { class: 'upstream_quota_exhausted', when: both(status(429), says(/per day/i)) },
  // "Too many tokens, please wait before trying again." is a rate, not a context.
  { class: 'upstream_rate_limited', when: either(status(429), type('TooManyRequestsException')) },
  {
    class: 'context_length_exceeded',
    when: both(
      status(400),
      says(
        /input is too long|prompt is too long|exceed context limit|context window|maximum context length|input tokens? exceed/i,
      ),
    ),
  },
  { class: 'content_filtered', when: both(status(400), says(/blocked by content filtering/i)) },
  {
    class: 'upstream_model_not_found',
    when: either(
      status(404),
      both(
        status(400),
        says(/model identifier is invalid|on-demand throughput isn.t supported|model version has reached the end/i),
      ),
    ),
  },
  { class: 'upstream_request_too_large', when: status(413) },
  // What went wrong at the model, and was not the request's fault (424), or took too long (408).
  { class: 'upstream_error', when: status(408, 424) },
  { class: 'upstream_invalid_request', when: f => f.status >= 400 && f.status < 500 },
];

export function classify({ status: answered, headers, body, now }: UpstreamError): Failure {
  const error = parseRecord(body) ?? {};
  const named = [headers['x-amzn-errortype']].flat()[0] ?? textOf(error.__type);
  const retryAfter = retryAfterOf(headers, now);
  const failed = failureOf({ status: answered, type: nameIn(named), message: messageIn(error) });
  return retryAfter === undefined ? failed : { ...failed, retryAfter };
}

/** `ThrottlingException:http://internal.amazon.com/coral/…`, `com.amazon.coral.service#ThrottlingException` */
const nameIn = (text: string): string => text.split(':', 1)[0]!.split('#').at(-1)!;

/** What a frame says that is no part of an answer: an exception, an error, or that it could not be read (framing.ts). */
export function troubleIn({ event, data }: SseMessage): Failure | undefined {
  if (event !== 'error' && !event.endsWith('Exception')) return undefined;
  const error = parseRecord(data) ?? {};
  // An event of the model's own dialect.
  if (error.type !== undefined) return undefined;
  if (typeof error.unreadable === 'string')
    return failure('upstream_bad_response', { message: `The stream of the provider is broken: ${error.unreadable}.` });
  const name = event === 'error' ? textOf(error.code) : event.charAt(0).toUpperCase() + event.slice(1);
  return failureOf({ status: entryOf(statusOfType, name) ?? 500, type: name, message: messageIn(error) });
}

function failureOf(facts: Facts): Failure {
  const rule = rules.find(({ when }) => when(facts));
  const cls = rule?.class ?? 'upstream_error';
  const message = rule?.message ?? (isForClient(cls) ? scrub(facts.message) : '');
  return failure(cls, { ...(message && { message }), upstreamStatus: facts.status });
}

/** Some gates in front of the service write it large. */
const messageIn = (error: ReturnType<typeof recordOf>): string => textOf(error.message) || textOf(error.Message);
