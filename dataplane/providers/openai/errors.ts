// What an error answer of an OpenAI-shaped wire means: an ordered table of forms, the first that fits holds. Sources of the forms:
// the recordings of vLLM 0.32, and the documentation of the providers named.
import { type Failure, failure, failures } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { both, either, isForClient, type Rule, status } from '../error-rules.ts';
import type { UpstreamError } from '../provider.ts';
import { retryAfterOf } from '../retry-after.ts';
import { scrub } from '../scrub.ts';
import { type ErrorBody, errorBodyOf, readErrorBody } from './error-body.ts';

type Seen = ErrorBody & { readonly status: number; readonly isBlank: boolean };
type Form = Rule<Seen>;

export function classify({ status, headers, body, now }: UpstreamError): Failure {
  const read = readErrorBody(body) ?? noBody;
  const inBand = status < 300 ? statusInBand(read) : status;
  const retryAfter = retryAfterOf(headers, now);
  return failureOf(
    { ...read, status: inBand, isBlank: body.trim() === '' },
    status,
    retryAfter === undefined ? {} : { retryAfter },
  );
}

/** An error that came where an answer was due: in a chunk of a stream, or as the body of a 200. */
export function inBandFailure(body: JsonRecord): Failure | undefined {
  const isError =
    isRecord(body.error) ||
    (typeof body.error === 'string' && body.error !== '') ||
    body.object === 'error' ||
    body.type === 'error';
  if (!isError) return undefined;
  const read = errorBodyOf(body);
  return failureOf({ ...read, status: statusInBand(read), isBlank: false }, 200, {});
}

const noBody: ErrorBody = { message: '', codes: new Set(), text: '' };

function failureOf(seen: Seen, upstreamStatus: number, detail: Pick<Failure, 'retryAfter'>): Failure {
  const cls = forms.find(form => form.when(seen))?.class ?? 'upstream_invalid_request';
  const message = isForClient(cls) ? scrub(seen.message) : '';
  return failure(cls, {
    ...detail,
    upstreamStatus,
    ...(message !== '' && { message }),
    ...(failures[cls].origin === 'caller' && seen.param !== undefined && { param: scrub(seen.param) }),
    ...(cls === 'upstream_invalid_request' && keptStatuses.has(seen.status) && { status: seen.status }),
  });
}

/** Statuses that tell the client more than 400 does. */
const keptStatuses: ReadonlySet<number> = new Set([409, 422]);

const has =
  (...codes: readonly string[]) =>
  ({ codes: seen }: Seen): boolean =>
    codes.some(code => seen.has(code));
const says =
  (...patterns: readonly RegExp[]) =>
  ({ text }: Seen): boolean =>
    patterns.some(pattern => pattern.test(text));
const isCallersFault = ({ status }: Seen): boolean => status >= 400 && status < 500 && status !== 429;

const saysTooLong = says(
  // OpenAI, Azure, vLLM, OpenRouter, DeepSeek; SGLang says "of"
  /maximum context length (?:is|of) \d/,
  /exceeds the context window/,
  // xAI
  /maximum prompt length is \d/,
  // vLLM, Groq
  /please reduce the length of the (?:input )?(?:messages|prompt)/,
  // vLLM 0.32: the answer that was asked for would not fit into the context
  /cannot be greater than max_model_len/,
  /'max_tokens' or 'max_completion_tokens' is too large/,
  // Mistral
  /too large for model with \d+ maximum context length/,
  // Moonshot
  /exceeded model token limit/,
  // llama.cpp
  /exceeds the available context size/,
  // LM Studio
  /greater than the context length/,
  /context length of only \d+ tokens/,
  // SGLang
  /longer than the model's context length/,
  // Text Generation Inference, Together
  /`?inputs`? tokens \+ `?max_new_tokens`? must be <= \d/,
  // GitHub Copilot, MiniMax, Google
  /prompt token count of \d+ exceeds the limit/,
  /context window exceeds limit/,
  /input token count (?:\(\d+\) )?exceeds the maximum/,
  // Anthropic and Bedrock, behind OpenRouter and other gateways
  /prompt is too long: \d/,
  /exceed context limit: \d/,
  /input is too long for requested model/,
);

/** In order: make sure that … */
const forms: readonly Form[] = [
  // … a redirect is never read for more than that
  { class: 'upstream_redirect', when: ({ status }) => status >= 300 && status < 400 },
  // … an empty account is not mistaken for a rate limit, nor for a bad key
  {
    class: 'upstream_quota_exhausted',
    when: either(
      status(402),
      has(
        'insufficient_quota',
        'billing_hard_limit_reached',
        'billing_not_active',
        'insufficient_balance',
        'exceeded_current_quota_error',
      ),
      says(
        /exceeded your current quota/,
        /insufficient (?:balance|credits|funds)/,
        /credit balance is too low/,
        /billing hard limit/,
      ),
    ),
  },
  // … a refusal for its content is one under any status (Azure and OpenAI 400, OpenRouter's moderation 403)
  {
    class: 'content_filtered',
    when: both(
      isCallersFault,
      either(
        has(
          'content_filter',
          'content_policy_violation',
          'responsibleaipolicyviolation',
          'invalid_prompt',
          'content_moderation',
          'moderation_blocked',
          // Of the Responses wire.
          'image_content_policy_violation',
          'bio_policy',
        ),
        says(
          /response was filtered due to the prompt triggering/,
          /content management policy/,
          /requires moderation on .{1,80}your input was flagged/,
        ),
      ),
    ),
  },
  { class: 'upstream_auth_failed', when: either(status(401, 403), has('invalid_api_key', 'authentication_error')) },
  // … a model that is busy for everyone is not mistaken for a limit of ours (Moonshot and TGI answer 429, Groq 498)
  {
    class: 'upstream_overloaded',
    when: either(
      status(498, 529),
      has('overloaded_error', 'engine_overloaded_error', 'overloaded', 'capacity_exceeded'),
      both(status(429, 500, 502), says(/(?:engine|model|server|service) is (?:currently )?overloaded/)),
    ),
  },
  // … a tokens-per-minute limit that comes as 413 (Groq) is a rate limit
  {
    class: 'upstream_rate_limited',
    when: either(status(429), has('rate_limit_exceeded', 'rate_limit_error', 'rate_limit_reached')),
  },
  {
    class: 'context_length_exceeded',
    when: both(
      either(isCallersFault, status(500)),
      either(
        has('context_length_exceeded', 'exceed_context_size_error'),
        saysTooLong,
        // Cerebras
        both(status(400, 413), ({ isBlank }: Seen) => isBlank),
      ),
    ),
  },
  { class: 'upstream_request_too_large', when: status(413) },
  {
    class: 'upstream_model_not_found',
    when: either(
      status(404),
      both(
        isCallersFault,
        either(
          has('model_not_found', 'model_decommissioned', 'deploymentnotfound', 'invalid_model'),
          says(/is not a valid model id/, /model .{1,120} (?:does not exist|not found)/, /invalid model: /),
        ),
      ),
    ),
  },
  // … one full replica is not counted as ill: vLLM's 503 at --max-num-queued-reqs, SGLang's at --max-queued-requests
  {
    class: 'upstream_saturated',
    when: both(status(503), says(/engine is currently busy and cannot accept new requests/, /queue is full/)),
  },
  { class: 'upstream_overloaded', when: status(503) },
  { class: 'upstream_error', when: either(status(408), ({ status }) => status >= 500) },
];

/** In a 200 the status is told by a numeric code (OpenRouter, vLLM), else by the words (OpenAI, Groq), else it is the provider's fault. */
function statusInBand({ codes }: ErrorBody): number {
  for (const code of codes) {
    if (/^[45]\d\d$/.test(code)) return Number(code);
    const known = statusOfWord.get(code);
    if (known !== undefined) return known;
  }
  return 500;
}

const statusOfWord: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400],
  ['badrequesterror', 400],
  ['authentication_error', 401],
  ['insufficient_quota', 429],
  ['permission_error', 403],
  ['not_found_error', 404],
  ['notfounderror', 404],
  ['rate_limit_error', 429],
  ['rate_limit_exceeded', 429],
  ['requests', 429],
  ['tokens', 429],
  ['overloaded_error', 529],
  ['context_length_exceeded', 400],
  ['content_filter', 400],
  // `ResponseError` of openai 7.57: what is wrong with a prompt is found out while it is answered.
  ...[
    'invalid_prompt',
    'bio_policy',
    'image_content_policy_violation',
    'invalid_image',
    'invalid_image_format',
    'invalid_base64_image',
    'invalid_image_url',
    'image_too_large',
    'image_too_small',
    'image_parse_error',
    'invalid_image_mode',
    'image_file_too_large',
    'unsupported_image_media_type',
    'empty_image_file',
    'failed_to_download_image',
    'image_file_not_found',
  ].map(code => [code, 400] as const),
]);
