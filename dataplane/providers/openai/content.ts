// What a delta, or a whole message, says: its pieces in the order in which a model says them.
import type { Citation } from '#core/chat/citations/citation.ts';
import { readAnnotation } from '#core/chat/citations/openai.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import { recordsOf } from '../wire.ts';
import type { CallPiece, TextKind } from './parts.ts';

export type Piece =
  | { readonly kind: TextKind; readonly text: string }
  /** Its span is in code points of the message's content. */
  | { readonly kind: 'citation'; readonly citation: Citation }
  | ({ readonly kind: 'call' } & CallPiece);

export function contentOf(delta: JsonRecord): Piece[] {
  return [
    ...reasoning(delta),
    ...answer(delta.content),
    ...citations(delta),
    ...text('refusal', delta.refusal),
    ...calls(delta),
    ...legacyCall(delta),
  ];
}

/**
 * Sound, pictures, annotations that cite nothing (OpenRouter's files), and parts of a content that are no text (Mistral's references, which
 * name results of tools by numbers of its own): the neutral reply has none of them.
 */
export const hasMoreThanContent = ({ annotations, audio, images, content }: JsonRecord): boolean =>
  isRecord(audio) ||
  recordsOf(images).length > 0 ||
  recordsOf(annotations).some(annotation => !readAnnotation(annotation)) ||
  recordsOf(content).some(({ type }) => type !== 'text' && type !== 'thinking');

const citations = ({ annotations }: JsonRecord): Piece[] =>
  recordsOf(annotations).flatMap(annotation => {
    const citation = readAnnotation(annotation);
    return citation ? [{ kind: 'citation', citation }] : [];
  });

/** DeepSeek and xAI say `reasoning_content`, OpenRouter and Groq `reasoning`; vLLM has changed from the one to the other, with both between. */
const reasoning = (delta: JsonRecord): Piece[] => text('thinking', delta.reasoning_content || delta.reasoning);

const text = (kind: TextKind, value: unknown): Piece[] =>
  typeof value === 'string' && value !== '' ? [{ kind, text: value }] : [];

/** A string; Mistral's reasoning models send a list of parts, where thinking is itself a list of parts. */
function answer(content: unknown): Piece[] {
  if (!Array.isArray(content)) return text('text', content);
  return content.filter(isRecord).flatMap(part => (part.type === 'thinking' ? thinking(part.thinking) : text('text', part.text)));
}

function thinking(value: unknown): Piece[] {
  if (!Array.isArray(value)) return text('thinking', value);
  return value.filter(isRecord).flatMap(part => text('thinking', part.text));
}

function calls({ tool_calls: list }: JsonRecord): Piece[] {
  return Array.isArray(list) ? list.filter(isRecord).map(callPiece) : [];
}

function callPiece(call: JsonRecord): Piece {
  const index = typeof call.index === 'number' && call.index >= 0 ? call.index : undefined;
  return { kind: 'call', index, id: asText(call.id), ...invocation(call.function) };
}

/** The form of 2023: one call, without an id. */
function legacyCall({ function_call: call }: JsonRecord): Piece[] {
  return isRecord(call) ? [{ kind: 'call', index: 0, id: '', ...invocation(call) }] : [];
}

function invocation(value: unknown): { name: string; json: string } {
  if (!isRecord(value)) return { name: '', json: '' };
  const { name, arguments: json } = value;
  // Ollama's native form, seen through thin proxies, has an object where JSON text should be.
  return { name: asText(name), json: isRecord(json) ? JSON.stringify(json) : asText(json) };
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : '');
