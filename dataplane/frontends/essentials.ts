// What the body of nearly every dialect has at its top, read in the cheap look at a request: the model, the messages, whether to stream.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';

export type Essentials = { readonly model: string; readonly stream: boolean };

const MODEL_LENGTH_MAX = 256;

/** @param turns the field that must be a list of at least one message; undefined: the dialect has none that must be there */
export function readEssentials(body: JsonView, turns: 'messages' | undefined): Parsed<Essentials> {
  const model = body.get('model');
  if (typeof model !== 'string' || model === '' || model.length > MODEL_LENGTH_MAX) {
    return invalid('model', `a string of 1 to ${MODEL_LENGTH_MAX} characters`);
  }
  if (turns && !isFilledList(body, turns)) return invalid(turns, 'a list of at least one message');
  const stream = body.get('stream') ?? false;
  return typeof stream === 'boolean' ? ok({ model, stream }) : invalid('stream', 'true or false');
}

/** `stream_options.include_usage`, of the dialects of OpenAI that have it. */
export function readIncludeUsage(body: JsonView): Parsed<boolean> {
  if (!body.has('stream_options')) return ok(false);
  const options = body.get('stream_options');
  if (options === null) return ok(false);
  if (!isRecord(options)) return invalid('stream_options', 'an object');
  const wanted = options.include_usage ?? false;
  return typeof wanted === 'boolean' ? ok(wanted) : invalid('stream_options.include_usage', 'true or false');
}

export const invalid = (param: string, must: string) =>
  refuse('invalid_request', { message: `${param} must be ${must}.`, param });

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACES: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Told from the bytes at its start: the list itself may have megabytes. */
export function isFilledList({ bytes, fields }: JsonView, name: string): boolean {
  const field = fields.get(name);
  if (!field || bytes[field.start] !== OPEN_BRACKET) return false;
  let at = field.start + 1;
  while (at < field.end && SPACES.has(bytes[at])) at++;
  return bytes[at] !== CLOSE_BRACKET;
}
