// Converse's citations, of a `citationsContent` block or as the delta of a stream, as in `Citation` of @aws-sdk/client-bedrock-runtime.
import { isCount, recordOf, recordsOf, textOf } from '../../json/lenient.ts';
import { isRecord, type JsonRecord } from '../../json/record.ts';
import { type Citation, type CitedSource, type Place, type Span, titled } from './citation.ts';

/** A text of a block, a source or a history comes in pieces. */
export const wordsOf = (pieces: unknown): string =>
  recordsOf(pieces)
    .map(({ text }) => textOf(text))
    .join('');

/** A `citationsContent` block: a text and what it rests on. */
export function readCitationsContent({ content, citations: list }: JsonRecord): {
  readonly text: string;
  readonly citations?: readonly Citation[];
} {
  const citations = recordsOf(list).flatMap(citation => readConverseCitation(citation) ?? []);
  return { text: wordsOf(content), ...(citations.length > 0 && { citations }) };
}

/** undefined: it says nothing that is known here. */
export function readConverseCitation(wire: JsonRecord): Citation | undefined {
  const source = sourceOf(recordOf(wire.location), textOf(wire.title), textOf(wire.source));
  const quote = wordsOf(wire.sourceContent);
  return source && { source, ...(quote !== '' && { quote }) };
}

const units = { documentChar: 'characters', documentPage: 'pages', documentChunk: 'blocks' } as const;

function sourceOf(location: JsonRecord, title: string, source: string): CitedSource | undefined {
  const url = textOf(recordOf(location.web).url);
  if (url !== '') return { kind: 'url', url, ...titled(title) };
  for (const [name, unit] of Object.entries(units)) {
    const at = location[name];
    if (isRecord(at) && isCount(at.documentIndex))
      return { kind: 'document', index: at.documentIndex, ...titled(title), ...placed(spanOf(at), unit) };
  }
  if (source === '' && title === '') return undefined;
  const { searchResultIndex: index, ...at } = recordOf(location.searchResultLocation);
  const blocks = spanOf(at);
  const found = isCount(index) && blocks && { index, blocks };
  return { kind: 'search-result', source: source || title, ...titled(title), ...(found && { found }) };
}

/** The first of anything is not always told. */
function spanOf({ start = 0, end }: JsonRecord): Span | undefined {
  return isCount(start) && isCount(end) ? { start, end } : undefined;
}

const placed = (span: Span | undefined, unit: Place['unit']) => (span ? { place: { ...span, unit } } : {});

export function converseCitation({ source, quote }: Citation): JsonRecord {
  return { ...aboutOf(source), ...(quote !== undefined && { sourceContent: [{ text: quote }] }) };
}

function aboutOf(source: CitedSource): JsonRecord {
  switch (source.kind) {
    case 'url':
      return { ...named(source.title), location: { web: { url: source.url } } };
    case 'document':
      return { ...named(source.title), ...(source.place && { location: locationOf(source.index, source.place) }) };
    case 'search-result': {
      const { found } = source;
      const location = found && { searchResultLocation: { searchResultIndex: found.index, ...found.blocks } };
      return { ...named(source.title), source: source.source, ...(location && { location }) };
    }
    case 'file':
      return { ...named(source.name), source: source.id };
  }
}

const named = (title: string | undefined): JsonRecord => (title === undefined ? {} : { title });

function locationOf(documentIndex: number, { unit, start, end }: Place): JsonRecord {
  const name = Object.entries(units).find(([, its]) => its === unit)![0];
  return { [name]: { documentIndex, start, end } };
}
