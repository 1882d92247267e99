// Lists of tools in a body, read for those that the provider runs itself. Nearly all lists have functions of the client's alone, and are not parsed.
import type { BilledTool } from '#core/chat/usage.ts';
import { isRecord, type JsonRecord } from '#core/json/record.ts';
import type { RequestFields } from './provider.ts';

/** The type of something that is neither a function of the client's nor a part of its schema, or letters by their numbers, which hide a name. */
const NOTABLE = /"type"\s*:\s*"(?!(?:function|custom|object|string|array|number|integer|boolean|null|ephemeral)")|\\u00/;

export type Listed = { readonly tool: JsonRecord; readonly param: string };

/** Entries of a list in a field, where some may be the provider's. */
export function listedTools(body: RequestFields): readonly Listed[] {
  const json = body.has('tools') ? body.json?.('tools') : undefined;
  return json !== undefined && !NOTABLE.test(json) ? [] : entriesOf(body.get('tools'), 'tools');
}

/** @param param where the list stands */
export const entriesOf = (list: unknown, param: string): readonly Listed[] =>
  Array.isArray(list) ? list.flatMap((tool, i) => (isRecord(tool) ? [{ tool, param: `${param}[${i}]` }] : [])) : [];

/** Whether one of these strings may be in a body: letters by their numbers, which no encoder writes, hide a name. */
export const mayMention = (body: RequestFields, ...strings: readonly string[]): boolean =>
  body.mentions === undefined || [...strings, ...HIDDEN].some(text => body.mentions!(text));

const HIDDEN = ['\\u004', '\\u005', '\\u006', '\\u007'];

const BY_NAME: readonly (readonly [RegExp, BilledTool])[] = [
  [/(?:web|browser|x|news)_?search|grounding/, 'webSearch'],
  [/file_?search|collections_?search|retrieval|document_library/, 'fileSearch'],
  [/code_(?:interpreter|execution)|shell/, 'codeExecution'],
  [/image_generation/, 'imageGeneration'],
];

/** What a tool is by the name of its type, in the spellings of several providers. */
export const toolNamed = (type: string): BilledTool => BY_NAME.find(([name]) => name.test(type))?.[1] ?? 'other';
