// The cheap look at a chat completions body: the few small fields that the gateway acts on. Runs on every request, and never
// parses the messages.
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../controls.ts';
import { readEssentials, readIncludeUsage } from '../essentials.ts';
import type { Envelope, StateName } from '../frontend.ts';
import { mayHave, referencesIn } from '../references.ts';

export function inspect(body: JsonView): Parsed<Envelope> {
  const essentials = readEssentials(body, 'messages');
  if (!essentials.ok) return essentials;
  const includeUsage = readIncludeUsage(body);
  if (!includeUsage.ok) return includeUsage;
  const read = readControls(body);
  if (!read.ok) return read;
  const { model, stream } = essentials.value;
  const envelope = { model, stream, includeUsage: includeUsage.value, ...read.value };
  return ok(mayName(body) ? { ...envelope, ...named(body) } : envelope);
}

const mayName = mayHave('file_id', '"audio"');

function named(body: JsonView): Pick<Envelope, 'names' | 'keeps'> {
  const names = [...referencesIn(body.whole()), ...audioIn(body)];
  // What is said aloud is kept, for a while.
  return { ...(body.has('audio') && { keeps: true }), ...(names.length > 0 && { names }) };
}

/** Earlier answers that were said aloud: a turn of the assistant names them by their id (`openai` 7.57, resources/chat). */
function audioIn(body: JsonView): readonly StateName[] {
  const messages = body.get('messages');
  return (Array.isArray(messages) ? messages : []).flatMap((message, i): StateName[] =>
    isRecord(message) && isRecord(message.audio) && typeof message.audio.id === 'string'
      ? [{ kind: 'audio', id: message.audio.id, param: `messages[${i}].audio.id` }]
      : [],
  );
}
