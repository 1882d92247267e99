// Google's error bodies: google.rpc.Status, worded as the Gemini API words them.
import type { Problem, Step } from '../shape.ts';
import { gatewayPage, type Refusal, type Trouble } from './wire.ts';

const statuses: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  408: 'DEADLINE_EXCEEDED',
  409: 'ABORTED',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

export const geminiError = (
  code: number,
  message: string,
  details: readonly unknown[] = [],
  status = statuses[code],
): Refusal => ({
  status: code,
  body: { error: { code, message, status: status ?? 'INTERNAL', ...(details.length > 0 && { details }) } },
});

export const invalid = (message: string): Refusal => geminiError(400, message);

/** The names of the protocol's definition, which is what its parser complains of. */
const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);

const pathOf = (path: readonly Step[]): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'object') return text;
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? snake(step) : `${text}.${snake(step)}`;
  }, '');

export function geminiProblem(problem: Problem): Refusal {
  const at = pathOf(problem.path);
  const parent = pathOf(problem.path.slice(0, -1));
  const last = problem.path.at(-1);
  if (problem.kind === 'unknown')
    return invalid(
      `Invalid JSON payload received. Unknown name "${String(last)}"${parent === '' ? '' : ` at '${parent}'`}: Cannot find field.`,
    );
  if (problem.kind === 'missing') return invalid(`* GenerateContentRequest.${at}: ${String(last)} is not specified\n`);
  if (problem.kind === 'type') return invalid(`Invalid value at '${at}' (${problem.expected}), ${JSON.stringify(problem.got)}`);
  if (problem.kind === 'choice') return invalid(`Invalid value at '${at}', ${JSON.stringify(problem.got)}`);
  return invalid(`* GenerateContentRequest.${at}: is out of supported range\n`);
}

const RPC = 'type.googleapis.com/google.rpc';
const plan =
  'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.';
const quota = (quotaId: string, ...more: readonly unknown[]): Refusal =>
  geminiError(429, plan, [{ '@type': `${RPC}.QuotaFailure`, violations: [{ quotaId, quotaValue: '20' }] }, ...more]);

export const geminiTrouble = (trouble: Trouble, model: string, retryAfter?: string): Refusal => table[trouble](model, retryAfter);

const retryIn = (seconds: string) => ({ '@type': `${RPC}.RetryInfo`, retryDelay: `${seconds}s` });

const table: Record<Trouble, (model: string, retryAfter?: string) => Refusal> = {
  'bad-request': () => invalid('Request contains an invalid argument.'),
  authentication: () =>
    geminiError(400, 'API key not valid. Please pass a valid API key.', [
      { '@type': `${RPC}.ErrorInfo`, reason: 'API_KEY_INVALID', domain: 'googleapis.com' },
    ]),
  billing: () =>
    geminiError(429, 'Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.'),
  permission: () => geminiError(403, 'The caller does not have permission'),
  'not-found': model =>
    geminiError(
      404,
      `models/${model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.`,
    ),
  timeout: () => geminiError(408, 'Deadline expired before operation could complete.'),
  conflict: () => geminiError(409, 'The operation was aborted.'),
  'too-large': () => invalid('Request payload size exceeds the limit: 104857600 bytes.'),
  unprocessable: () => geminiError(422, 'Unprocessable entity.', [], 'INVALID_ARGUMENT'),
  'rate-limit': (_, seconds) =>
    quota('GenerateRequestsPerMinutePerProjectPerModel', ...(Number(seconds) >= 0 ? [retryIn(seconds!)] : [])),
  quota: () => quota('GenerateRequestsPerDayPerProjectPerModel-FreeTier', retryIn('34.4')),
  'server-error': () =>
    geminiError(
      500,
      'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
    ),
  'bad-gateway': () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: gatewayPage('502 Bad Gateway') }),
  unavailable: () => geminiError(503, 'The service is currently unavailable.'),
  'gateway-timeout': () => geminiError(504, 'Deadline expired before operation could complete.'),
  overloaded: () => geminiError(503, 'The model is overloaded. Please try again later.'),
  'context-length': () => invalid('The input token count (1043256) exceeds the maximum number of tokens allowed (1048576).'),
  'content-filter': () => invalid('The prompt was blocked.'),
};
