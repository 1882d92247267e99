// What the API server says no with, as one typed error. Kinds are what callers decide by; the status and reason are for people.

export type KubeErrorKind =
  /** 410: the resourceVersion or continue token asked for is forgotten; list again. */
  | 'gone'
  /** 409: another writer was faster, or owns a field. */
  | 'conflict'
  /** 409 on create. */
  | 'exists'
  /** 429. */
  | 'throttled'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  /** The request itself is at fault (400, 405, 413, 415, 422): the same again will be refused again. */
  | 'invalid'
  /** 5xx. */
  | 'server'
  /** No answer, or half of one: whether the request was carried out is not known. */
  | 'unreachable';

/** `metav1.Status`, as far as it is read here. */
export type Status = {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
};

export class KubeError extends Error {
  readonly kind: KubeErrorKind;
  /** HTTP status; 0: there was none. */
  readonly status: number;
  /** The server's `reason`: Expired, AlreadyExists, ... */
  readonly reason: string;
  /** How long the server asks to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: KubeErrorKind, message: string, of: { status?: number; reason?: string; retryAfterMs?: number } = {}) {
    super(message);
    this.kind = kind;
    this.status = of.status ?? 0;
    this.reason = of.reason ?? '';
    this.retryAfterMs = of.retryAfterMs;
  }
}

const kinds: Readonly<Record<number, KubeErrorKind>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'gone',
  429: 'throttled',
};

/** @param retryAfter the header; the API server sends seconds */
export function errorOf(code: number, status: Status, retryAfter?: string): KubeError {
  const kind = status.reason === 'AlreadyExists' ? 'exists' : (kinds[code] ?? (code >= 500 ? 'server' : 'invalid'));
  const seconds = Number(retryAfter ?? status.details?.retryAfterSeconds);
  return new KubeError(kind, status.message ?? `status ${code}`, {
    status: code,
    reason: status.reason ?? '',
    ...(seconds > 0 && { retryAfterMs: seconds * 1000 }),
  });
}

/** Whether `error` is one of these kinds. */
export const isKubeError = (error: unknown, ...of: readonly KubeErrorKind[]): error is KubeError =>
  error instanceof KubeError && (of.length === 0 || of.includes(error.kind));
