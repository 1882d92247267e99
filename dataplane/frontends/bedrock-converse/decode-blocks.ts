// The messages of this dialect as neutral ones: blocks become parts, and each tool result becomes a message of its own. A cache point marks the
// block before it.
import { readCitationsContent } from '#core/chat/citations/converse.ts';
import { isUnsigned } from '#core/chat/foreign.ts';
import type { AssistantPart, CacheMark, Message, Source, TextPart, UserPart } from '#core/chat/request.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { aList, aName, anObject, aString, type Faults, invalid, optional, required } from '../reading.ts';

/** `extra`: what only this dialect knows, by the path where it stands. */
export type Reading = { readonly faults: Faults; readonly extra: Record<string, unknown> };

type ToolMessage = Extract<Message, { readonly role: 'tool' }>;
type Markable = { readonly cache?: CacheMark };

export function readMessages(reading: Reading, value: unknown): readonly Message[] {
  const list = required(reading.faults, value, 'messages', aList, []);
  return list.flatMap((item, i) => readMessage(reading, item, `messages[${i}]`));
}

function readMessage(reading: Reading, value: unknown, path: string): readonly Message[] {
  const { role, content } = required(reading.faults, value, path, anObject, {});
  const at = `${path}.content`;
  switch (role) {
    case 'user':
      return userTurn(reading, content, at);
    case 'assistant':
      return [{ role: 'assistant', content: readBlocks(reading, content, at, assistantPart) }];
    case 'system':
      return [{ role: 'system', content: readSystem(reading, content, at) }];
    default:
      invalid(reading.faults, `${path}.role`, 'one of user, assistant, system');
      return [];
  }
}

export const readSystem = (reading: Reading, value: unknown, path: string): readonly TextPart[] =>
  value === undefined || value === null ? [] : readBlocks(reading, value, path, textPart);

/** Each with its cache mark, where one stands behind it. */
function readBlocks<P extends object>(
  reading: Reading,
  value: unknown,
  path: string,
  read: (reading: Reading, block: JsonRecord, path: string) => P | undefined,
): readonly P[] {
  const parts: P[] = [];
  for (const [i, item] of required(reading.faults, value, path, aList, []).entries()) {
    const at = `${path}[${i}]`;
    const block = required(reading.faults, item, at, anObject, {});
    const last = parts.at(-1);
    const isPoint = isRecord(block.cachePoint) && Object.keys(block).length === 1;
    if (isPoint && last) parts[parts.length - 1] = { ...last, cache: markOf(block.cachePoint as JsonRecord) };
    else {
      const part = read(reading, block, at);
      if (part) parts.push(part);
    }
  }
  return parts;
}

const markOf = ({ ttl }: JsonRecord): CacheMark => (ttl === '1h' || ttl === '5m' ? { ttl } : {});

/** Results come first: they answer the calls of the turn before, and other dialects want nothing between the two. */
function userTurn(reading: Reading, content: unknown, path: string): readonly Message[] {
  const blocks = readBlocks<(UserPart | ToolMessage) & Markable>(reading, content, path, (at, block, blockPath) =>
    isRecord(block.toolResult) ? readResult(at, block.toolResult, `${blockPath}.toolResult`) : userPart(at, block, blockPath),
  );
  const results = blocks.filter(block => 'role' in block);
  const parts = blocks.filter(block => 'kind' in block);
  return parts.length > 0 || results.length === 0 ? [...results, { role: 'user', content: parts }] : results;
}

function readResult(reading: Reading, result: JsonRecord, path: string): ToolMessage {
  const callId = required(reading.faults, result.toolUseId, `${path}.toolUseId`, aName, '');
  const content = readBlocks(reading, result.content ?? [], `${path}.content`, (at, block, blockPath) =>
    'json' in block ? { kind: 'text' as const, text: JSON.stringify(block.json) } : userPart(at, block, blockPath),
  );
  return { role: 'tool', callId, content, ...(result.status === 'error' && { isError: true }) };
}

/** What is neither text nor bytes (video, what a guardrail is to look at, search results) is something the client says: it may not vanish unseen. */
function userPart(reading: Reading, block: JsonRecord, path: string): UserPart | undefined {
  if (isRecord(block.image))
    return mediaPart(reading, block.image, `${path}.image`, imageTypes, source => ({ kind: 'image', source }));
  if (isRecord(block.audio)) return audioPart(reading, block.audio, `${path}.audio`);
  if (isRecord(block.document)) return documentPart(reading, block.document, `${path}.document`);
  return textPart(reading, block, path);
}

function textPart({ faults, extra }: Reading, block: JsonRecord, path: string): TextPart | undefined {
  if ('text' in block) return { kind: 'text', text: required(faults, block.text, `${path}.text`, aString, '') };
  extra[path] = block;
  return undefined;
}

const imageTypes: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
};
const documentTypes: Readonly<Record<string, string>> = {
  pdf: 'application/pdf',
  csv: 'text/csv',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  html: 'text/html',
  txt: 'text/plain',
  md: 'text/markdown',
};

function mediaPart<P extends UserPart>(
  reading: Reading,
  media: JsonRecord,
  path: string,
  types: Readonly<Record<string, string>>,
  of: (source: Source) => P,
): P | undefined {
  const format = required(reading.faults, media.format, `${path}.format`, aName, '');
  const mediaType = Object.hasOwn(types, format) ? types[format] : undefined;
  const source = readSource(reading, media.source, `${path}.source`, mediaType ?? 'application/octet-stream');
  return source && of(source);
}

function documentPart(reading: Reading, document: JsonRecord, path: string): UserPart | undefined {
  const { faults } = reading;
  const title = optional(faults, document.name, `${path}.name`, aString);
  const context = optional(faults, document.context, `${path}.context`, aString);
  const citations = optional(faults, document.citations, `${path}.citations`, anObject)?.enabled === true;
  const about = {
    ...(title !== undefined && { title }),
    ...(context !== undefined && { context }),
    ...(citations && { citations }),
  };
  return mediaPart(reading, { format: 'txt', ...document }, path, documentTypes, source => ({
    kind: 'document',
    source: asText(source),
    ...about,
  }));
}

/** Other dialects take plain text as text. */
const asText = (source: Source): Source =>
  source.kind === 'base64' && source.mediaType === 'text/plain'
    ? { kind: 'text', text: Buffer.from(source.data, 'base64').toString() }
    : source;

function audioPart(reading: Reading, audio: JsonRecord, path: string): UserPart | undefined {
  const format = required(reading.faults, audio.format, `${path}.format`, aName, '');
  const source = readSource(reading, audio.source, `${path}.source`, `audio/${format}`);
  if (source?.kind === 'base64') return { kind: 'audio', format, data: source.data };
  reading.extra[path] = audio;
  return undefined;
}

function readSource(reading: Reading, value: unknown, path: string, mediaType: string): Source | undefined {
  const source = required(reading.faults, value, path, anObject, {});
  if (typeof source.bytes === 'string') return { kind: 'base64', mediaType, data: source.bytes };
  if (typeof source.text === 'string') return { kind: 'text', text: source.text };
  if (isRecord(source.s3Location))
    return { kind: 'url', url: required(reading.faults, source.s3Location.uri, `${path}.s3Location.uri`, aName, '') };
  reading.extra[path] = source;
  return undefined;
}

/** Other kinds of block are the work of what Bedrock runs: a history is cleaned of them for another provider. */
function assistantPart({ faults }: Reading, block: JsonRecord, path: string): (AssistantPart & Markable) | undefined {
  if ('text' in block) return { kind: 'text', text: required(faults, block.text, `${path}.text`, aString, '') };
  if (isRecord(block.reasoningContent)) return thinkingPart(faults, block.reasoningContent, `${path}.reasoningContent`);
  if (isRecord(block.citationsContent)) return { kind: 'text', ...readCitationsContent(block.citationsContent) };
  if (!isRecord(block.toolUse) || block.toolUse.type === 'server_tool_use') return undefined;
  const { toolUseId, name, input } = block.toolUse;
  return {
    kind: 'tool-call',
    id: required(faults, toolUseId, `${path}.toolUse.toolUseId`, aName, ''),
    name: required(faults, name, `${path}.toolUse.name`, aName, ''),
    arguments: JSON.stringify(required(faults, input, `${path}.toolUse.input`, anObject, {})),
  };
}

function thinkingPart(faults: Faults, { reasoningText, redactedContent }: JsonRecord, path: string): AssistantPart {
  if (typeof redactedContent === 'string')
    return { kind: 'redacted-thinking', data: Buffer.from(redactedContent, 'base64').toString('latin1') };
  const { text, signature } = required(faults, reasoningText, `${path}.reasoningText`, anObject, {});
  const signed = optional(faults, signature, `${path}.reasoningText.signature`, aString);
  return {
    kind: 'thinking',
    text: required(faults, text, `${path}.reasoningText.text`, aString, ''),
    ...(signed !== undefined && !isUnsigned(signed) && { signature: signed }),
  };
}
