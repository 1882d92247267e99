// What Google says of where a candidate's words come from: `groundingMetadata` (what was found, and which words rest on it),
// `citationMetadata` (what is quoted at length) and `urlContextMetadata` (what was read). Places count bytes of UTF-8, from the beginning of the
// part that `partIndex` names. Types of @google/genai 2.x; the API itself calls the list of `citationMetadata` `citationSources`.
import { countOf, isCount, recordOf, recordsOf, textOf } from '../../json/lenient.ts';
import { isRecord, type JsonRecord } from '../../json/record.ts';
import { type Citation, type CitedSource, type Span, titled } from './citation.ts';

/** Characters that are said more than once, words of segments and of sources: thousands of citations of a long text would be gigabytes. */
const REPEATED_MAX = 1024 * 1024;

function within(max: number): (text: string) => boolean {
  let used = 0;
  return text => {
    used += text.length;
    return used <= max;
  };
}

/** With the part that its span is counted from, and the words there, where they are told. */
export type FoundCitation = Citation & { readonly part: number; readonly words?: string };

/** Their spans are in bytes. */
export function readGrounding(candidate: JsonRecord): readonly FoundCitation[] {
  const { groundingChunks, groundingSupports } = recordOf(candidate.groundingMetadata);
  const chunks = Array.isArray(groundingChunks) ? groundingChunks.map(chunk => chunkOf(recordOf(chunk))) : [];
  const supported = new Set<number>();
  const fits = within(REPEATED_MAX);
  const supports = recordsOf(groundingSupports).flatMap(({ segment, groundingChunkIndices: indices }) => {
    const { partIndex, startIndex = 0, endIndex, text } = recordOf(segment);
    const span = spanOf(startIndex, endIndex);
    const place = { part: countOf(partIndex), ...(span && { span }), ...(textOf(text) !== '' && { words: textOf(text) }) };
    return (Array.isArray(indices) ? indices : []).filter(isCount).flatMap(index => {
      supported.add(index);
      const chunk = chunks[index];
      if (!chunk) return [];
      const { quote, source } = chunk;
      return [{ source, ...(quote !== undefined && fits(quote) && { quote }), ...place }];
    });
  });
  const others = chunks.flatMap((chunk, index) => (chunk && !supported.has(index) ? [{ ...chunk, part: 0 }] : []));
  return [...supports, ...others, ...quoted(recordOf(candidate.citationMetadata))];
}

/** Beside citations: the searches, and what Google wants shown of them (`searchEntryPoint`), or sources of kinds that are not known here. */
export function saysMore({ groundingMetadata }: JsonRecord): boolean {
  const { groundingChunks, searchEntryPoint } = recordOf(groundingMetadata);
  return isRecord(searchEntryPoint) || recordsOf(groundingChunks).some(chunk => !chunkOf(chunk));
}

function chunkOf({ web, maps, image, retrievedContext: kept }: JsonRecord): Citation | undefined {
  const { uri, sourceUri, title } = recordOf(web ?? maps ?? image);
  const url = textOf(uri) || textOf(sourceUri);
  if (url !== '') return { source: { kind: 'url', url, ...titled(title) } };
  if (!isRecord(kept)) return undefined;
  const name = [kept.uri, kept.documentName, kept.fileSearchStore, kept.title].map(textOf).find(text => text !== '');
  if (name === undefined) return undefined;
  const quote = textOf(kept.text);
  return { source: { kind: 'search-result', source: name, ...titled(kept.title) }, ...(quote !== '' && { quote }) };
}

const spanOf = (start: unknown, end: unknown): Span | undefined =>
  isCount(start) && isCount(end) && start < end ? { start, end } : undefined;

/** Quotes of unnamed sources say nothing. */
function quoted({ citations, citationSources }: JsonRecord): readonly FoundCitation[] {
  return recordsOf(citations ?? citationSources).flatMap(({ uri, title, startIndex = 0, endIndex }) => {
    const span = spanOf(startIndex, endIndex);
    return textOf(uri) === ''
      ? []
      : [{ source: { kind: 'url', url: textOf(uri), ...titled(title) }, part: 0, ...(span && { span }) }];
  });
}

/** Addresses that were read, as far as they could be. */
export const readFetched = ({ urlContextMetadata }: JsonRecord): readonly string[] =>
  recordsOf(recordOf(urlContextMetadata).urlMetadata)
    .filter(({ urlRetrievalStatus: status }) => status === undefined || status === 'URL_RETRIEVAL_STATUS_SUCCESS')
    .map(({ retrievedUrl }) => textOf(retrievedUrl))
    .filter(url => url !== '');

/** `segment` with a span in bytes; absent: no words in particular. */
export type Supported = Citation & { readonly segment?: JsonRecord };

/** `groundingMetadata`. undefined: nothing was found. */
export function groundingOf(citations: readonly Supported[]): JsonRecord | undefined {
  if (citations.length === 0) return undefined;
  const chunks = new Map<string, { readonly index: number; readonly chunk: JsonRecord }>();
  const fits = within(REPEATED_MAX);
  const groundingSupports = citations.flatMap(citation => {
    const chunk = groundingChunk(citation);
    const key = JSON.stringify(chunk);
    const { index } = chunks.get(key) ?? { index: chunks.size };
    chunks.set(key, { index, chunk });
    const { text, ...place } = citation.segment ?? {};
    if (!citation.segment) return [];
    return [{ segment: fits(textOf(text)) ? citation.segment : place, groundingChunkIndices: [index] }];
  });
  return { groundingChunks: [...chunks.values()].map(({ chunk }) => chunk), groundingSupports };
}

function groundingChunk({ source, quote }: Citation): JsonRecord {
  const text = quote === undefined ? {} : { text: quote };
  switch (source.kind) {
    case 'url':
      return { web: { uri: source.url, ...titled(source.title) } };
    case 'search-result':
      return { retrievedContext: { uri: source.source, ...titled(source.title), ...text } };
    case 'document':
      return { retrievedContext: { ...titled(source.title), ...text, ...pageOf(source) } };
    case 'file':
      return { retrievedContext: { uri: source.id, ...titled(source.name), ...text } };
  }
}

const pageOf = ({ place }: Extract<CitedSource, { kind: 'document' }>) =>
  place?.unit === 'pages' ? { pageNumber: place.start } : {};
