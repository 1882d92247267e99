// Parts of a user's message, or of a tool's result, as OpenAI's content parts; none for a part that the target cannot take.
import type { ChatRequest, DocumentPart, ImagePart, Source, UserPart } from '#core/chat/request.ts';
import type { LeavingOut } from '../leaving-out.ts';
import type { Profile } from './profile.ts';

export type PartContext = { readonly request: ChatRequest; readonly profile: Profile; readonly limits: LeavingOut };

export type WirePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url' | 'input_audio' | 'file'; readonly [field: string]: unknown };

export function encodePart(part: UserPart, path: string, context: PartContext): WirePart[] {
  switch (part.kind) {
    case 'text':
      return [{ type: 'text', text: part.text }];
    case 'image':
      return takenFrom(imageParts(part), path, context);
    case 'audio':
      return [{ type: 'input_audio', input_audio: { data: part.data, format: part.format } }];
    case 'document':
      return takenFrom(documentParts(part, context), path, context);
  }
}

function takenFrom(parts: WirePart[] | undefined, path: string, { limits }: PartContext): WirePart[] {
  if (!parts) limits.leaveOut(path);
  return parts ?? [];
}

function imageParts({ source, detail }: ImagePart): WirePart[] | undefined {
  const url = source.kind === 'url' ? source.url : source.kind === 'base64' ? dataURL(source) : undefined;
  return url === undefined ? undefined : [{ type: 'image_url', image_url: { url, ...(detail !== undefined && { detail }) } }];
}

const dataURL = ({ mediaType, data }: Extract<Source, { kind: 'base64' }>): string => `data:${mediaType};base64,${data}`;

/** Citations cannot be asked for in this dialect. */
function documentParts(document: DocumentPart, { request, profile, limits }: PartContext): WirePart[] | undefined {
  if (document.citations) limits.leaveOut('citations');
  const { source, title = 'document.pdf' } = document;
  switch (source.kind) {
    case 'text':
      return [textDocument(document, source.text)];
    case 'base64':
      if (source.mediaType.startsWith('text/')) return [textDocument(document, Buffer.from(source.data, 'base64').toString())];
      return profile.files ? [...about(document), file({ filename: title, file_data: dataURL(source) })] : undefined;
    case 'file':
      // An id of another provider's file store means nothing here.
      return profile.files && request.dialect === 'openai-chat' ? [...about(document), file({ file_id: source.id })] : undefined;
    case 'url':
      return undefined;
  }
}

/** A file has a name here but no place for what the client says about it. */
const about = ({ context }: DocumentPart): WirePart[] => (context ? [{ type: 'text', text: context }] : []);

const file = (fields: Record<string, string>): WirePart => ({ type: 'file', file: fields });

function textDocument({ title, context }: DocumentPart, text: string): WirePart {
  return { type: 'text', text: [title, context, text].filter(piece => piece !== undefined && piece !== '').join('\n\n') };
}
