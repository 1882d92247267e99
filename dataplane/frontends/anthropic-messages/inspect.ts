// The cheap look at a messages body: the few small fields that the gateway acts on. Runs on every request, and never parses the
// messages.
import { ok, type Parsed, refuse } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import { type ControlsRead, readControls } from '../controls.ts';
import type { Envelope } from '../frontend.ts';

const MODEL_LENGTH_MAX = 256;

/** For `/v1/messages`. 0 is allowed: it fills the prompt cache without an answer (SDK 1.12, `max_tokens`). */
export function inspect(body: JsonView): Parsed<Envelope> {
  const limit = body.get('max_tokens');
  if (!Number.isSafeInteger(limit) || (limit as number) < 0) return invalid('max_tokens', 'a positive integer');
  return inspectAny(body);
}

/** For `/v1/messages/count_tokens`, which takes the same body and needs no `max_tokens`. */
export const inspectCount = inspectAny;

function inspectAny(body: JsonView): Parsed<Envelope> {
  const model = body.get('model');
  if (typeof model !== 'string' || model === '' || model.length > MODEL_LENGTH_MAX) {
    return invalid('model', `a string of 1 to ${MODEL_LENGTH_MAX} characters`);
  }
  if (!isFilledList(body, 'messages')) return invalid('messages', 'a list of at least one message');
  const stream = body.get('stream') ?? false;
  if (typeof stream !== 'boolean') return invalid('stream', 'true or false');
  const read = readControls(body);
  if (!read.ok) return read;
  return ok({ model, stream, includeUsage: true, ...inThisDialect(body, read.value) });
}

/** The end user is `metadata.user_id` here, and a top-level `user` is a field that Anthropic refuses: a control of ours. */
function inThisDialect(body: JsonView, { controls, edits }: ControlsRead): ControlsRead {
  const user = controls.metadata.user_id ?? controls.user;
  return {
    controls: user === undefined ? controls : { ...controls, user },
    edits: body.has('user') ? new Map([...edits, ['user', null]]) : edits,
  };
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
