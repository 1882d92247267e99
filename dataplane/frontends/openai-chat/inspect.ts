// The cheap look at a chat completions body: the few small fields that the gateway acts on. Runs on every request, and never
// parses the messages.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../controls.ts';
import type { Envelope } from '../frontend.ts';

const MODEL_LENGTH_MAX = 256;

export function inspect(body: JsonView): Parsed<Envelope> {
  const model = body.get('model');
  if (typeof model !== 'string' || model === '' || model.length > MODEL_LENGTH_MAX) {
    return invalid('model', `a string of 1 to ${MODEL_LENGTH_MAX} characters`);
  }
  if (!isFilledList(body, 'messages')) return invalid('messages', 'a list of at least one message');
  const stream = body.has('stream') ? body.get('stream') : false;
  if (stream !== null && typeof stream !== 'boolean') return invalid('stream', 'true or false');
  const includeUsage = readIncludeUsage(body);
  if (!includeUsage.ok) return includeUsage;
  const read = readControls(body);
  if (!read.ok) return read;
  return ok({ model, stream: stream === true, includeUsage: includeUsage.value, ...read.value });
}

const invalid = (param: string, must: string) => refuse('invalid_request', { message: `${param} must be ${must}.`, param });

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACES: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** Told from the bytes at its start: the list itself may have megabytes. */
function isFilledList({ bytes, fields }: JsonView, name: string): boolean {
  const field = fields.get(name);
  if (!field || bytes[field.start] !== OPEN_BRACKET) return false;
  let at = field.start + 1;
  while (at < field.end && SPACES.has(bytes[at])) at++;
  return bytes[at] !== CLOSE_BRACKET;
}

function readIncludeUsage(body: JsonView): Parsed<boolean> {
  if (!body.has('stream_options')) return ok(false);
  const options = body.get('stream_options');
  if (options === null) return ok(false);
  if (!isRecord(options)) return invalid('stream_options', 'an object');
  const wanted = options.include_usage ?? false;
  return typeof wanted === 'boolean' ? ok(wanted) : invalid('stream_options.include_usage', 'true or false');
}
