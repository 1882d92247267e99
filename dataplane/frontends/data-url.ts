// Images and files inside of a body of OpenAI's dialects: data URLs, and ids of stored files.
import type { Source } from '#core/chat/request.ts';
import type { JsonRecord } from '#core/json/record.ts';
import { aName, type Faults, invalid, optional, required } from './reading.ts';

export function readFileSource(faults: Faults, file: JsonRecord, path: string): Source | undefined {
  const id = optional(faults, file.file_id, `${path}.file_id`, aName);
  if (id !== undefined) return { kind: 'file', id };
  const content = required(faults, file.file_data, `${path}.file_data`, aName, '');
  // Bare base64 is seen where a data URL should be; what is sent that way is PDF.
  const source = isDataURL(content) ? readDataURL(faults, content, `${path}.file_data`) : pdf(content);
  return source?.kind === 'base64' && source.mediaType === 'text/plain' ? textOf(source.data) : source;
}

const pdf = (data: string): Source => ({ kind: 'base64', mediaType: 'application/pdf', data });
const textOf = (data: string): Source => ({ kind: 'text', text: Buffer.from(data, 'base64').toString() });

export const isDataURL = (url: string): boolean => /^data:/i.test(url);

/** `data:<media type>[;parameter]*;base64,<data>`. Cut by position: the data may have megabytes. */
export function readDataURL(faults: Faults, url: string, path: string): Source | undefined {
  const comma = url.indexOf(',');
  const [mediaType = '', ...parameters] = url.slice('data:'.length, Math.max(comma, 0)).toLowerCase().split(';');
  const isBase64 = parameters.at(-1)?.trim() === 'base64';
  if (comma < 0 || !isBase64 || mediaType === '')
    return invalid(faults, path, 'a URL, or a data URL with a media type and base64');
  return { kind: 'base64', mediaType, data: url.slice(comma + 1) };
}
