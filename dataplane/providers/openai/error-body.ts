// Reads the error bodies of OpenAI-shaped wires, which agree on little, into one form.
import { isRecord, type JsonRecord } from '#core/json/record.ts';

export type ErrorBody = {
  /** The provider's own words. */
  readonly message: string;
  /** Every code, type and status word in it, lower case, numbers as text. */
  readonly codes: ReadonlySet<string>;
  /** What a message is matched against: the message and what a gateway in between says its provider said; lower case. */
  readonly text: string;
  readonly param?: string;
};

const TEXT_MAX = 4096;

/** Undefined for what is not JSON: a proxy's HTML page says nothing about the request. */
export function readErrorBody(body: string): ErrorBody | undefined {
  const value = parsed(body);
  return value === undefined ? undefined : errorBodyOf(value);
}

export function errorBodyOf(value: unknown): ErrorBody {
  // Google's OpenAI-compatible endpoint wraps the object in a list.
  const outer = record(Array.isArray(value) ? value[0] : value);
  const inner = record(outer.error);
  const metadata = record(inner.metadata);
  const message = firstText(inner.message, outer.error, outer.message, record(outer.message).detail, outer.detail, inner.detail);
  const words = [
    inner.code,
    inner.type,
    inner.status,
    outer.code,
    outer.type,
    record(inner.innererror).code,
    metadata.error_type,
  ];
  const param = firstText(inner.param, outer.param);
  return {
    message,
    codes: new Set(words.filter(isWord).map(word => String(word).toLowerCase())),
    // OpenRouter: "Provider returned error", and the provider's body as text in `metadata.raw`.
    text: `${message}\n${firstText(metadata.raw)}`.slice(0, TEXT_MAX).toLowerCase(),
    ...(param !== '' && { param }),
  };
}

function parsed(body: string): unknown {
  for (const text of [body, spaced(body)]) {
    try {
      return JSON.parse(text);
    } catch {
      // The second try is for raw line ends inside of strings, as Azure has been seen to send them.
    }
  }
  return undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const spaced = (body: string): string => body.replace(/[\u0000-\u001f]/g, ' ');

const record = (value: unknown): JsonRecord => (isRecord(value) ? value : {});
const isWord = (value: unknown): value is string | number => typeof value === 'string' || typeof value === 'number';

/** FastAPI's `detail` may be a list of `{msg}`. */
function firstText(...values: unknown[]): string {
  for (const value of values) {
    if (typeof value === 'string' && value !== '') return value;
    const first = Array.isArray(value) ? record(value[0]) : {};
    if (typeof first.msg === 'string') return first.msg;
  }
  return '';
}
