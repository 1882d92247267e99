// What a prompt has besides text, as far as it decides how many tokens are reserved for it.
import type { ChatRequest, Source, UserPart } from '../chat/request.ts';
import { type Attachments, noAttachments } from './bound.ts';

export function attachmentsOf({ messages }: ChatRequest): Attachments {
  const found = { ...noAttachments };
  for (const message of messages)
    if (message.role === 'user' || message.role === 'tool') for (const part of message.content) add(part, found);
  return found;
}

type Found = { -readonly [K in keyof Attachments]: Attachments[K] };

function add(part: UserPart, found: Found): void {
  if (part.kind === 'image') {
    found.images++;
    found.imageBytes += inlineBytes(part.source);
  } else if (part.kind === 'document') {
    if (part.source.kind === 'url' || part.source.kind === 'file') found.documents++;
    else found.documentBytes += inlineBytes(part.source);
  }
}

/** Of base64, which is as long in the body; text is text. */
const inlineBytes = (source: Source): number => (source.kind === 'base64' ? source.data.length : 0);
