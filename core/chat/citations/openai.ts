// OpenAI's annotations: of a message of chat completions, where what is said of a citation stands in an object of its own, and of an
// `output_text` of Responses. Their places count code points, as Python does. Types of openai 7.x; OpenRouter adds what was found (`content`).
import { isCount, recordsOf, textOf } from '../../json/lenient.ts';
import { isRecord, type JsonRecord } from '../../json/record.ts';
import { addressOf, type Citation, type CitedSource, converted, type Span, spanIn, titled } from './citation.ts';
import { Measure } from './measure.ts';

/** Its span is in code points. undefined: of a kind that is not known here. */
export function readAnnotation(wire: JsonRecord): Citation | undefined {
  const about = isRecord(wire.url_citation) ? wire.url_citation : wire;
  const source = sourceOf(wire.type, about);
  const span = spanOf(about);
  const quote = textOf(about.content);
  return source && { source, ...(quote !== '' && { quote }), ...(span && { span }) };
}

/** Those of a text that is all there. */
export function readAnnotations(list: unknown, text: string): readonly Citation[] {
  const read = recordsOf(list).flatMap(annotation => readAnnotation(annotation) ?? []);
  if (read.length === 0) return [];
  const measure = new Measure('code-points');
  measure.add(text);
  return read.map(citation => converted(citation, points => measure.placeOf(points)));
}

function sourceOf(type: unknown, about: JsonRecord): CitedSource | undefined {
  const [url, title, id, name, container] = [about.url, about.title, about.file_id, about.filename, about.container_id].map(
    textOf,
  );
  switch (type) {
    case 'url_citation':
      return url ? { kind: 'url', url, ...titled(title) } : undefined;
    case 'file_citation':
    case 'container_file_citation':
      return id ? { kind: 'file', id, ...(name && { name }), ...(container && { container }) } : undefined;
    default:
      return undefined;
  }
}

/** OpenRouter says from 0 to 0 where it does not know. A file is cited at one place. */
function spanOf({ index, start_index: start, end_index: end }: JsonRecord): Span | undefined {
  if (isCount(index)) return { start: index, end: index };
  return isCount(start) && isCount(end) && start < end ? { start, end } : undefined;
}

/**
 * What Perplexity and xAI say beside an answer: all that it rests on, in `search_results`, or as a list of addresses in `citations`.
 * undefined: nothing.
 */
export function readSources({ search_results: results, citations }: JsonRecord): readonly Citation[] | undefined {
  const found = recordsOf(results).filter(({ url }) => textOf(url) !== '');
  if (found.length > 0)
    return found.map(({ url, title, snippet }) => ({
      source: { kind: 'url', url: textOf(url), ...titled(title) },
      ...(textOf(snippet) !== '' && { quote: textOf(snippet) }),
    }));
  const urls = Array.isArray(citations) ? citations.map(textOf).filter(url => url !== '') : [];
  return urls.length > 0 ? urls.map(url => ({ source: { kind: 'url', url } })) : undefined;
}

/** @param span in code points. undefined: chat completions know addresses alone. */
export function chatAnnotation({ source }: Citation, { start, end }: Span): JsonRecord | undefined {
  const address = addressOf(source);
  return address && { type: 'url_citation', url_citation: { start_index: start, end_index: end, ...address } };
}

/** @param measure in code points, of the text that has it. undefined: the wire has no word for it. */
export function annotationIn(citation: Citation, measure: Measure): JsonRecord | undefined {
  const span = spanIn(citation, measure.length);
  return responsesAnnotation(citation, { start: measure.before(span.start) ?? 0, end: measure.before(span.end) ?? 0 });
}

export function annotationsIn(text: string, citations: readonly Citation[] = []): readonly JsonRecord[] {
  if (citations.length === 0) return [];
  const measure = new Measure('code-points');
  measure.add(text);
  return citations.map(citation => annotationIn(citation, measure)).filter(annotation => annotation !== undefined);
}

/** @param span in code points. undefined: the wire has no word for it. */
export function responsesAnnotation({ source }: Citation, { start, end }: Span): JsonRecord | undefined {
  const address = addressOf(source);
  if (address) return { type: 'url_citation', start_index: start, end_index: end, ...address };
  const file = fileOf(source);
  if (!file) return undefined;
  const about = { file_id: file.id, filename: file.name ?? '' };
  return file.container === undefined
    ? { type: 'file_citation', ...about, index: end }
    : { type: 'container_file_citation', container_id: file.container, ...about, start_index: start, end_index: end };
}

type File = Extract<CitedSource, { kind: 'file' }>;

/** A document that the request named by its id is a file too. */
function fileOf(source: CitedSource): File | undefined {
  if (source.kind === 'file') return source;
  if (source.kind !== 'document' || source.fileId === undefined) return undefined;
  return { kind: 'file', id: source.fileId, ...(source.title !== undefined && { name: source.title }) };
}
