// Asks a hook over HTTP, and reads its verdict. Whatever it says that is no verdict is a failure of the hook, never one of the request.
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { Hook } from '#core/snapshot/snapshot.ts';
import { type Asked, ask, type NoAnswer } from '#platform/http-ask.ts';
import type { HttpClient, HttpRequest } from '#platform/http-client.ts';

export type Verdict =
  | { readonly kind: 'allow' }
  /** What the client is told. */
  | { readonly kind: 'deny'; readonly reason: string | undefined }
  | Replacement;

/** Of a request by another body; of an answer's words, in their order, by others. */
export type Replacement =
  | { readonly kind: 'replace'; readonly body: JsonRecord }
  | { readonly kind: 'replace'; readonly texts: readonly string[] };

/** What may be wrong with a hook. */
export type HookFailure = 'timeout' | 'unreachable' | 'refused' | 'bad_verdict' | 'too_large' | 'unusable';

export type Answer = Verdict | { readonly kind: 'failed'; readonly why: HookFailure };

export type Target = NonNullable<Hook['http']>;

const MAX_REASON = 512;
/** Around a body that comes back. */
const VERDICT_BYTES = 64 * 1024;

export type Question = {
  readonly http: HttpClient;
  readonly target: Target;
  /** undefined: a secret that it needs is not there. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** JSON. */
  readonly body: string;
  /** The target's own, or what is left of the request's time. */
  readonly timeoutMs: number;
};

const failed = (why: HookFailure): Answer => ({ kind: 'failed', why });

export async function askHook({ http, target, headers, body, timeoutMs }: Question): Promise<Answer> {
  if (!headers) return failed('unusable');
  if (Buffer.byteLength(body) > target.maxBodyBytes) return failed('too_large');
  if (timeoutMs <= 0) return failed('timeout');
  const request: HttpRequest = {
    method: 'POST',
    origin: target.origin,
    path: target.path,
    headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
    body,
    connectTimeoutMs: target.timeout,
  };
  const until = performance.now() + timeoutMs;
  const bounds = { timeoutMs, maxBytes: target.maxBodyBytes + VERDICT_BYTES };
  const first = await ask(http, request, bounds);
  // A connection that was idle may be closed by the other side as it is used.
  const wasStale = 'failed' in first && first.failed === 'reset';
  return answerOf(wasStale ? await ask(http, request, { ...bounds, timeoutMs: until - performance.now() }) : first);
}

function answerOf(asked: Asked | NoAnswer): Answer {
  if ('failed' in asked) {
    if (asked.failed === 'timeout' || asked.failed === 'connect-timeout') return failed('timeout');
    return failed(asked.failed === 'too-large' ? 'too_large' : 'unreachable');
  }
  if (asked.status !== 200) return failed('refused');
  return verdictIn(asked.body.toString()) ?? failed('bad_verdict');
}

/** undefined: it is none. */
export function verdictIn(text: string): Verdict | undefined {
  const said = parsed(text);
  if (!isRecord(said)) return undefined;
  const { verdict, reason, body, texts } = said;
  if (verdict === 'allow') return { kind: 'allow' };
  if (verdict === 'deny' && (reason === undefined || typeof reason === 'string')) return { kind: 'deny', reason: shown(reason) };
  if (verdict !== 'replace') return undefined;
  if (isRecord(body) && texts === undefined) return { kind: 'replace', body };
  const areTexts = body === undefined && Array.isArray(texts) && texts.every(one => typeof one === 'string');
  return areTexts ? { kind: 'replace', texts } : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One line of a few words, whatever was sent. */
const shown = (reason: string | undefined): string | undefined =>
  reason
    ?.replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON) || undefined;
