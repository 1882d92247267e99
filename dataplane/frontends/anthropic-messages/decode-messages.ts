// The messages of this dialect as neutral ones: blocks become parts, and each tool result becomes a message of its own.
import { readAnthropicCitation } from '#core/chat/citations/anthropic.ts';
import { isUnsigned } from '#core/chat/foreign.ts';
import type {
  AssistantPart,
  CacheMark,
  DocumentPart,
  ImagePart,
  Message,
  Source,
  TextPart,
  UserPart,
} from '#core/chat/request.ts';
import { recordsOf } from '#core/json/lenient.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { aBoolean, aList, aName, anObject, aString, type Faults, invalid, optional, present, required } from '../reading.ts';

/** `extra`: what only this dialect knows, by the path where it stands. */
export type Reading = { readonly faults: Faults; readonly extra: Record<string, unknown> };

type BlockReader<P> = (reading: Reading, block: JsonRecord, path: string) => P | undefined;

export function readMessages(reading: Reading, value: unknown): readonly Message[] {
  const list = required(reading.faults, value, 'messages', aList, []);
  return list.flatMap((item, i) => readMessage(reading, item, `messages[${i}]`));
}

function readMessage(reading: Reading, value: unknown, path: string): readonly Message[] {
  const message = required(reading.faults, value, path, anObject, {});
  const content = `${path}.content`;
  switch (message.role) {
    case 'user':
      return readUserTurn(reading, message.content, content);
    case 'assistant':
      return [{ role: 'assistant', content: readBlocks(reading, message.content, content, assistantPart) }];
    case 'system':
      return systemMessage(readTextParts(reading, message.content, content));
    default:
      invalid(reading.faults, `${path}.role`, 'one of user, assistant, system');
      return [];
  }
}

const systemMessage = (content: readonly TextPart[]): readonly Message[] =>
  content.length > 0 ? [{ role: 'system', content }] : [];

/** System messages may hold blocks of other types (`tool_addition`), which no other dialect has. */
export function readTextParts(reading: Reading, content: unknown, path: string): readonly TextPart[] {
  return readBlocks(reading, content, path, (at, block, blockPath) => {
    if (block.type === 'text') return readText(at, block, blockPath);
    at.extra[blockPath] = block;
    return undefined;
  });
}

/** A string is short for one text block. */
function readBlocks<P>(reading: Reading, content: unknown, path: string, read: BlockReader<P>): readonly P[] {
  if (typeof content === 'string') return readBlocks(reading, [{ type: 'text', text: content }], path, read);
  if (!Array.isArray(content)) {
    invalid(reading.faults, path, 'a string or a list of content blocks');
    return [];
  }
  return content
    .map((item, i) => read(reading, required(reading.faults, item, `${path}[${i}]`, anObject, {}), `${path}[${i}]`))
    .filter(part => part !== undefined);
}

type ToolMessage = Extract<Message, { readonly role: 'tool' }>;

/** Results come first: they answer the calls of the turn before, and other dialects want nothing between the two. */
function readUserTurn(reading: Reading, content: unknown, path: string): readonly Message[] {
  const blocks = readBlocks<UserPart | ToolMessage>(reading, content, path, (at, block, blockPath) =>
    block.type === 'tool_result' ? readToolResult(at, block, blockPath) : userPart(at, block, blockPath),
  );
  const results = blocks.filter(block => 'role' in block);
  const parts = blocks.filter(block => 'kind' in block);
  return parts.length > 0 || results.length === 0 ? [...results, { role: 'user', content: parts }] : results;
}

const readToolResult: BlockReader<ToolMessage> = (reading, block, path) => {
  const { faults } = reading;
  const content = block.content ?? [];
  return present({
    role: 'tool' as const,
    callId: required(faults, block.tool_use_id, `${path}.tool_use_id`, aName, ''),
    content: readBlocks(reading, content, `${path}.content`, userPart),
    isError: optional(faults, block.is_error, `${path}.is_error`, aBoolean),
    cache: cacheMarkOf(block),
  });
};

const readText: BlockReader<TextPart> = ({ faults }, block, path) =>
  present({
    kind: 'text' as const,
    text: required(faults, block.text, `${path}.text`, aString, ''),
    cache: cacheMarkOf(block),
  });

const readAnswer: BlockReader<TextPart> = (reading, block, path) => {
  const read = readText(reading, block, path);
  const citations = recordsOf(block.citations).flatMap(citation => readAnthropicCitation(citation) ?? []);
  return read && citations.length > 0 ? { ...read, citations } : read;
};

const readImage: BlockReader<ImagePart> = (reading, block, path) => {
  const source = readSource(reading, block.source, `${path}.source`);
  return source && present({ kind: 'image' as const, source, cache: cacheMarkOf(block) });
};

const readDocument: BlockReader<DocumentPart> = (reading, block, path) => {
  const { faults } = reading;
  const source = readSource(reading, block.source, `${path}.source`);
  const citations = optional(faults, block.citations, `${path}.citations`, anObject);
  return (
    source &&
    present({
      kind: 'document' as const,
      source,
      title: optional(faults, block.title, `${path}.title`, aString),
      context: optional(faults, block.context, `${path}.context`, aString),
      citations: optional(faults, citations?.enabled, `${path}.citations.enabled`, aBoolean),
      cache: cacheMarkOf(block),
    })
  );
};

const userParts: ReadonlyMap<unknown, BlockReader<UserPart>> = new Map<unknown, BlockReader<UserPart>>([
  ['text', readText],
  ['image', readImage],
  ['document', readDocument],
]);

/** A block of another type (`search_result`, `container_upload`, ...) is something the client says, so it may not vanish unseen. */
const userPart: BlockReader<UserPart> = (reading, block, path) => {
  const read = userParts.get(required(reading.faults, block.type, `${path}.type`, aName, 'text'));
  if (read) return read(reading, block, path);
  reading.extra[path] = block;
  return undefined;
};

const assistantParts: ReadonlyMap<unknown, BlockReader<AssistantPart>> = new Map<unknown, BlockReader<AssistantPart>>([
  ['text', readAnswer],
  [
    'thinking',
    ({ faults }, block, path) => {
      const text = required(faults, block.thinking, `${path}.thinking`, aString, '');
      const signature = optional(faults, block.signature, `${path}.signature`, aString);
      return { kind: 'thinking', text, ...(signature !== undefined && !isUnsigned(signature) && { signature }) };
    },
  ],
  [
    'redacted_thinking',
    ({ faults }, block, path) => ({
      kind: 'redacted-thinking',
      data: required(faults, block.data, `${path}.data`, aString, ''),
    }),
  ],
  [
    'tool_use',
    ({ faults }, block, path) =>
      present({
        kind: 'tool-call' as const,
        id: required(faults, block.id, `${path}.id`, aName, ''),
        name: required(faults, block.name, `${path}.name`, aName, ''),
        arguments: JSON.stringify(required(faults, block.input, `${path}.input`, anObject, {})),
        cache: cacheMarkOf(block),
      }),
  ],
]);

/** Other types of block are the work of Anthropic's own tools: a history is cleaned of them for another provider. */
const assistantPart: BlockReader<AssistantPart> = (reading, block, path) =>
  assistantParts.get(required(reading.faults, block.type, `${path}.type`, aName, 'text'))?.(reading, block, path);

export function cacheMarkOf({ cache_control: mark }: JsonRecord): CacheMark | undefined {
  if (!isRecord(mark)) return undefined;
  return mark.ttl === '1h' || mark.ttl === '5m' ? { ttl: mark.ttl } : {};
}

type SourceReader = (reading: Reading, source: JsonRecord, path: string) => Source;

const sources: ReadonlyMap<unknown, SourceReader> = new Map<unknown, SourceReader>([
  [
    'base64',
    ({ faults }, source, path) => ({
      kind: 'base64',
      mediaType: required(faults, source.media_type, `${path}.media_type`, aName, ''),
      data: required(faults, source.data, `${path}.data`, aName, ''),
    }),
  ],
  ['url', ({ faults }, source, path) => ({ kind: 'url', url: required(faults, source.url, `${path}.url`, aName, '') })],
  ['file', ({ faults }, source, path) => ({ kind: 'file', id: required(faults, source.file_id, `${path}.file_id`, aName, '') })],
  ['text', ({ faults }, source, path) => ({ kind: 'text', text: required(faults, source.data, `${path}.data`, aString, '') })],
  ['content', readContentSource],
]);

/** A document made of blocks becomes its text; what is not text in it stays behind, named. */
function readContentSource(reading: Reading, source: JsonRecord, path: string): Source {
  const parts = readTextParts(reading, source.content, `${path}.content`);
  return { kind: 'text', text: parts.map(part => part.text).join('\n') };
}

function readSource(reading: Reading, value: unknown, path: string): Source | undefined {
  const source = required(reading.faults, value, path, anObject, {});
  const read = sources.get(required(reading.faults, source.type, `${path}.type`, aName, 'text'));
  if (read) return read(reading, source, path);
  reading.extra[path] = source;
  return undefined;
}
