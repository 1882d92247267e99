// Anthropic's models on Vertex AI: the messages wire at another path, with the model in it, the version in the body and a token of Google's.
import { isRecord } from '../shape.ts';
import { anthropic, countTokensReply } from './anthropic.ts';
import { anthropicError } from './anthropic-errors.ts';
import { geminiError } from './gemini-errors.ts';
import { bearer, type Headers, type Read, type Refusal, type Wire } from './wire.ts';

const VERSION = 'vertex-2023-10-16';
/** What that version is on Anthropic's own wire. */
const versionHeaders = { 'anthropic-version': '2023-06-01' };

const wireOf = (stream: boolean): Wire => ({
  ...anthropic,
  credential: bearer,
  missingCredential: 'Request is missing required authentication credential. Expected OAuth 2 access token.',
  read: (body, headers, model = '') => readFor(stream, body, headers, model),
  refuse: (status, message) => geminiError(status, message),
});

export const anthropicOnVertex = { whole: wireOf(false), stream: wireOf(true) };

/** Its count-tokens has a path without a model: the body names it. */
export function vertexCountReply(body: unknown): Refusal {
  if (!isRecord(body) || body.anthropic_version !== VERSION) return wrongVersion;
  const { anthropic_version: _version, ...rest } = body;
  return countTokensReply(rest, versionHeaders);
}

const wrongVersion = anthropicError(400, 'invalid_request_error', `anthropic_version: Input should be '${VERSION}'`);
const extraModel = anthropicError(400, 'invalid_request_error', 'model: Extra inputs are not permitted');

function readFor(stream: boolean, body: unknown, headers: Headers, model: string): Read {
  if (!isRecord(body) || body.anthropic_version !== VERSION) return { ok: false, refusal: wrongVersion };
  if ('model' in body) return { ok: false, refusal: extraModel };
  const { anthropic_version: _version, ...rest } = body;
  const read = anthropic.read({ ...rest, model }, { ...headers, ...versionHeaders });
  return read.ok ? { ok: true, ask: { ...read.ask, stream } } : read;
}
