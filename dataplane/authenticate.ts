// Who is calling: the key of a request, found by the digest of the whole credential. Unknown, malformed and missing keys take the
// same path and get the same answer, so neither the body nor the time tells them apart.
import type { IncomingHttpHeaders } from 'node:http';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import type { LiveConfig, LiveKey } from './config/live.ts';

const BEARER = /^bearer\s+/i;

/**
 * The credential a client presents. Where there are several, the dedicated headers win over Authorization, as they do at Anthropic
 * itself. An empty one counts as absent: who sets ANTHROPIC_AUTH_TOKEN empties ANTHROPIC_API_KEY, and SDKs send
 * both. '' when there is none.
 */
export function presentedKey(headers: IncomingHttpHeaders): string {
  const dedicated = headers['x-api-key'] || headers['api-key'] || headers['x-goog-api-key'];
  if (typeof dedicated === 'string' && dedicated !== '') return dedicated;
  const { authorization } = headers;
  if (authorization === undefined) return '';
  // The usual spelling needs no regular expression.
  return authorization.startsWith('Bearer ') ? authorization.slice(7) : authorization.replace(BEARER, '');
}

export function authenticate(
  config: LiveConfig,
  headers: IncomingHttpHeaders,
  digest: (text: string) => string,
  now: number,
): Parsed<LiveKey> {
  const key = config.key(digest(presentedKey(headers)));
  if (!key) return refuse('invalid_api_key');
  if (key.until !== undefined && now >= key.until) return refuse('invalid_api_key');
  if (key.entry.suspended) return refuse('key_suspended');
  return ok(key);
}
