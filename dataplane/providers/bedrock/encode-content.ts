// Parts of messages as Converse's content blocks; none for a part that the target cannot take.
import { converseCitation } from '#core/chat/citations/converse.ts';
import { portableToolId, shortToolId, signatureOf } from '#core/chat/foreign.ts';
import type { AssistantPart, CacheMark, DocumentPart, Source, TextPart, ToolCallPart, UserPart } from '#core/chat/request.ts';
import type { LeavingOut } from '../leaving-out.ts';
import { argumentsObject } from '../wire.ts';
import type { ModelTraits } from './models.ts';
import { wrapped } from './redacted.ts';

export type Block = Readonly<Record<string, unknown>>;

/** What encoding one request goes by. `documents`: the names that are taken; two documents of one name are refused. */
export type Context = { readonly traits: ModelTraits; readonly limits: LeavingOut; readonly documents: Set<string> };

export function userBlocks(parts: readonly UserPart[], path: string, context: Context): readonly Block[] {
  return parts.flatMap((part, index) => {
    const at = `${path}.content[${index}]`;
    const block = userBlock(part, context);
    if (!block && part.kind !== 'text') context.limits.leaveOut(at);
    if (part.kind === 'image' && part.detail !== undefined && part.detail !== 'auto') context.limits.leaveOut(`${at}.detail`);
    return block ? [block, ...pointBehind(part, context)] : [];
  });
}

/** Behind a document there is nothing that Nova could keep, and the mark is refused. */
const pointBehind = (part: UserPart, context: Context): readonly Block[] =>
  part.kind === 'audio' || (part.kind === 'document' && context.traits.caching === 'texts')
    ? []
    : cachePoint(part.cache, context);

function userBlock(part: UserPart, context: Context): Block | undefined {
  switch (part.kind) {
    case 'text':
      return textBlock(part.text);
    case 'image': {
      const source = sourceOf(part.source);
      const format = imageFormat(part.source);
      return source && format ? { image: { format, source } } : undefined;
    }
    case 'audio':
      return { audio: { format: part.format, source: { bytes: part.data } } };
    case 'document':
      return documentBlock(part, context);
  }
}

/** "The text field in the ContentBlock object is blank": white space alone is refused too. */
const textBlock = (text: string): Block | undefined => (text.trim() === '' ? undefined : { text });

export const systemBlocks = (parts: readonly TextPart[], context: Context): readonly Block[] =>
  parts.flatMap(({ text, cache }) => {
    const block = textBlock(text);
    return block ? [block, ...cachePoint(cache, context)] : [];
  });

/** A mark is a block of its own behind what is kept. To a model that keeps nothing it means nothing. */
export function cachePoint(cache: CacheMark | undefined, { traits }: Context): readonly Block[] {
  if (!cache || traits.caching === 'none') return [];
  return [{ cachePoint: { type: 'default', ...(cache.ttl && traits.caching === 'with-ttl' && { ttl: cache.ttl }) } }];
}

const imageFormats: ReadonlyMap<string, string> = new Map([
  ['image/png', 'png'],
  ['image/jpeg', 'jpeg'],
  ['image/gif', 'gif'],
  ['image/webp', 'webp'],
]);

const documentFormats: ReadonlyMap<string, string> = new Map([
  ['application/pdf', 'pdf'],
  ['text/csv', 'csv'],
  ['application/msword', 'doc'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'],
  ['application/vnd.ms-excel', 'xls'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
  ['text/html', 'html'],
  ['text/markdown', 'md'],
  ['text/plain', 'txt'],
]);

/** By its type, or by the end of its name in S3. */
const imageFormat = (source: Source): string | undefined =>
  source.kind === 'base64' ? imageFormats.get(source.mediaType) : extensionIn(source, [...imageFormats.values()]);

const documentFormat = (source: Source): string | undefined => {
  if (source.kind === 'text') return 'txt';
  if (source.kind !== 'base64') return extensionIn(source, [...documentFormats.values()]);
  return documentFormats.get(source.mediaType) ?? (source.mediaType.startsWith('text/') ? 'txt' : undefined);
};

function extensionIn(source: Source, known: readonly string[]): string | undefined {
  const extension =
    source.kind === 'url' ? /\.([a-z]{2,4})$/i.exec(source.url)?.[1]?.toLowerCase().replace('jpg', 'jpeg') : undefined;
  return extension !== undefined && known.includes(extension) ? extension : undefined;
}

/** Bedrock reads from S3, and nothing else by its address. */
function sourceOf(source: Source): Block | undefined {
  switch (source.kind) {
    case 'base64':
      return { bytes: source.data };
    case 'text':
      return { bytes: Buffer.from(source.text).toString('base64') };
    case 'url':
      return source.url.startsWith('s3://') ? { s3Location: { uri: source.url } } : undefined;
    case 'file':
      return undefined;
  }
}

function documentBlock({ source: from, title, context: about, citations }: DocumentPart, context: Context): Block | undefined {
  const [source, format] = [sourceOf(from), documentFormat(from)];
  if (!source || !format) return undefined;
  return {
    document: {
      format,
      name: documentName(title, context.documents),
      source,
      ...(about !== undefined && { context: about }),
      ...(citations && { citations: { enabled: true } }),
    },
  };
}

const NAME_MAX = 180;

/** Letters, digits, hyphens, brackets and single spaces are all that a name may have. */
function documentName(title = '', taken: Set<string>): string {
  const clean = title
    .replace(/\.[A-Za-z]{2,4}$/, '')
    .replace(/[^A-Za-z0-9()[\]-]+/g, ' ')
    .trim()
    .slice(0, NAME_MAX);
  const wanted = clean || 'document';
  let name = wanted;
  for (let next = 2; taken.has(name); next++) name = `${wanted}-${next}`;
  taken.add(name);
  return name;
}

/** A mark inside of a result is refused: it stands behind it. */
export function toolResult(
  { callId, content, isError, cache }: { callId: string; content: readonly UserPart[]; isError?: boolean; cache?: CacheMark },
  path: string,
  context: Context,
): readonly Block[] {
  const blocks = userBlocks(content, path, context).filter(block => !('cachePoint' in block));
  const mark = cache ?? content.flatMap(part => ('cache' in part && part.cache) || []).at(-1);
  const status = isError && (context.traits.toolStatus ? 'error' : context.limits.leaveOut(`${path}.is_error`));
  // An error without a word is refused ("cannot be empty when status value is error").
  const said = blocks.length === 0 && status ? [{ json: {} }] : blocks;
  const result = { toolUseId: toolId(callId, context), content: said, ...(status && { status }) };
  return [{ toolResult: result }, ...cachePoint(mark, context)];
}

/** Thinking that Anthropic did not sign is refused by its models; others take none at all. */
export function spokenBlocks(part: Exclude<AssistantPart, ToolCallPart>, context: Context): readonly Block[] {
  switch (part.kind) {
    case 'text':
      return answerBlocks(part, context);
    case 'refusal':
      return systemBlocks([{ kind: 'text', text: part.text }], context);
    case 'redacted-thinking':
      return isClaude(context) ? [{ reasoningContent: { redactedContent: wrapped(part.data) } }] : [];
    case 'thinking': {
      const signature = isClaude(context) ? signatureOf('anthropic', part.signature) : undefined;
      return signature === undefined ? [] : [{ reasoningContent: { reasoningText: { text: part.text, signature } } }];
    }
  }
}

/** Of its own citations Claude takes back those of the request's documents; searches are cited by models of Amazon alone, with proof of their own. */
function answerBlocks(part: TextPart, context: Context): readonly Block[] {
  const [block, ...marks] = systemBlocks([part], context);
  const citations = (isClaude(context) ? (part.citations ?? []) : [])
    .filter(({ source }) => source.kind === 'document' && source.place && source.index < context.documents.size)
    .map(converseCitation);
  if (!block || citations.length === 0) return block ? [block, ...marks] : [];
  return [{ citationsContent: { content: [{ text: part.text }], citations } }, ...marks];
}

const isClaude = ({ traits }: Context): boolean => traits.family === 'claude';

/** undefined: the arguments are no JSON text of an object. */
export function toolUse({ id, name, arguments: json, cache }: ToolCallPart, context: Context): readonly Block[] | undefined {
  const input = argumentsObject(json);
  return input && [{ toolUse: { toolUseId: toolId(id, context), name, input } }, ...cachePoint(cache, context)];
}

/** Mistral's models take ids of nine letters and digits alone. */
const toolId = (id: string, { traits }: Context): string => (traits.family === 'mistral' ? shortToolId(id) : portableToolId(id));
