// The cheap look at a chat completions body: the few small fields that the gateway acts on. Runs on every request, and never
// parses the messages.
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../controls.ts';
import { invalid, readEssentials } from '../essentials.ts';
import type { Envelope } from '../frontend.ts';

export function inspect(body: JsonView): Parsed<Envelope> {
  const essentials = readEssentials(body, 'messages');
  if (!essentials.ok) return essentials;
  const includeUsage = readIncludeUsage(body);
  if (!includeUsage.ok) return includeUsage;
  const read = readControls(body);
  if (!read.ok) return read;
  const { model, stream } = essentials.value;
  return ok({ model, stream, includeUsage: includeUsage.value, ...read.value });
}

function readIncludeUsage(body: JsonView): Parsed<boolean> {
  if (!body.has('stream_options')) return ok(false);
  const options = body.get('stream_options');
  if (options === null) return ok(false);
  if (!isRecord(options)) return invalid('stream_options', 'an object');
  const wanted = options.include_usage ?? false;
  return typeof wanted === 'boolean' ? ok(wanted) : invalid('stream_options.include_usage', 'true or false');
}
