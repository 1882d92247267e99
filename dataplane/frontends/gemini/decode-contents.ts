// The contents of this dialect as neutral messages: parts become parts, and each function response becomes a message of its own.
import { signedBy } from '#core/chat/foreign.ts';
import type { AssistantPart, Message, Source, TextPart, UserPart } from '#core/chat/request.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { aList, aName, anObject, aString, type Faults, invalid, optional, required } from '../reading.ts';
import { isStandIn, unwrapped } from './signatures.ts';
import { camelFields } from './spelling.ts';

/** `extra`: what only this dialect knows, by the path where it stands. */
export type Reading = {
  readonly faults: Faults;
  readonly extra: Record<string, unknown>;
  /** Calls that nothing has answered yet. Before Gemini 3 they had no ids: a result answers the first of its name. */
  readonly open: { readonly id: string; readonly name: string; readonly isNamed: boolean }[];
};

/** What has no neutral form of something that has one. */
export function noteOthers({ extra }: Reading, path: string, settings: JsonRecord): void {
  for (const [name, value] of Object.entries(settings))
    if (value !== undefined && value !== null) extra[`${path}.${name}`] = value;
}

export function readContents(reading: Reading, value: unknown): readonly Message[] {
  const list = required(reading.faults, value, 'contents', aList, []);
  if (list.length === 0) invalid(reading.faults, 'contents', 'a list of at least one content');
  return joined(list.flatMap((item, i) => readContent(reading, item, `contents[${i}]`)));
}

/**
 * Clients keep each chunk of a streamed answer as a part, or as a content, of its own: together they are one turn, whose thoughts were signed as
 * a whole.
 */
function joined(messages: readonly Message[]): readonly Message[] {
  const turns: Message[] = [];
  let answer: AssistantPart[] | undefined;
  for (const message of messages) {
    if (message.role !== 'assistant') {
      answer = undefined;
      turns.push(message);
      continue;
    }
    if (!answer) {
      answer = [];
      turns.push({ role: 'assistant', content: answer });
    }
    for (const part of message.content) join(answer, part);
  }
  return turns;
}

function join(parts: AssistantPart[], part: AssistantPart): void {
  const last = parts.at(-1);
  if (last?.kind === 'text' && part.kind === 'text') parts[parts.length - 1] = { ...last, text: last.text + part.text };
  else if (last?.kind === 'thinking' && part.kind === 'thinking' && last.signature === undefined)
    parts[parts.length - 1] = { ...part, text: last.text + part.text };
  else parts.push(part);
}

function readContent(reading: Reading, value: unknown, path: string): readonly Message[] {
  const { role = 'user', parts } = required(reading.faults, value, path, anObject, {});
  const read = readParts(reading.faults, parts, `${path}.parts`);
  switch (role) {
    case 'model':
      return [{ role: 'assistant', content: read.flatMap(({ part, at }, i) => modelParts(reading, part, at, `${path}_${i}`)) }];
    case 'user':
    case 'function':
      return userTurn(reading, read);
    default:
      invalid(reading.faults, `${path}.role`, 'one of user, model');
      return [];
  }
}

type PartAt = { readonly part: JsonRecord; readonly at: string };

function readParts(faults: Faults, value: unknown, path: string): readonly PartAt[] {
  return required(faults, value, path, aList, []).map((item, i) => {
    const at = `${path}[${i}]`;
    return { part: camelFields(required(faults, item, at, anObject, {})), at };
  });
}

/** The system prompt: a content without a role that matters. */
export function readSystem(reading: Reading, value: unknown): readonly Message[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return [{ role: 'system', content: [{ kind: 'text', text: value }] }];
  const { parts } = required(reading.faults, value, 'systemInstruction', anObject, {});
  const content = readParts(reading.faults, parts, 'systemInstruction.parts').flatMap(({ part, at }): TextPart[] => {
    if (typeof part.text === 'string') return [{ kind: 'text', text: part.text }];
    reading.extra[at] = part;
    return [];
  });
  return content.length > 0 ? [{ role: 'system', content }] : [];
}

// ---------------------------------------------------------------- the user's

type ToolMessage = Extract<Message, { role: 'tool' }>;

/** Results come first: they answer the calls of the turn before, and other dialects want nothing between the two. */
function userTurn(reading: Reading, parts: readonly PartAt[]): readonly Message[] {
  const results = parts.flatMap(({ part, at }) =>
    isRecord(part.functionResponse) ? readResult(reading, part.functionResponse, at) : [],
  );
  const content = parts
    .filter(({ part }) => !isRecord(part.functionResponse))
    .flatMap(({ part, at }) => userPart(reading, part, at));
  return content.length > 0 || results.length === 0 ? [...results, { role: 'user', content }] : results;
}

function userPart(reading: Reading, part: JsonRecord, path: string): readonly UserPart[] {
  const media = mediaPart(reading, part, path);
  const said = [...textIn(reading, part, path), ...(media ? [media] : [])];
  // A video, or what only Google's own tools make, is something the client says: it may not vanish unseen.
  if (said.length === 0) reading.extra[path] = part;
  else noteOthers(reading, path, Object.fromEntries(SETTINGS.map(name => [name, part[name]])));
  return said;
}

/** How a part is to be looked at, or spoken. */
const SETTINGS = ['videoMetadata', 'mediaResolution', 'mediaProcessing', 'speechMetadata'];

/** Google takes one kind of content in a part; a second one is told too, and left to the target. */
const textIn = ({ faults }: Reading, { text }: JsonRecord, path: string): readonly TextPart[] =>
  text === undefined ? [] : [{ kind: 'text', text: required(faults, text, `${path}.text`, aString, '') }];

function mediaPart({ faults }: Reading, part: JsonRecord, path: string): UserPart | undefined {
  if (isRecord(part.inlineData)) {
    const { mimeType, data } = camelFields(part.inlineData);
    const type = required(faults, mimeType, `${path}.inlineData.mimeType`, aName, '').toLowerCase();
    const bytes = required(faults, data, `${path}.inlineData.data`, aName, '');
    return partOfType(type, { kind: 'base64', mediaType: type, data: bytes });
  }
  if (isRecord(part.fileData)) {
    const { mimeType, fileUri } = camelFields(part.fileData);
    const type = (optional(faults, mimeType, `${path}.fileData.mimeType`, aString) ?? '').toLowerCase();
    const url = required(faults, fileUri, `${path}.fileData.fileUri`, aName, '');
    // Files at Google can be read there alone.
    const isPublic = /^https?:\/\//i.test(url) && !/^https?:\/\/generativelanguage\.googleapis\.com\//i.test(url);
    return isPublic ? partOfType(type, { kind: 'url', url }) : undefined;
  }
  return undefined;
}

function partOfType(type: string, source: Source): UserPart | undefined {
  if (type.startsWith('image/')) return { kind: 'image', source };
  if (type === 'text/plain' && source.kind === 'base64')
    return { kind: 'document', source: { kind: 'text', text: Buffer.from(source.data, 'base64').toString() } };
  if (type === 'application/pdf' || type.startsWith('text/')) return { kind: 'document', source };
  const format = type.startsWith('audio/') ? type.slice('audio/'.length) : undefined;
  if (format === undefined || source.kind !== 'base64') return undefined;
  return { kind: 'audio', format: format === 'mpeg' ? 'mp3' : format.replace(/^x-/, ''), data: source.data };
}

function readResult(reading: Reading, value: JsonRecord, path: string): ToolMessage[] {
  const { faults, open } = reading;
  const at = `${path}.functionResponse`;
  const { id, name, response, parts, ...settings } = camelFields(value);
  noteOthers(reading, at, settings);
  const called = required(faults, name, `${at}.name`, aName, '');
  const byId = typeof id === 'string' ? open.findIndex(call => call.id === id) : -1;
  // A client may have given ids of its own to calls that came without.
  const index = byId >= 0 ? byId : open.findIndex(call => call.name === called && (typeof id !== 'string' || !call.isNamed));
  if (index < 0) {
    invalid(faults, at, 'the answer to a call of the contents before it');
    return [];
  }
  const [call] = open.splice(index, 1);
  const { text, isError } = textOf(required(faults, response, `${at}.response`, anObject, {}));
  const shown =
    parts === undefined ? [] : readParts(faults, parts, `${at}.parts`).flatMap(({ part, at }) => userPart(reading, part, at));
  return [{ role: 'tool', callId: call!.id, content: [{ kind: 'text', text }, ...shown], ...(isError && { isError }) }];
}

/** `output` and `error` are the keys that Google gives a meaning to, `result` is what its SDKs write. */
function textOf(response: JsonRecord): { readonly text: string; readonly isError: boolean } {
  const [[key, value] = ['', undefined], ...more] = Object.entries(response);
  const isError = key === 'error';
  const isOnly = more.length === 0 && (isError || key === 'output' || key === 'result');
  if (!isOnly) return { text: JSON.stringify(response), isError: false };
  return { text: typeof value === 'string' ? value : JSON.stringify(value), isError };
}

// ---------------------------------------------------------------- the model's

/** @param place makes ids for calls that have none; the same in the next turn, when the history comes back */
function modelParts(reading: Reading, part: JsonRecord, path: string, place: string): readonly AssistantPart[] {
  const signature = typeof part.thoughtSignature === 'string' ? part.thoughtSignature : '';
  if (part.thought === true) return thoughtOf(part, signature);
  // Other parts are the work of Google's own tools, and images: a history is cleaned of them for another provider.
  const call = isRecord(part.functionCall) ? [callOf(reading, part.functionCall, path, place)] : [];
  return [...signatureBefore(signature), ...textIn(reading, part, path), ...call];
}

/** Thoughts of another provider carry its own signature, and what it sealed has no text. */
function thoughtOf({ text }: JsonRecord, signature: string): readonly AssistantPart[] {
  const said = typeof text === 'string' ? text : '';
  const foreign = unwrapped(signature);
  if (foreign?.kind === 'redacted') return [{ kind: 'redacted-thinking', data: foreign.data }];
  const own = foreign?.signature ?? (signature ? signedBy('google', signature) : undefined);
  return [{ kind: 'thinking', text: said, ...(own !== undefined && { signature: own }) }];
}

/** Google signs what follows the thinking. */
function signatureBefore(signature: string): readonly AssistantPart[] {
  if (signature === '' || isStandIn(signature) || unwrapped(signature)) return [];
  return [{ kind: 'thinking', text: '', signature: signedBy('google', signature) }];
}

function callOf({ faults, open }: Reading, value: JsonRecord, path: string, place: string): AssistantPart {
  const { id, name, args } = camelFields(value);
  const given = optional(faults, id, `${path}.functionCall.id`, aName);
  const call = {
    id: given ?? `call_${place.replace(/[^a-zA-Z0-9]+/g, '_')}`,
    name: required(faults, name, `${path}.functionCall.name`, aName, ''),
  };
  open.push({ ...call, isNamed: given !== undefined });
  return {
    kind: 'tool-call',
    ...call,
    arguments: JSON.stringify(optional(faults, args, `${path}.functionCall.args`, anObject) ?? {}),
  };
}
