// What Anthropic's own API takes and its models elsewhere do not: attachments that would have to be fetched, or are stored at Anthropic.
import type { ChatRequest, DocumentPart, ImagePart, Message, UserPart } from '#core/chat/request.ts';
import type { LeavingOut } from '../leaving-out.ts';

export const withoutReferences = (request: ChatRequest, limits: LeavingOut): ChatRequest => ({
  ...request,
  messages: request.messages.map((message, index) => withoutReferring(message, `messages[${index}]`, limits)),
});

function withoutReferring(message: Message, path: string, limits: LeavingOut): Message {
  if (message.role !== 'user' && message.role !== 'tool') return message;
  const content = message.content.filter((part, index) => {
    const refers = isAttachment(part) && (part.source.kind === 'url' || part.source.kind === 'file');
    if (refers) limits.leaveOut(`${path}.content[${index}]`);
    return !refers;
  });
  return { ...message, content };
}

const isAttachment = (part: UserPart): part is ImagePart | DocumentPart => part.kind === 'image' || part.kind === 'document';
