// Neutral messages as input items of the Responses wire: text and pictures in messages, calls, their results and reasoning as items of
// their own, in the order in which they were said. What another provider signed or sealed is left out without a word: that is cleaning of
// history, not a parameter that the client loses.
import { addressOf } from '#core/chat/citations/citation.ts';
import { annotationsIn } from '#core/chat/citations/openai.ts';
import { portableToolId } from '#core/chat/foreign.ts';
import type { AssistantPart, Message, TextPart, UserPart } from '#core/chat/request.ts';
import { encodePart, type PartContext, type WirePart } from '../encode-parts.ts';
import { reasoningItem } from './items.ts';

type Item = Readonly<Record<string, unknown>>;

export function encodeInput(messages: readonly Message[], context: PartContext): Item[] {
  return messages.flatMap((message, i) => itemsOf(message, `messages[${i}]`, context));
}

function itemsOf(message: Message, path: string, context: PartContext): Item[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content.map(({ text }) => ({ type: 'input_text', text })) }];
    case 'user':
      return [{ role: 'user', content: contentOf(message.content, path, context) }];
    case 'tool':
      return [
        {
          type: 'function_call_output',
          call_id: portableToolId(message.callId),
          output: resultOf(contentOf(message.content, path, context), message.isError === true),
        },
      ];
    case 'assistant':
      return assistantItems(message.content);
  }
}

const contentOf = (parts: readonly UserPart[], path: string, context: PartContext): Item[] =>
  parts.flatMap((part, i) => partsOf(part, `${path}.content[${i}]`, context));

function partsOf(part: UserPart, path: string, context: PartContext): Item[] {
  // This wire lets the provider fetch a document; the chat wire does not.
  if (part.kind === 'document' && part.source.kind === 'url') return [{ type: 'input_file', file_url: part.source.url }];
  return encodePart(part, path, context).map(inThisWire);
}

/** The chat wire's parts, spelled otherwise. */
function inThisWire(part: WirePart): Item {
  switch (part.type) {
    case 'text':
      return { type: 'input_text', text: part.text };
    case 'image_url': {
      const { url, detail = 'auto' } = part.image_url as { url: string; detail?: string };
      return { type: 'input_image', image_url: url, detail };
    }
    case 'file':
      return { type: 'input_file', ...(part.file as object) };
    case 'input_audio':
      return part;
  }
}

/** A plain string wherever it says the same: not every server of this wire takes a list. */
function resultOf(parts: readonly Item[], isError: boolean): string | Item[] {
  const error = isError ? 'Error: ' : '';
  if (parts.every(({ type }) => type === 'input_text')) return error + parts.map(({ text }) => text).join('\n');
  return isError ? [{ type: 'input_text', text: error.trim() }, ...parts] : [...parts];
}

/** Parts of one message stand together until something that is an item of its own comes between. */
function assistantItems(parts: readonly AssistantPart[]): Item[] {
  const items: Item[] = [];
  let content: Item[] = [];
  const close = () => {
    if (content.length > 0) items.push({ role: 'assistant', content });
    content = [];
  };
  for (const part of parts) {
    if (part.kind === 'text' || part.kind === 'refusal') {
      if (part.text !== '') content.push(said(part));
      continue;
    }
    const item = itemOf(part);
    if (!item) continue;
    close();
    items.push(item);
  }
  close();
  return items;
}

const said = (part: Extract<AssistantPart, { kind: 'text' | 'refusal' }>): Item =>
  part.kind === 'text'
    ? { type: 'output_text', text: part.text, ...annotationsOf(part) }
    : { type: 'refusal', refusal: part.text };

/** Of addresses: files of another provider are none here. */
function annotationsOf({ text, citations = [] }: TextPart): Item {
  const annotations = annotationsIn(
    text,
    citations.filter(({ source }) => addressOf(source)),
  );
  return annotations.length > 0 ? { annotations } : {};
}

function itemOf(part: Exclude<AssistantPart, { kind: 'text' | 'refusal' }>): Item | undefined {
  switch (part.kind) {
    case 'thinking':
      return reasoningItem(part.text, part.signature);
    case 'redacted-thinking':
      return undefined;
    case 'tool-call':
      return { type: 'function_call', call_id: portableToolId(part.id), name: part.name, arguments: part.arguments || '{}' };
  }
}
