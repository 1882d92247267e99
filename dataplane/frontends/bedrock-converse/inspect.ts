// The cheap look at a body of this dialect: the few small fields that the gateway acts on. Model and stream are in the path.
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../controls.ts';
import { invalid, isFilledList } from '../essentials.ts';
import type { Envelope } from '../frontend.ts';
import type { Asked } from './paths.ts';

const MODEL_LENGTH_MAX = 2048;

export function inspect(body: JsonView, { model, stream }: Asked): Parsed<Envelope> {
  if (model === '' || model.length > MODEL_LENGTH_MAX) return invalid('modelId', `a name of 1 to ${MODEL_LENGTH_MAX} characters`);
  if (!isFilledList(body, 'messages')) return invalid('messages', 'a list of at least one message');
  const read = readControls(body);
  if (!read.ok) return read;
  const { controls, edits } = read.value;
  return ok({ model, stream, includeUsage: true, controls, edits: withoutOurs(body, edits) });
}

/** Fields of the other dialects that are controls of ours in this one: Bedrock knows none of them. */
function withoutOurs(body: JsonView, edits: Envelope['edits']): Envelope['edits'] {
  const ours = ['user', 'metadata'].filter(name => body.has(name));
  return ours.length === 0 ? edits : new Map([...edits, ...ours.map(name => [name, null] as const)]);
}
