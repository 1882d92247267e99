// The cheap look at a messages body: the few small fields that the gateway acts on. Runs on every request, and never parses the
// messages.
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { type ControlsRead, readControls } from '../controls.ts';
import { invalid, readEssentials } from '../essentials.ts';
import type { Envelope } from '../frontend.ts';
import { mayHave, referencesIn } from '../references.ts';

/** For `/v1/messages`. 0 is allowed: it fills the prompt cache without an answer (SDK 1.12, `max_tokens`). */
export function inspect(body: JsonView): Parsed<Envelope> {
  const limit = body.get('max_tokens');
  if (!Number.isSafeInteger(limit) || (limit as number) < 0) return invalid('max_tokens', 'an integer of 0 or more');
  return inspectAny(body);
}

/** For `/v1/messages/count_tokens`, which takes the same body and needs no `max_tokens`. */
export const inspectCount = inspectAny;

function inspectAny(body: JsonView): Parsed<Envelope> {
  const essentials = readEssentials(body, 'messages');
  if (!essentials.ok) return essentials;
  const read = readControls(body);
  if (!read.ok) return read;
  const { model, stream } = essentials.value;
  const envelope = { model, stream, includeUsage: true, ...inThisDialect(body, read.value) };
  return ok(mayName(body) ? { ...envelope, ...named(body) } : envelope);
}

const mayName = mayHave('file_id', '"container', 'code_execution');

/** Files and containers: what a provider's own tools write is told of in the answer, and named later. */
function named(body: JsonView): Pick<Envelope, 'names' | 'keeps'> {
  const [container, tools] = [body.get('container'), body.get('tools')];
  const names = [...referencesIn(body.whole())];
  if (isRecord(container) && typeof container.id === 'string')
    names.push({ kind: 'container', id: container.id, param: 'container.id' });
  const keeps = isRecord(container) || (Array.isArray(tools) && tools.some(isProvidersOwn));
  return { ...(keeps && { keeps }), ...(names.length > 0 && { names }) };
}

const isProvidersOwn = (tool: unknown): boolean => isRecord(tool) && String(tool.type ?? 'custom') !== 'custom';

/** The end user is `metadata.user_id` here, and a top-level `user` is a field that Anthropic refuses: a control of ours. */
function inThisDialect(body: JsonView, { controls, edits }: ControlsRead): ControlsRead {
  const user = controls.metadata.user_id ?? controls.user;
  return {
    controls: user === undefined ? controls : { ...controls, user },
    edits: body.has('user') ? new Map([...edits, ['user', null]]) : edits,
  };
}
