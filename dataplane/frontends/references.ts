// What a body names that a provider keeps, wherever in it that stands: another tenant's must not be reached by its id.
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { JsonView } from '#core/json/view.ts';
import type { StateName } from './frontend.ts';

type Kind = StateName['kind'];

/** By the names that OpenAI's API has for them (`openai` 7.57): an id, or a list of ids. */
const fields: Readonly<Record<string, Kind>> = {
  file_id: 'file',
  file_ids: 'file',
  input_file_id: 'file',
  training_file: 'file',
  validation_file: 'file',
  part_ids: 'upload_part',
  vector_store_id: 'vector_store',
  vector_store_ids: 'vector_store',
  container: 'container',
  container_id: 'container',
};

export const REFERENCES_MAX = 1000;

/** What a field's name says that its value names, in JSON and in forms (`images[0][file_id]`). */
export function kindOfField(name: string): Kind | undefined {
  const plain = name.split(/[[\].]+/).findLast(part => part !== '' && !/^\d+$/.test(part)) ?? '';
  return Object.hasOwn(fields, plain) ? fields[plain] : undefined;
}

/** At most one more than is allowed. */
export function referencesIn(body: unknown): readonly StateName[] {
  const found: StateName[] = [];
  const add = (kind: Kind, id: unknown, param: string) => {
    if (typeof id === 'string' && found.length <= REFERENCES_MAX) found.push({ kind, id: id.slice(0, 1024), param });
  };
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const [i, item] of value.entries()) visit(item, `${path}[${i}]`);
    else if (isRecord(value)) {
      for (const [name, inner] of Object.entries(value)) {
        const at = path === '' ? name : `${path}.${name}`;
        const kind = kindOfField(name);
        if (kind && Array.isArray(inner)) for (const [i, id] of inner.entries()) add(kind, id, `${at}[${i}]`);
        else if (kind) add(kind, inner, at);
        visit(inner, at);
      }
    }
  };
  visit(body, '');
  return found;
}

/** Fields by which a body of the Responses API goes on with what is kept. */
const CONTINUING = { previous_response_id: 'response', conversation: 'conversation' } as const;

/** What a body of the Responses API goes on with: a response, a conversation, items. */
export function continuedIn(body: JsonRecord): readonly StateName[] {
  const found: StateName[] = [];
  for (const [param, kind] of Object.entries(CONTINUING)) {
    const value = body[param] ?? undefined;
    if (value !== undefined) found.push({ kind, id: String(isRecord(value) ? value.id : value), param });
  }
  return [...found, ...itemsNamedIn(body.input, 'input')];
}

/** Items of a conversation that stand for ones that are kept. */
export const itemsNamedIn = (items: unknown, path: string): readonly StateName[] =>
  (Array.isArray(items) ? items : []).flatMap((item, i): StateName[] =>
    isRecord(item) && isReference(item) ? [{ kind: 'item', id: String(item.id), param: `${path}[${i}].id` }] : [],
  );

/** By its type, by having nothing but an id, or as a picture that is not there (OpenAI's page "Image generation", multi-turn editing). */
export function isReference(item: JsonRecord): boolean {
  if (item.type === 'image_generation_call') return !item.result;
  const isAlone = (item.type ?? undefined) === undefined && Object.keys(item).every(name => name === 'id' || name === 'type');
  return item.type === 'item_reference' || (isAlone && item.id !== undefined);
}

const NONE: readonly StateName[] = [];
/** A letter, or an underscore, may be written by its number. No encoder of JSON does that: those write so what is no ASCII. */
const ESCAPE = Buffer.from('\\u00');
const LETTERS = ['\\u004', '\\u005', '\\u006', '\\u007'].map(letter => Buffer.from(letter));

const hidesLetters = (bytes: Buffer): boolean => bytes.includes(ESCAPE) && LETTERS.some(letter => bytes.includes(letter));

/** Whether a body may have such fields: without parsing it, as it mostly has none. */
export const mayHave = (...marks: readonly string[]) => {
  const needles = marks.map(mark => Buffer.from(mark));
  return ({ bytes }: JsonView): boolean => needles.some(needle => bytes.includes(needle)) || hidesLetters(bytes);
};

/** What a body names, where it has one of these marks. */
export const lookFor = (...marks: readonly string[]) => {
  const mayName = mayHave(...marks);
  return (body: JsonView): readonly StateName[] => (mayName(body) ? referencesIn(body.whole()) : NONE);
};
