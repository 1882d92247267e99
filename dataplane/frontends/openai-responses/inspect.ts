// The cheap look at a Responses body: the few small fields that the gateway acts on. Runs on every request, and never parses the input
// unless it refers to something that a provider keeps.
import { ok, type Parsed } from '#core/failure.ts';
import { isRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import { readControls } from '../controls.ts';
import { invalid, readEssentials } from '../essentials.ts';
import type { Envelope, StateName } from '../frontend.ts';
import { isReference, lookFor } from '../references.ts';

export function inspect(body: JsonView): Parsed<Envelope> {
  const essentials = readEssentials(body, undefined);
  if (!essentials.ok) return essentials;
  const names = readNames(body);
  if (!names.ok) return names;
  const [stores, works] = [readFlag(body, 'store'), readFlag(body, 'background')];
  if (!stores.ok) return stores;
  if (!works.ok) return works;
  const read = readControls(body);
  if (!read.ok) return read;
  const { model, stream } = essentials.value;
  return ok({
    model,
    stream,
    includeUsage: true,
    ...read.value,
    ...(names.value.length > 0 && { names: names.value }),
    // What is not said is kept, says OpenAI's reference.
    keeps: stores.value !== false,
    ...(works.value === true && { inBackground: true }),
    ...(readsMore(body) && { readsMore: true }),
  });
}

function readFlag(body: JsonView, name: string): Parsed<boolean | undefined> {
  const value = body.get(name) ?? undefined;
  return value === undefined || typeof value === 'boolean' ? ok(value) : invalid(name, 'true or false');
}

/** Tools that are no function of the client's are the provider's. */
function readsMore(body: JsonView): boolean {
  if ((body.get('prompt') ?? undefined) !== undefined) return true;
  const tools = body.get('tools');
  return Array.isArray(tools) && tools.some(tool => isRecord(tool) && tool.type !== 'function' && tool.type !== 'custom');
}

const ID_LENGTH_MAX = 256;
const isId = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= ID_LENGTH_MAX;
const AN_ID = `a string of 1 to ${ID_LENGTH_MAX} characters`;

/** What it goes on with. */
function readNames(body: JsonView): Parsed<readonly StateName[]> {
  const names: StateName[] = [];
  const previous = body.get('previous_response_id') ?? undefined;
  if (previous !== undefined) {
    if (!isId(previous)) return invalid('previous_response_id', AN_ID);
    names.push({ kind: 'response', id: previous, param: 'previous_response_id' });
  }
  const conversation = body.get('conversation') ?? undefined;
  if (conversation !== undefined) {
    const id = isRecord(conversation) ? conversation.id : conversation;
    if (!isId(id)) return invalid('conversation', `${AN_ID}, or an object with such an id`);
    names.push({ kind: 'conversation', id, param: 'conversation' });
  }
  names.push(...storedIn(body));
  return hasReferences(body) ? referencesIn(body, names) : bounded(names);
}

/** Files of the input, and what tools of the provider's own work on. */
const storedIn = lookFor('file_id', 'vector_store_id', '"container');

const REFERENCES = ['item_reference', '"image_generation_call"'].map(mark => Buffer.from(mark));
/** The type may be left out, or null, where nothing but an id is there. */
const ID_ALONE = /\{\s*(?:"type"\s*:\s*null\s*,\s*)?"id"\s*:\s*"[^"]*"\s*(?:,\s*"type"\s*:\s*null\s*)?\}/;
/** A letter may be written by its number. */
const ESCAPE = Buffer.from('\\u00');

function hasReferences({ bytes, fields }: JsonView): boolean {
  const input = fields.get('input');
  if (!input) return false;
  const text = bytes.subarray(input.start, input.end);
  return REFERENCES.some(mark => text.includes(mark)) || text.includes(ESCAPE) || ID_ALONE.test(text.toString('latin1'));
}

const REFERENCES_MAX = 1000;

function referencesIn(body: JsonView, names: StateName[]): Parsed<readonly StateName[]> {
  const input = body.get('input');
  if (!Array.isArray(input)) return bounded(names);
  for (const [i, item] of input.entries()) {
    if (!isRecord(item) || !isReference(item)) continue;
    if (!isId(item.id)) return invalid(`input[${i}].id`, AN_ID);
    names.push({ kind: 'item', id: item.id, param: `input[${i}].id` });
  }
  return bounded(names);
}

const bounded = (names: readonly StateName[]): Parsed<readonly StateName[]> =>
  names.length > REFERENCES_MAX ? invalid('input', `a list with at most ${REFERENCES_MAX} references`) : ok(names);
