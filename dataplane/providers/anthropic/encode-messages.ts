// The neutral conversation as Anthropic's: system texts apart, roles alternating, tool results inside user turns.
import { anthropicCitationParam } from '#core/chat/citations/anthropic.ts';
import { portableToolId, signatureOf } from '#core/chat/foreign.ts';
import type { AssistantPart, CacheMark, Message, Source, TextPart, ToolCallPart, UserPart } from '#core/chat/request.ts';
import { ok, type Parsed, refuse } from '#core/failure.ts';
import { appendTurn, type Turn } from '../turns.ts';
import { argumentsObject } from '../wire.ts';

export type Block = Readonly<Record<string, unknown>>;
export type Conversation = {
  readonly system: readonly Block[];
  readonly turns: readonly Turn<Block>[];
  /** Paths of the parts that Anthropic has no block for, and of fields that it has no place for. */
  readonly unsupported: readonly string[];
};

export function encodeMessages(messages: readonly Message[]): Parsed<Conversation> {
  const system: Block[] = [];
  const unsupported: string[] = [];
  const turns: Turn<Block>[] = [];
  /** So far: an answer cites what was there before it. */
  let documents = 0;
  for (const [index, message] of messages.entries()) {
    const path = `messages[${index}]`;
    const blocks = blocksOf(message, path, unsupported, documents);
    if (!blocks.ok) return blocks;
    documents += message.content.filter(({ kind }) => kind === 'document').length;
    if (message.role === 'system') system.push(...blocks.value);
    // Anthropic merges neighbours of one role itself; here it is done so that a tool result stands where it must.
    else appendTurn(turns, message.role === 'assistant' ? 'assistant' : 'user', blocks.value);
  }
  return ok({ ...neverEmpty(system, trimPrefill(turns.map(resultsFirst))), unsupported });
}

function blocksOf(message: Message, path: string, unsupported: string[], documents: number): Parsed<readonly Block[]> {
  if ('name' in message && message.name !== undefined) unsupported.push(`${path}.name`);
  switch (message.role) {
    case 'system':
      return ok(message.content.flatMap(textBlocks));
    case 'user':
      return ok(userBlocks(message.content, path, unsupported));
    case 'tool':
      return ok([toolResult(message, path, unsupported)]);
    case 'assistant':
      return assistantBlocks(message.content, path, documents);
  }
}

/** Results must come first in the turn that answers the calls. */
function resultsFirst(turn: Turn<Block>): Turn<Block> {
  const isResult = (block: Block) => block.type === 'tool_result';
  if (!turn.content.some(isResult)) return turn;
  return { ...turn, content: [...turn.content.filter(isResult), ...turn.content.filter(block => !isResult(block))] };
}

/** A last turn of the assistant is a prefill, which may not end in white space. */
function trimPrefill(turns: readonly Turn<Block>[]): readonly Turn<Block>[] {
  const last = turns.at(-1);
  const block = last?.content.at(-1);
  if (last?.role !== 'assistant' || typeof block?.text !== 'string') return turns;
  const text = block.text.trimEnd();
  const content = [...last.content.slice(0, -1), ...(text === '' ? [] : [{ ...block, text }])];
  return [...turns.slice(0, -1), ...(content.length > 0 ? [{ ...last, content }] : [])];
}

/** OpenAI answers a conversation of system messages alone; Anthropic wants a user's turn. */
function neverEmpty(system: readonly Block[], turns: readonly Turn<Block>[]): Pick<Conversation, 'system' | 'turns'> {
  if (turns.length > 0 || system.length === 0) return { system, turns };
  return { system: [], turns: [{ role: 'user', content: system }] };
}

type ToolMessage = Extract<Message, { readonly role: 'tool' }>;

function toolResult(message: ToolMessage, path: string, unsupported: string[]): Block {
  const content = userBlocks(message.content, path, unsupported);
  return {
    type: 'tool_result',
    tool_use_id: portableToolId(message.callId),
    ...(content.length > 0 && { content }),
    ...(message.isError && { is_error: true }),
    ...cacheControl(message.cache),
  };
}

function userBlocks(parts: readonly UserPart[], path: string, unsupported: string[]): readonly Block[] {
  return parts.flatMap((part, index) => {
    const at = `${path}.content[${index}]`;
    const blocks = userBlock(part);
    if (!blocks) unsupported.push(at);
    else if (part.kind === 'image' && part.detail !== undefined && part.detail !== 'auto') unsupported.push(`${at}.detail`);
    return blocks ?? [];
  });
}

/** Undefined where Anthropic has nothing of the kind. */
function userBlock(part: UserPart): readonly Block[] | undefined {
  switch (part.kind) {
    case 'text':
      return textBlocks(part);
    case 'image': {
      const source = imageSource(part.source);
      return source && [{ type: 'image', source, ...cacheControl(part.cache) }];
    }
    case 'document': {
      const source = documentSource(part.source);
      return (
        source && [
          {
            type: 'document',
            source,
            ...(part.title !== undefined && { title: part.title }),
            ...(part.context !== undefined && { context: part.context }),
            ...(part.citations && { citations: { enabled: true } }),
            ...cacheControl(part.cache),
          },
        ]
      );
    }
    case 'audio':
      return undefined;
  }
}

/** Empty texts are refused ("text content blocks must be non-empty"). */
function textBlocks({ text, cache }: TextPart): readonly Block[] {
  return text === '' ? [] : [{ type: 'text', text, ...cacheControl(cache) }];
}

export const cacheControl = (cache: CacheMark | undefined): Block =>
  cache ? { cache_control: { type: 'ephemeral', ...(cache.ttl && { ttl: cache.ttl }) } } : {};

const IMAGE_TYPES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);

function imageSource(source: Source): Block | undefined {
  if (source.kind === 'base64') return IMAGE_TYPES.has(source.mediaType) ? base64(source) : undefined;
  return source.kind === 'text' ? undefined : reference(source);
}

function documentSource(source: Source): Block | undefined {
  if (source.kind === 'text') return plainText(source.text);
  if (source.kind !== 'base64') return reference(source);
  if (source.mediaType === 'application/pdf') return base64(source);
  return source.mediaType.startsWith('text/') ? plainText(Buffer.from(source.data, 'base64').toString()) : undefined;
}

const base64 = (source: Extract<Source, { readonly kind: 'base64' }>): Block => ({
  type: 'base64',
  media_type: source.mediaType,
  data: source.data,
});

const plainText = (data: string): Block => ({ type: 'text', media_type: 'text/plain', data });

/** Ids of files begin with `file_` here and with `file-` at OpenAI: a file of another provider cannot be read. */
function reference(source: Extract<Source, { readonly kind: 'url' | 'file' }>): Block | undefined {
  if (source.kind === 'url') return { type: 'url', url: source.url };
  return source.id.startsWith('file_') ? { type: 'file', file_id: source.id } : undefined;
}

function assistantBlocks(parts: readonly AssistantPart[], path: string, documents: number): Parsed<readonly Block[]> {
  const blocks: Block[] = [];
  let calls = 0;
  for (const part of parts) {
    if (part.kind !== 'tool-call') {
      blocks.push(...spokenBlocks(part, documents));
      continue;
    }
    const call = toolUse(part, `${path}.tool_calls[${calls++}].function.arguments`);
    if (!call.ok) return call;
    blocks.push(call.value);
  }
  return ok(blocks);
}

/** Thinking that Anthropic did not sign is refused there ("Invalid signature in thinking block"), so it is left out. */
function spokenBlocks(part: Exclude<AssistantPart, ToolCallPart>, documents: number): readonly Block[] {
  switch (part.kind) {
    case 'text':
      return textBlocks(part).map(block => ({ ...block, ...cited(part, documents) }));
    case 'refusal':
      return textBlocks({ kind: 'text', text: part.text });
    case 'redacted-thinking':
      return [{ type: 'redacted_thinking', data: part.data }];
    case 'thinking':
      return thinkingBlock(part.text, signatureOf('anthropic', part.signature));
  }
}

function cited({ citations = [] }: TextPart, documents: number): Block {
  const own = citations.flatMap(citation => anthropicCitationParam(citation, documents) ?? []);
  return own.length > 0 ? { citations: own } : {};
}

function toolUse(part: ToolCallPart, path: string): Parsed<Block> {
  const input = argumentsObject(part.arguments);
  if (!input) return refuse('invalid_request', { param: path, message: `${path} must be the JSON text of an object.` });
  return ok({ type: 'tool_use', id: portableToolId(part.id), name: part.name, input, ...cacheControl(part.cache) });
}

const thinkingBlock = (thinking: string, signature: string | undefined) =>
  signature === undefined ? [] : [{ type: 'thinking', thinking, signature }];
