// Anthropic's citations of a text block, as in `TextCitation` of its SDK 1.x.
import { isCount, textOf } from '../../json/lenient.ts';
import type { JsonRecord } from '../../json/record.ts';
import { UNSIGNED } from '../foreign.ts';
import { addressOf, type Citation, type CitedSource, type Place, titled } from './citation.ts';

/** undefined: of a kind that is not known here. */
export function readAnthropicCitation(wire: JsonRecord): Citation | undefined {
  const source = sourceOf(wire);
  const quote = textOf(wire.cited_text);
  return source && { source, ...(quote !== '' && { quote }) };
}

function sourceOf(wire: JsonRecord): CitedSource | undefined {
  switch (wire.type) {
    case 'char_location':
      return documentOf(wire, 'characters', wire.start_char_index, wire.end_char_index);
    case 'page_location':
      return documentOf(wire, 'pages', wire.start_page_number, wire.end_page_number);
    case 'content_block_location':
      return documentOf(wire, 'blocks', wire.start_block_index, wire.end_block_index);
    case 'web_search_result_location': {
      const proof = textOf(wire.encrypted_index);
      const isOwn = proof !== '' && proof !== UNSIGNED;
      return textOf(wire.url) === ''
        ? undefined
        : { kind: 'url', url: textOf(wire.url), ...titled(wire.title), ...(isOwn && { proof }) };
    }
    case 'search_result_location': {
      const { search_result_index: index, start_block_index: start, end_block_index: end } = wire;
      const found = isCount(index) && isCount(start) && isCount(end) && { index, blocks: { start, end } };
      return { kind: 'search-result', source: textOf(wire.source), ...titled(wire.title), ...(found && { found }) };
    }
    default:
      return undefined;
  }
}

function documentOf(wire: JsonRecord, unit: Place['unit'], start: unknown, end: unknown): CitedSource | undefined {
  const { document_index: index, document_title: title, file_id: id } = wire;
  if (!isCount(index) || !isCount(start) || !isCount(end)) return undefined;
  const fileId = textOf(id);
  return { kind: 'document', index, ...titled(title), ...(fileId !== '' && { fileId }), place: { unit, start, end } };
}

/** As an answer has it. undefined: the wire has no word for it. */
export function anthropicCitation({ source, quote = '' }: Citation): JsonRecord | undefined {
  const address = addressOf(source);
  switch (source.kind) {
    case 'document':
      return source.place && { ...locationOf(source, source.place), file_id: source.fileId ?? null, cited_text: quote };
    case 'search-result':
      if (!source.found) return address && fromWeb(address, quote);
      return {
        type: 'search_result_location',
        source: source.source,
        title: source.title ?? null,
        search_result_index: source.found.index,
        start_block_index: source.found.blocks.start,
        end_block_index: source.found.blocks.end,
        cited_text: quote,
      };
    case 'url':
      return address && fromWeb(address, quote, source.proof);
    case 'file':
      return undefined;
  }
}

/** What Anthropic did not find has a mark in place of its proof, by which the next turn's history is cleaned. */
const fromWeb = ({ url, title }: { url: string; title: string }, quote: string, proof: string = UNSIGNED): JsonRecord => ({
  type: 'web_search_result_location',
  url,
  title: title === '' ? null : title,
  encrypted_index: proof,
  cited_text: quote,
});

/**
 * As a history may have it at a provider that did not write it: what it cites has to be in the request.
 * @param documents how many the request has
 */
export function anthropicCitationParam({ source, quote = '' }: Citation, documents: number): JsonRecord | undefined {
  if (source.kind !== 'document' || !source.place || source.index >= documents) return undefined;
  return { ...locationOf(source, source.place), cited_text: quote };
}

function locationOf({ index, title = null }: { index: number; title?: string | null }, { unit, start, end }: Place): JsonRecord {
  const document = { document_index: index, document_title: title };
  switch (unit) {
    case 'characters':
      return { type: 'char_location', ...document, start_char_index: start, end_char_index: end };
    case 'pages':
      return { type: 'page_location', ...document, start_page_number: start, end_page_number: end };
    case 'blocks':
      return { type: 'content_block_location', ...document, start_block_index: start, end_block_index: end };
  }
}
