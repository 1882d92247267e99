// Answers of the wire of 2020 (`/v1/completions`), read as answers of the chat wire whose content is the text: both are written by the same
// servers, and end, count and fail alike.
import type { ChatReply } from '#core/chat/reply.ts';
import type { Parsed } from '#core/failure.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { ReplyFacts, RequestFields, SseMessage, StreamDecoder } from '../../provider.ts';
import { streamDecoder as chatStreamDecoder, decodeReply as decodeChat, inspectReply as inspectChat } from '../decode.ts';
import { answersAsked } from './asked.ts';

export function streamDecoder(request?: RequestFields): StreamDecoder {
  const n = request && answersAsked(request);
  const decoder = chatStreamDecoder(request && { has: name => name === 'n', get: name => (name === 'n' ? n : undefined) });
  return { ...decoder, push: message => decoder.push(asChunk(message)) };
}

function asChunk(message: SseMessage): SseMessage {
  // Only what could hold a text is written anew.
  if (!message.data.includes('"choices"')) return message;
  try {
    return { event: message.event, data: JSON.stringify(asChat(JSON.parse(message.data))) };
  } catch {
    return message;
  }
}

function asChat(body: unknown): unknown {
  if (!isRecord(body) || !Array.isArray(body.choices)) return body;
  return { ...body, choices: body.choices.map(choice => (isRecord(choice) ? chatChoice(choice) : choice)) };
}

/** Log probabilities have another form here, and no neutral one. */
const chatChoice = ({ text, logprobs: _other, ...choice }: JsonRecord) => ({ ...choice, message: { content: text } });

export const decodeReply = (body: unknown): Parsed<ChatReply> => decodeChat(asChat(body));
export const inspectReply = (body: unknown): Parsed<ReplyFacts> => inspectChat(asChat(body));
