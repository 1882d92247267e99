// Content of messages: a string, or a list of parts.
import type { CacheMark, DocumentPart, ImagePart, TextPart, UserPart } from '#core/chat/request.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { isDataURL, readDataURL, readFileSource } from '../data-url.ts';
import { aName, anObject, aString, type Faults, invalid, optional, present, required, unsupportedKind } from '../reading.ts';

type PartReader<P extends UserPart> = (faults: Faults, part: JsonRecord, path: string) => P | undefined;

export function readUserParts(faults: Faults, content: unknown, path: string): readonly UserPart[] {
  return readParts(faults, content, path, userParts);
}

/** `first` names the first part where the list is not the client's own. */
export function readTextParts(faults: Faults, content: unknown, path: string, first?: string): readonly TextPart[] {
  return readParts(faults, content, path, textParts, first);
}

function readParts<P extends UserPart>(
  faults: Faults,
  content: unknown,
  path: string,
  readers: ReadonlyMap<unknown, PartReader<P>>,
  first?: string,
): readonly P[] {
  if (typeof content === 'string') return readParts(faults, [{ type: 'text', text: content }], path, readers, path);
  if (!Array.isArray(content)) {
    invalid(faults, path, 'a string or a list of parts');
    return [];
  }
  return content.map((part, i) => readPart(faults, part, first ?? `${path}[${i}]`, readers)).filter(part => part !== undefined);
}

function readPart<P extends UserPart>(
  faults: Faults,
  value: unknown,
  path: string,
  readers: ReadonlyMap<unknown, PartReader<P>>,
): P | undefined {
  const part = required(faults, value, path, anObject, {});
  const reader = readers.get(part.type);
  if (!reader && userParts.has(part.type))
    return invalid(faults, `${path}.type`, `one of ${[...readers.keys()].join(', ')} in this message`);
  if (!reader) return unsupportedKind(faults, `${path}.type`, 'content of type', part.type);
  const read = reader(faults, part, path);
  const cache = cacheMarkOf(part);
  return read && cache ? { ...read, cache } : read;
}

/**
 * OpenAI's `prompt_cache_breakpoint` (lives 30 minutes or 12 hours) and the `cache_control` that gateways and OpenRouter take in
 * this dialect; the neutral mark knows Anthropic's 5 minutes and 1 hour.
 */
export function cacheMarkOf(part: JsonRecord): CacheMark | undefined {
  const mark = part.cache_control ?? part.prompt_cache_breakpoint;
  if (!isRecord(mark)) return undefined;
  return mark.ttl === '1h' || mark.ttl === '12h' ? { ttl: '1h' } : {};
}

const readText: PartReader<TextPart> = (faults, part, path) => ({
  kind: 'text',
  text: required(faults, part.text, `${path}.text`, aString, ''),
});

const readImage: PartReader<ImagePart> = (faults, part, path) => {
  const image = required(faults, part.image_url, `${path}.image_url`, anObject, {});
  const url = required(faults, image.url, `${path}.image_url.url`, aName, '');
  const source = isDataURL(url) ? readDataURL(faults, url, `${path}.image_url.url`) : { kind: 'url' as const, url };
  const detail = optional(faults, image.detail, `${path}.image_url.detail`, aString);
  return source && present({ kind: 'image' as const, source, detail });
};

export const readAudio: PartReader<UserPart> = (faults, part, path) => {
  const audio = required(faults, part.input_audio, `${path}.input_audio`, anObject, {});
  return {
    kind: 'audio',
    format: required(faults, audio.format, `${path}.input_audio.format`, aName, ''),
    data: required(faults, audio.data, `${path}.input_audio.data`, aName, ''),
  };
};

const readFile: PartReader<DocumentPart> = (faults, part, path) => {
  const file = required(faults, part.file, `${path}.file`, anObject, {});
  const source = readFileSource(faults, file, `${path}.file`);
  const title = optional(faults, file.filename, `${path}.file.filename`, aString);
  return source && present({ kind: 'document' as const, source, title });
};

const textParts: ReadonlyMap<unknown, PartReader<TextPart>> = new Map([['text', readText]]);
const userParts: ReadonlyMap<unknown, PartReader<UserPart>> = new Map<unknown, PartReader<UserPart>>([
  ['text', readText],
  ['image_url', readImage],
  ['input_audio', readAudio],
  ['file', readFile],
]);
