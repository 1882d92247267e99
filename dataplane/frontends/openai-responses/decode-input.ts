// The input of a Responses body as neutral messages: one reader per type of item. What the model said in one turn, its reasoning and its
// calls included, are items side by side here, and one message there.
import { readAnnotations } from '#core/chat/citations/openai.ts';
import type { AssistantPart, DocumentPart, ImagePart, Message, TextPart, UserPart } from '#core/chat/request.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { isDataURL, readDataURL, readFileSource } from '../data-url.ts';
import { cacheMarkOf, readAudio } from '../openai-chat/index.ts';
import {
  aList,
  aName,
  anObject,
  aString,
  type Faults,
  invalid,
  optional,
  present,
  required,
  unsupported,
  unsupportedKind,
} from '../reading.ts';
import { partOfSealed } from './sealed.ts';

type Extra = Record<string, unknown>;
type ItemReader = (faults: Faults, item: JsonRecord, path: string) => Message | undefined;

export function readInput(faults: Faults, body: JsonRecord, extra: Extra): readonly Message[] {
  const instructions = optional(faults, body.instructions, 'instructions', aString);
  const system: Message[] = instructions ? [{ role: 'system', content: [{ kind: 'text', text: instructions }] }] : [];
  const { input } = body;
  if (typeof input === 'string') return [...system, { role: 'user', content: [{ kind: 'text', text: input }] }];
  const items = required(faults, input, 'input', aList, []);
  if (items.length === 0) invalid(faults, 'input', 'a text, or a list of at least one item');
  const messages = items.map((item, i) => readItem(faults, item, `input[${i}]`, extra)).filter(message => message !== undefined);
  return [...system, ...joined(messages)];
}

function readItem(faults: Faults, value: unknown, path: string, extra: Extra): Message | undefined {
  const item = required(faults, value, path, anObject, {});
  const type = item.type ?? (item.role === undefined ? 'item_reference' : 'message');
  const reader = readers.get(type);
  if (reader) return reader(faults, item, path);
  // Calls of tools that OpenAI runs, and their results.
  required(faults, type, `${path}.type`, aName, '');
  extra[path] = item;
  return undefined;
}

/** Neighbours that are one turn of the model. */
function joined(messages: readonly Message[]): Message[] {
  const turns: Message[] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (message.role === 'assistant' && last?.role === 'assistant')
      turns.splice(-1, 1, { ...last, content: [...last.content, ...message.content] });
    else turns.push(message);
  }
  return turns;
}

function readMessage(faults: Faults, item: JsonRecord, path: string): Message | undefined {
  const place = `${path}.content`;
  switch (item.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: readParts(faults, item.content, place, textParts) };
    case 'user':
      return { role: 'user', content: readParts(faults, item.content, place, userParts) };
    case 'assistant':
      return { role: 'assistant', content: readParts(faults, item.content, place, assistantParts) };
    default:
      return invalid(faults, `${path}.role`, 'one of system, developer, user, assistant');
  }
}

function readCall(faults: Faults, item: JsonRecord, path: string): Message {
  const call = {
    kind: 'tool-call' as const,
    id: required(faults, item.call_id, `${path}.call_id`, aName, ''),
    name: required(faults, item.name, `${path}.name`, aName, ''),
    arguments: required(faults, item.arguments, `${path}.arguments`, aString, ''),
  };
  return { role: 'assistant', content: [call] };
}

const readResult: ItemReader = (faults, item, path) => ({
  role: 'tool',
  callId: required(faults, item.call_id, `${path}.call_id`, aName, ''),
  content: readParts(faults, item.output, `${path}.output`, userParts),
});

/** Open models show their reasoning itself (`content`), others a summary of it. */
const readReasoning: ItemReader = (faults, item, path) => {
  const summary = textsIn(faults, item.summary, `${path}.summary`);
  const content = textsIn(faults, item.content, `${path}.content`);
  const text = (summary.length > 0 ? summary : content).join('\n\n');
  const id = optional(faults, item.id, `${path}.id`, aString) ?? '';
  const sealed = optional(faults, item.encrypted_content, `${path}.encrypted_content`, aString);
  return { role: 'assistant', content: [partOfSealed(text, id, sealed)] };
};

const readers: ReadonlyMap<unknown, ItemReader> = new Map<unknown, ItemReader>([
  ['message', readMessage],
  ['function_call', readCall],
  ['function_call_output', readResult],
  ['reasoning', readReasoning],
  ['item_reference', (faults, _item, path) => unsupported(faults, path, 'an item that is stored elsewhere')],
]);

const textsIn = (faults: Faults, list: unknown, path: string): string[] =>
  (optional(faults, list, path, aList) ?? []).map((part, i) =>
    required(faults, isRecord(part) ? part.text : undefined, `${path}[${i}].text`, aString, ''),
  );

// ---------------------------------------------------------------- parts

type PartReader<P> = (faults: Faults, part: JsonRecord, path: string) => P | undefined;

function readParts<P extends UserPart | AssistantPart>(
  faults: Faults,
  content: unknown,
  path: string,
  readers: ReadonlyMap<unknown, PartReader<P>>,
): readonly P[] {
  if (typeof content === 'string') return [{ kind: 'text', text: content } as P];
  const list = required(faults, content, path, aList, []);
  return list.map((part, i) => readPart(faults, part, `${path}[${i}]`, readers)).filter(part => part !== undefined);
}

function readPart<P>(faults: Faults, value: unknown, path: string, readers: ReadonlyMap<unknown, PartReader<P>>): P | undefined {
  const part = required(faults, value, path, anObject, {});
  const reader = readers.get(part.type);
  if (!reader) return unsupportedKind(faults, `${path}.type`, 'content of type', part.type);
  const read = reader(faults, part, path);
  const cache = cacheMarkOf(part);
  return read && cache ? { ...read, cache } : read;
}

const readText: PartReader<TextPart> = (faults, part, path) => ({
  kind: 'text',
  text: required(faults, part.text, `${path}.text`, aString, ''),
});

const readAnswer: PartReader<TextPart> = (faults, part, path) => {
  const read = readText(faults, part, path);
  const citations = read && readAnnotations(part.annotations, read.text);
  return read && citations && citations.length > 0 ? { ...read, citations } : read;
};

const readImage: PartReader<ImagePart> = (faults, part, path) => {
  const detail = optional(faults, part.detail, `${path}.detail`, aString);
  const id = optional(faults, part.file_id, `${path}.file_id`, aName);
  if (id !== undefined) return present({ kind: 'image' as const, source: { kind: 'file' as const, id }, detail });
  const url = required(faults, part.image_url, `${path}.image_url`, aName, '');
  const source = isDataURL(url) ? readDataURL(faults, url, `${path}.image_url`) : { kind: 'url' as const, url };
  return source && present({ kind: 'image' as const, source, detail });
};

const readFile: PartReader<DocumentPart> = (faults, part, path) => {
  const url = optional(faults, part.file_url, `${path}.file_url`, aName);
  const source = url === undefined ? readFileSource(faults, part, path) : { kind: 'url' as const, url };
  const title = optional(faults, part.filename, `${path}.filename`, aString);
  return source && present({ kind: 'document' as const, source, title });
};

const readRefusal: PartReader<AssistantPart> = (faults, part, path) => ({
  kind: 'refusal',
  text: required(faults, part.refusal, `${path}.refusal`, aString, ''),
});

const textParts: ReadonlyMap<unknown, PartReader<TextPart>> = new Map([
  ['input_text', readText],
  ['output_text', readText],
]);
const userParts: ReadonlyMap<unknown, PartReader<UserPart>> = new Map<unknown, PartReader<UserPart>>([
  ['input_text', readText],
  // Results that a client copies from an answer have it.
  ['output_text', readText],
  ['input_image', readImage],
  ['input_file', readFile],
  ['input_audio', readAudio],
]);
const assistantParts: ReadonlyMap<unknown, PartReader<AssistantPart>> = new Map<unknown, PartReader<AssistantPart>>([
  ['input_text', readText],
  ['output_text', readAnswer],
  ['refusal', readRefusal],
]);
