// The cheap look at a chat completions body: the few small fields that the gateway acts on. Runs on every request, and never
// parses the messages.
import { ok, type Parsed } from '#core/failure.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../controls.ts';
import { readEssentials, readIncludeUsage } from '../essentials.ts';
import type { Envelope } from '../frontend.ts';
import { lookFor } from '../references.ts';

export function inspect(body: JsonView): Parsed<Envelope> {
  const essentials = readEssentials(body, 'messages');
  if (!essentials.ok) return essentials;
  const includeUsage = readIncludeUsage(body);
  if (!includeUsage.ok) return includeUsage;
  const read = readControls(body);
  if (!read.ok) return read;
  const { model, stream } = essentials.value;
  const names = filesIn(body);
  if (names.length > 0) return ok({ model, stream, includeUsage: includeUsage.value, ...read.value, names });
  return ok({ model, stream, includeUsage: includeUsage.value, ...read.value });
}

const filesIn = lookFor('file_id');
